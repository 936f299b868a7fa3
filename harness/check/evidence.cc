#include "check/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/text.h"
#include "check/aggregate.h"
#include "check/catalogue.h"

namespace hopcheck::check {
namespace {

struct StoredSpans {
  uint64_t all = 0;
  uint64_t of_another_run = 0;  // in a standing mesh a late span of the run before; sent before or after our first mark
};

// Mesh spans stored, by proxy: "<pod>.<namespace>" of node_id; the gateway's spawned spans carry no node_id and go by
// the span of the same proxy that they hang under, else by service.name to the one proxy that uses it.
std::map<std::string, StoredSpans> stored_by_proxy(const JudgeInput& input, const Attribution& attribution) {
  std::vector<bool> foreign(input.spans->size(), false);
  for (const TraceGroup& trace : attribution.traces) {
    for (uint32_t index : trace.spans) foreign[index] = trace.of_another_run;
  }
  std::map<std::string, StoredSpans> out;
  std::map<std::string, std::string> proxy_of_name;
  std::unordered_map<SpanId, std::string_view, IdHash> proxy_of_span;
  for (const Span& span : *input.spans) {
    if (!is_mesh_span(span)) continue;
    const std::string_view key = proxy_key(span);
    const std::string_view name = span.resource->service_name;
    if (key == name) continue;
    proxy_of_name.emplace(name, key);
    if (span.attributes.text("node_id").substr(0, 7) == "router~") proxy_of_span.emplace(span.span_id, key);
  }
  for (size_t i = 0; i < input.spans->size(); ++i) {
    const Span& span = (*input.spans)[i];
    if (!is_mesh_span(span)) continue;
    std::string key(proxy_key(span));
    const auto above = proxy_of_span.find(span.parent_id);
    const auto found = proxy_of_name.find(key);
    if (found != proxy_of_name.end()) key = above != proxy_of_span.end() ? std::string(above->second) : found->second;
    ++out[key].all;
    if (foreign[i]) ++out[key].of_another_run;
  }
  return out;
}

std::optional<uint64_t> delta(const std::optional<uint64_t>& before, const std::optional<uint64_t>& after) {
  if (!before || !after || *after < *before) return std::nullopt;
  return *after - *before;
}

class Rules {
 public:
  Rules(const JudgeInput& input, const Attribution& attribution) : input_(input), attribution_(attribution) {}

  std::vector<Finding> run(bool any_lost) {
    const Environment& environment = input_.environment;
    if (!environment.capture_complete)
      add("HOP0804", {}, "a sealed capture without gaps", environment.capture_problem, {});
    restarts();
    if (environment.drain.ended_by == "deadline") {
      add("HOP1006", {}, "every due span in, or silence with an empty queue",
          fmt::format("spans still due after {}", format_nanos(environment.drain.waited_nanos)), {});
    }
    if (input_.bodies.refused > 0) {
      add("HOP0803", {}, "every export accepted",
          fmt::format("{} of {} refused", input_.bodies.refused, input_.bodies.received), {});
    }
    for (const auto& [first, second] : attribution_.conflicts) {
      const Span& span = (*input_.spans)[second];
      Subject subject;
      subject.service = std::string(span.resource->service_name);
      add("HOP0802", subject, "ids are unique", fmt::format("`{}` and `{}`", (*input_.spans)[first].name, span.name),
          {{span.trace_id, span.span_id}});
    }
    unexplained();
    pipeline();
    if (any_lost) control();
    return out_.findings();
  }

 private:
  void add(const char* code, Subject subject, std::string expected, std::string actual,
           std::vector<Witness> witnesses) {
    out_.add_finding(next_++, code, std::move(subject), std::move(expected), std::move(actual), std::move(witnesses));
  }

  void restarts() {
    const auto restarted = [&](const std::string& object, int times) {
      if (times <= 0) return;
      Subject subject;
      subject.object = object;
      add("HOP0805", subject, "no restart", fmt::format("{} restarts", times), {});
    };
    for (const ProxyFact& proxy : input_.environment.proxies)
      restarted("pod " + proxy.ns + "/" + proxy.pod, proxy.restarts);
    restarted("Collector", input_.environment.collector_fact.restarts);
    restarted("sink", input_.environment.sink_restarts);
    for (const std::string& crash : input_.environment.crashes) {
      Subject subject;
      subject.object = crash.substr(0, crash.find(" ended by itself"));
      add("HOP0805", subject, "it runs until the end", crash, {});
    }
  }

  void unexplained() {
    for (const TraceGroup& trace : attribution_.traces) {
      if (trace.n != kNoRequest || trace.scenario < 0 || trace.explained || trace.warmup) continue;
      const Span& span = (*input_.spans)[trace.spans.front()];
      Subject subject;
      subject.service = std::string(span.resource->service_name);
      add("HOP0806", subject, "every trace belongs to a request",
          fmt::format("`{}` begins a trace of its own", span.name), {{span.trace_id, span.span_id}});
    }
  }

  // Δspans_sent counts a span before its export is tried: more sent than stored is loss in the pipeline (verdict.md
  // section 1).
  void pipeline() {
    const auto stored = stored_by_proxy(input_, attribution_);
    uint64_t sent_total = 0;
    for (const ProxyFact& proxy : input_.environment.proxies)
      sent_total += delta(proxy.sent_before, proxy.sent_after).value_or(0);
    const CollectorFact& collector = input_.environment.collector_fact;
    const auto received = delta(collector.received_before, collector.received_after);
    for (const ProxyFact& proxy : input_.environment.proxies) {
      const auto sent = delta(proxy.sent_before, proxy.sent_after);
      if (!sent) continue;
      const auto found = stored.find(proxy.pod + "." + proxy.ns);
      const uint64_t have = found == stored.end() ? 0 : found->second.all;
      if (*sent <= have) continue;
      Subject subject;
      subject.service = proxy.service;
      subject.object = received && *received < sent_total ? "proxy -> Collector" : "Collector -> backend";
      add("HOP0801", subject, fmt::format("{} spans of {}.{}", *sent, proxy.pod, proxy.ns),
          fmt::format("{} stored", have), {});
    }
  }

  void control() {
    const ControlFact& control = input_.environment.control;
    if (!control.before_sent && !control.after_sent) {
      add("HOP0107", {}, "a control span that proves the pipeline",
          "no span of any request, and no positive control was sent", {});
      return;
    }
    if (control.before_arrived && control.after_arrived) return;
    Subject subject;
    subject.object = "Collector -> backend";
    add("HOP0107", subject, "the control spans posted before and after the drive arrive",
        fmt::format("before {}, after {}", control.before_arrived ? "arrived" : "lost",
                    control.after_arrived ? "arrived" : "lost"),
        {});
  }

  const JudgeInput& input_;
  const Attribution& attribution_;
  Aggregates out_;
  uint64_t next_ = 0;
};

template <class E>
std::string list_of(const CountBy<E>& counts) {
  std::string out;
  for (size_t i = 0; i < counts.size(); ++i) {
    out += fmt::format("{}{} {}", i == 0 ? "" : " + ", to_string(static_cast<E>(i)), counts[i]);
  }
  return out;
}

template <class Counts>
uint64_t total(const Counts& counts) {
  uint64_t sum = 0;
  for (uint64_t count : counts) sum += count;
  return sum;
}

}  // namespace

std::vector<Finding> evidence_findings(const JudgeInput& input, const Attribution& attribution, bool any_lost) {
  return Rules(input, attribution).run(any_lost);
}

std::vector<SumCheck> sums(const JudgeInput& input, const Attribution& attribution, const JudgeResult& result) {
  std::vector<SumCheck> out;
  for (const ScenarioResult& scenario : result.scenarios) {
    std::string outcomes;
    for (size_t i = 0; i < scenario.outcomes.size(); ++i) {
      outcomes +=
          fmt::format("{}{} {}", i == 0 ? "" : " + ", to_string(static_cast<OutcomeKind>(i)), scenario.outcomes[i]);
    }
    out.push_back({fmt::format("{}: planned {} = {}", scenario.name, scenario.requests, outcomes),
                   scenario.requests == total(scenario.outcomes)});
    out.push_back({fmt::format("{}: planned {} = {}", scenario.name, scenario.requests,
                               list_of<RequestClass>(scenario.requests_by_class)),
                   scenario.requests == total(scenario.requests_by_class)});
  }
  const BodyCounts& bodies = input.bodies;
  out.push_back({fmt::format("bodies received {} = accepted {} + refused {} + aborted {}", bodies.received,
                             bodies.accepted, bodies.refused, bodies.aborted),
                 bodies.received == bodies.accepted + bodies.refused + bodies.aborted});
  out.push_back({fmt::format("stored {} = {}", result.spans_stored, list_of<SpanClass>(result.spans_by_class)),
                 result.spans_stored == total(result.spans_by_class)});
  const auto stored = stored_by_proxy(input, attribution);
  for (const ProxyFact& proxy : input.environment.proxies) {
    const auto sent = delta(proxy.sent_before, proxy.sent_after);
    if (!sent) continue;
    const auto found = stored.find(proxy.pod + "." + proxy.ns);
    const StoredSpans have = found == stored.end() ? StoredSpans{} : found->second;
    std::string text = fmt::format("proxy {}.{}: sent {} = stored {}", proxy.pod, proxy.ns, *sent, have.all);
    if (have.of_another_run > 0) text += fmt::format(" but for {} of the run before", have.of_another_run);
    out.push_back({std::move(text), *sent <= have.all && *sent >= have.all - have.of_another_run});
  }
  return out;
}

}  // namespace hopcheck::check
