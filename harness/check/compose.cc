#include "check/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace hopcheck::check {
namespace {

class Composer {
 public:
  Composer(ScenarioJudge& judge, const JudgeInput& input, Attribution& attribution, std::vector<Loss>& lost)
      : judge_(judge),
        input_(input),
        attribution_(attribution),
        losses_(lost),
        aggregates_(judge.aggregates()),
        rules_(input.without_rules) {}

  void run() {
    if (rules_.on("HOP0303")) sidecars();
    if (rules_.on("HOP1103")) silent_sdks();
    if (rules_.on("HOP0601")) detached();
    own_exports();
    if (rules_.on("HOP0508")) invalid_ids();
    if (rules_.on("HOP0801")) lost_spans();
  }

 private:
  // Pods that the cluster says have no proxy: every missing span of their proxies is that one cause.
  void sidecars() {
    for (const ProxyFact& proxy : input_.environment.proxies) {
      if (proxy.injected || !proxy.expected_meshed || proxy.ns != namespace_of(proxy.service)) continue;
      Subject subject;
      subject.service = proxy.service;
      bool any = aggregates_.all().count({"HOP0303", subject_key(subject)}) > 0;
      for (const HitKey& key : aggregates_.keys_of("HOP0301")) {
        if (aggregates_.all()[key].subject.service != proxy.service) continue;
        aggregates_.demote(key, "HOP0303", subject);
        any = true;
      }
      if (!any) continue;
      Aggregate& cause = aggregates_.all()[{"HOP0303", subject_key(subject)}];
      cause.expected = fmt::format("pod {} of {}/{} has an istio-proxy container", proxy.pod, proxy.ns, proxy.workload);
      cause.actual = "it has none";
    }
    // The callers' proxies cannot name a peer they never spoke to: what stays of the same service is the same cause.
    for (const HitKey& key : aggregates_.keys_of("HOP0303")) {
      const Subject subject = aggregates_.all()[key].subject;
      for (const HitKey& other : aggregates_.keys_of("HOP0301")) {
        if (aggregates_.all()[other].subject.service == subject.service) aggregates_.demote(other, "HOP0303", subject);
      }
    }
  }

  std::string namespace_of(const std::string& service) const {
    const Topology& topology = judge_.input().scenario.topology;
    const int index = topology.find(service);
    return index < 0 ? "" : topology.services[index].ns;
  }

  // A service whose every app span is missing in every request, with the context intact: its SDK does not export.
  void silent_sdks() {
    const Topology& topology = judge_.input().scenario.topology;
    for (const Service& service : topology.services) {
      if (service.instrumentation != Instrumentation::kSdk || service.spans.size() < 2 || judge_.judged() == 0)
        continue;
      std::vector<HitKey> keys;
      bool all = true;
      for (const AppSpan& span : service.spans) {
        const HitKey key{"HOP1101", subject_key({service.name, "", "", span.name})};
        uint64_t count = 0;
        const auto found = aggregates_.all().find(key);
        if (found != aggregates_.all().end()) count += found->second.count;
        for (const auto& [other, aggregate] : aggregates_.all()) {
          const auto consequence = aggregate.consequences.find(key);
          if (consequence != aggregate.consequences.end()) count += consequence->second;
        }
        if (count < judge_.judged()) all = false;
        keys.push_back(key);
      }
      if (!all) continue;
      Subject subject;
      subject.service = service.name;
      for (const HitKey& key : aggregates_.keys_of("HOP1101")) {
        if (aggregates_.all()[key].subject.service == service.name) aggregates_.demote(key, "HOP1103", subject);
      }
      Aggregate& cause = aggregates_.all()[{"HOP1103", subject_key(subject)}];
      cause.expected = fmt::format("{} app spans of {} in each request", service.spans.size(), service.name);
      cause.actual = "none exported; the parent ids its proxy saw are theirs";
    }
  }

  // Traces of this topology that no request claims, beside requests that end where they begin: the context was dropped
  // there.
  void detached() {
    for (const HitKey& key : aggregates_.keys_of("HOP0301")) {
      const Aggregate missing = aggregates_.all()[key];
      std::vector<DetachedTop> pieces;
      for (const DetachedTop& top : judge_.detached()) {
        if (top.info.role != ProxyRole::kOutbound || top.trace->n != kNoRequest) continue;
        const std::string hop = judge_.classifier().service_label(top.info.service) + "->" +
                                judge_.classifier().service_label(top.info.peer);
        if (hop == missing.subject.hop && (*input_.spans)[top.span].parent_id.is_zero()) pieces.push_back(top);
      }
      if (pieces.empty()) continue;
      Subject subject;
      subject.service = missing.subject.service;
      subject.header = "traceparent";
      Aggregate& cause = aggregates_.demote(key, "HOP0601", subject);
      cause.expected =
          fmt::format("the call {} continues the trace that reached {}", missing.subject.hop, subject.service);
      cause.actual = fmt::format("{} traces begin at {}'s own outbound proxy, as many requests end there",
                                 pieces.size(), subject.service);
      cause.witnesses = pair_witnesses(missing, pieces);
      // The spans stay detached (nothing names their request); they are explained.
      for (const DetachedTop& piece : pieces) explain(piece);
    }
  }

  // The missing call's parent, and the detached trace that starts soonest after it.
  std::map<uint64_t, std::vector<Witness>> pair_witnesses(const Aggregate& missing,
                                                          const std::vector<DetachedTop>& pieces) const {
    std::map<uint64_t, std::vector<Witness>> out;
    for (const auto& [n, witnesses] : missing.witnesses) {
      if (witnesses.empty()) continue;
      const Observed observed = judge_.observed_of(n);
      uint64_t start = 0;
      for (const Span* span : observed.spans) {
        if (span->span_id == witnesses[0].span_id) start = span->start_unix_nanos;
      }
      const Span* nearest = nullptr;
      for (const DetachedTop& piece : pieces) {
        const Span& span = (*input_.spans)[piece.span];
        if (span.start_unix_nanos < start) continue;
        if (nearest == nullptr || span.start_unix_nanos < nearest->start_unix_nanos) nearest = &span;
      }
      out[n] = {witnesses[0]};
      if (nearest != nullptr) out[n].push_back({nearest->trace_id, nearest->span_id});
    }
    return out;
  }

  // With the OTLP port not excluded every export of a service is a request through its sidecar: a CLIENT root that ends
  // at no service of the topology. The scenario declares them, so they are explained; elsewhere they are HOP0806.
  void own_exports() {
    if (!judge_.input().scenario.environment.app_export_through_sidecar) return;
    constexpr std::string_view kOtlpHttpRoute = ":4318/*";  // the port of OTLP/HTTP, as route decorators write it
    for (const DetachedTop& top : judge_.detached()) {
      const Span& span = (*input_.spans)[top.span];
      if (top.trace->spans.size() == 1 && span.kind == SpanKind::kClient && span.parent_id.is_zero() &&
          top.info.peer < 0 && span.name.ends_with(kOtlpHttpRoute)) {
        explain(top);
      }
    }
  }

  void explain(const DetachedTop& piece) {
    attribution_.traces[static_cast<size_t>(piece.trace - attribution_.traces.data())].explained = true;
  }

  // Spans whose ids name no trace: no request can claim them. What is missing of the same service is them.
  void invalid_ids() {
    std::map<int, std::vector<uint32_t>> by_service;
    for (size_t i = 0; i < input_.spans->size(); ++i) {
      const Span& span = (*input_.spans)[i];
      const SpanClass klass = attribution_.span_class[i];
      if (span.ids_valid || (klass != SpanClass::kForeign && klass != SpanClass::kDetached)) continue;
      const int service = judge_.classifier().classify(span).service;
      if (service != kUnknownService) by_service[service].push_back(static_cast<uint32_t>(i));
    }
    std::unordered_map<uint32_t, TraceGroup*> detached;  // by first span
    if (!by_service.empty()) {
      for (TraceGroup& trace : attribution_.traces) {
        if (trace.n == kNoRequest && !trace.spans.empty()) detached.emplace(trace.spans.front(), &trace);
      }
    }
    for (const auto& [service, spans] : by_service) {
      Subject subject;
      subject.service = judge_.classifier().service_label(service);
      for (const char* code : {"HOP0301", "HOP1101"}) {
        for (const HitKey& key : aggregates_.keys_of(code)) {
          const Aggregate& missing = aggregates_.all()[key];
          if (missing.subject.service == subject.service && missing.count <= spans.size())
            aggregates_.demote(key, "HOP0508", subject);
        }
      }
      Aggregate& cause = aggregates_.all()[{"HOP0508", subject_key(subject)}];
      cause.subject = subject;
      cause.count = std::max<uint64_t>(cause.count, spans.size());
      cause.expected = "a 16-byte trace id and an 8-byte span id, not zero";
      cause.actual = fmt::format("{} spans with invalid ids, which belong to no trace", spans.size());
      for (uint32_t index : spans) {
        attribution_.span_class[index] = SpanClass::kMalformed;
        const auto found = detached.find(index);
        if (found != detached.end()) found->second->explained = true;
      }
    }
  }

  // Spans that their proxy sent and counted are no defect of the proxy's: the pipeline lost them.
  void lost_spans() {
    const auto explain_by = [&](Loss& loss, const HitKey& key) {
      Aggregate& cause = aggregates_.demote(key, "HOP0801", loss.subject);
      if (!cause.expected.empty()) {
        cause.expected += ", ";
        cause.actual += ", ";
      }
      cause.expected += expected_of(loss);
      cause.actual += actual_of(loss);
      loss.explained = true;
    };
    for (Loss& loss : losses_) {
      for (const char* code : {"HOP0301", "HOP0304"}) {
        for (const HitKey& key : aggregates_.keys_of(code)) {
          const Aggregate& missing = aggregates_.all()[key];
          if (missing.subject.service == loss.service && missing.count <= loss.missing()) explain_by(loss, key);
        }
      }
    }
    const HitKey whole{"HOP0101", ""};
    for (Loss& loss : losses_) {
      const auto found = aggregates_.all().find(whole);
      if (found != aggregates_.all().end() && found->second.count <= loss.missing()) explain_by(loss, whole);
    }
    // One loss behind the Collector takes the spans of many proxies.
    for (Loss& loss : losses_) {
      const auto same = [&](const Loss& other) { return other.explained && other.subject == loss.subject; };
      loss.explained = loss.explained || std::any_of(losses_.begin(), losses_.end(), same);
    }
  }

  ScenarioJudge& judge_;
  const JudgeInput& input_;
  Attribution& attribution_;
  std::vector<Loss>& losses_;
  Aggregates& aggregates_;
  const RuleSet rules_;
};

}  // namespace

void compose(ScenarioJudge& judge, const JudgeInput& input, Attribution& attribution, std::vector<Loss>& lost) {
  Composer(judge, input, attribution, lost).run();
  compose_configuration(judge, input);
}

}  // namespace hopcheck::check
