#include "check/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "check/aggregate.h"
#include "check/rule_set.h"

namespace hopcheck::check {
namespace {

class Rules {
 public:
  Rules(const JudgeInput& input, const Attribution& attribution, const std::vector<Loss>& lost)
      : input_(input), attribution_(attribution), losses_(lost), rules_(input.without_rules) {}

  std::vector<Finding> run() {
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
    return out_.findings();
  }

 private:
  void add(const char* code, Subject subject, std::string expected, std::string actual,
           std::vector<Witness> witnesses) {
    if (!rules_.on(code)) return;
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

  // What no scenario's missing spans explain.
  void pipeline() {
    for (const Loss& loss : losses_) {
      if (!loss.explained) add("HOP0801", loss.subject, expected_of(loss), actual_of(loss), {});
    }
  }

  const JudgeInput& input_;
  const Attribution& attribution_;
  const std::vector<Loss>& losses_;
  const RuleSet rules_;
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

std::vector<Finding> evidence_findings(const JudgeInput& input, const Attribution& attribution,
                                       const std::vector<Loss>& lost) {
  return Rules(input, attribution, lost).run();
}

Sums sums(const JudgeInput& input, const Attribution& attribution, const JudgeResult& result) {
  Sums all;
  std::vector<SumCheck>& out = all.checks;
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
  for (const SumCheck& sum : out) {
    if (!sum.holds) all.broken.push_back(sum.text);
  }
  const auto stored = stored_by_proxy(input, attribution);
  for (const ProxyFact& proxy : input.environment.proxies) {
    const auto sent = delta(proxy.sent_before, proxy.sent_after);
    if (!sent) continue;
    const auto found = stored.find(proxy.pod + "." + proxy.ns);
    const StoredSpans have = found == stored.end() ? StoredSpans{} : found->second;
    std::string text = fmt::format("proxy {}.{}: sent {} = stored {}", proxy.pod, proxy.ns, *sent, have.all);
    if (have.of_another_run > 0) text += fmt::format(" but for {} of the run before", have.of_another_run);
    const bool fewer = *sent < have.all - have.of_another_run;
    if (fewer) all.broken.push_back(text);
    out.push_back({std::move(text), *sent <= have.all && !fewer});
  }
  return all;
}

}  // namespace hopcheck::check
