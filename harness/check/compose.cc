#include "check/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "plan/naming.h"

namespace hopcheck::check {
namespace {

std::vector<HitKey> keys_of(const Aggregates& aggregates, std::string_view code) {
  std::vector<HitKey> out;
  for (const auto& [key, aggregate] : aggregates.all()) {
    if (key.code == code && aggregate.count > 0) out.push_back(key);
  }
  return out;
}

class Composer {
 public:
  Composer(ScenarioJudge& judge, const JudgeInput& input, Attribution& attribution)
      : judge_(judge), input_(input), attribution_(attribution), aggregates_(judge.aggregates()) {}

  void run() {
    sidecars();
    silent_sdks();
    detached();
    own_exports();
    scope();
    old_names();
    redraws();
    sampling();
  }

 private:
  // Pods that the cluster says have no proxy: every missing span of their proxies is that one cause.
  void sidecars() {
    for (const ProxyFact& proxy : input_.environment.proxies) {
      if (proxy.injected || !proxy.expected_meshed || proxy.ns != namespace_of(proxy.service)) continue;
      Subject subject;
      subject.service = proxy.service;
      bool any = aggregates_.all().count({"HOP0303", subject_key(subject)}) > 0;
      for (const HitKey& key : keys_of(aggregates_, "HOP0301")) {
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
    for (const HitKey& key : keys_of(aggregates_, "HOP0303")) {
      const Subject subject = aggregates_.all()[key].subject;
      for (const HitKey& other : keys_of(aggregates_, "HOP0301")) {
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
      for (const HitKey& key : keys_of(aggregates_, "HOP1101")) {
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
    for (const HitKey& key : keys_of(aggregates_, "HOP0301")) {
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
    for (TraceGroup& trace : attribution_.traces) {
      if (&trace == piece.trace) trace.explained = true;
    }
  }

  // The Telemetry objects in force when this scenario began.
  std::vector<const TelemetryFact*> telemetry() const {
    uint64_t newest = 0;
    for (const TelemetryFact& fact : input_.environment.telemetry) {
      if (fact.from_n <= judge_.input().first_n) newest = std::max(newest, fact.from_n);
    }
    std::vector<const TelemetryFact*> out;
    for (const TelemetryFact& fact : input_.environment.telemetry) {
      if (fact.from_n == newest && newest <= judge_.input().first_n) out.push_back(&fact);
    }
    return out;
  }

  std::string namespace_of_label(const std::string& label) const {
    if (label == "gateway") return "istio-system";
    if (label == "loadgen") return judge_.input().scenario.topology.ns;
    return namespace_of(label);
  }

  // No Telemetry object in the root namespace, one in a namespace: proxies elsewhere are silent because of its scope
  // (facts 2.3), which is no loss.
  void scope() {
    const TelemetryFact* narrow = nullptr;
    std::vector<std::string> namespaces;
    for (const TelemetryFact* fact : telemetry()) {
      if (fact->ns == "istio-system") return;
      namespaces.push_back(fact->ns);
      if (fact->ns == judge_.input().scenario.topology.ns) narrow = fact;
    }
    if (narrow == nullptr) return;
    std::vector<HitKey> keys = keys_of(aggregates_, "HOP0301");
    for (const HitKey& key : keys_of(aggregates_, "HOP0304")) keys.push_back(key);
    std::string silent;
    uint64_t requests = 0;
    Subject subject;
    subject.object = "Telemetry " + narrow->ns + "/" + narrow->name;
    for (const HitKey& key : keys) {
      const Aggregate missing = aggregates_.all()[key];
      const std::string ns = namespace_of_label(missing.subject.service);
      if (std::find(namespaces.begin(), namespaces.end(), ns) != namespaces.end()) continue;
      const std::string who = missing.subject.service + " (" + ns + ")";
      if (silent.find(who) == std::string::npos) silent += (silent.empty() ? "" : ", ") + who;
      requests = std::max(requests, missing.count);
      aggregates_.demote(key, "HOP0109", subject);
    }
    if (silent.empty()) return;
    Aggregate& cause = aggregates_.all()[{"HOP0109", subject_key(subject)}];
    cause.expected = "spans of " + silent;
    cause.actual =
        fmt::format("none in {} requests; the only Telemetry object governs namespace {}, not the root namespace",
                    requests, narrow->ns);
  }

  // The run set the mesh to the mode that is claimed and restarted no proxy (namingRestart: false), and proxies carry
  // the names of another one (row D-11): one finding for the whole window.
  void old_names() {
    const Scenario& scenario = judge_.input().scenario;
    if (scenario.environment.naming_restart || scenario.environment.naming != claimed_environment(scenario).naming)
      return;  // elsewhere a wrong name has other causes
    std::map<NamingMode, std::vector<HitKey>> by_mode;
    for (const HitKey& key : keys_of(aggregates_, "HOP0401")) {
      const Aggregate& wrong = aggregates_.all()[key];
      const int index = scenario.topology.find(wrong.subject.service);
      const Service service = wrong.subject.service == "gateway" ? plan::gateway_service()
                              : index >= 0                       ? scenario.topology.services[index]
                                                                 : plan::load_client_service(scenario.topology.ns);
      for (const auto& [mode, rule] : judge_.binding().of(index).naming) {
        if (plan::proxy_service_name(rule, service, service.workloads.front()) != wrong.actual) continue;
        by_mode[mode].push_back(key);
        break;
      }
    }
    for (const auto& [mode, keys] : by_mode) {
      Subject subject;
      subject.object = std::string("names of ") + to_string(mode);
      std::string list;
      for (const HitKey& key : keys) {
        const Aggregate& wrong = aggregates_.all()[key];
        list += fmt::format("{}{} `{}`", list.empty() ? "" : ", ", wrong.subject.service, wrong.actual);
        aggregates_.demote(key, "HOP0404", subject);
      }
      Aggregate& cause = aggregates_.all()[{"HOP0404", subject_key(subject)}];
      cause.expected = fmt::format("names of {}, which the mesh is set to", to_string(scenario.environment.naming));
      cause.actual = list + ": as before the change";
    }
  }

  // Where the own draw counts beside the parent's (Envoy from 1.39) an app that does not hand x-request-id on makes its
  // outbound proxy draw anew: the trace is cut there, and everything below follows (facts 1.8, 9).
  void redraws() {
    const double percent = claimed_environment(judge_.input().scenario).sampling.value_or(100.0);
    if (percent <= 0 || percent >= 100 || judge_.binding().fallback->parent_decides_sampling) return;
    const std::vector<HitKey> lost_ids = keys_of(aggregates_, "HOP0603");
    if (lost_ids.empty()) return;
    std::string services, cuts;
    const auto name = [&services](const std::string& service) {
      const std::string list = "," + services + ",";
      if (list.find("," + service + ",") == std::string::npos) services += (services.empty() ? "" : ",") + service;
    };
    for (const HitKey& key : lost_ids) name(aggregates_.all()[key].subject.service);
    std::vector<HitKey> keys;
    uint64_t cut = 0;
    for (const HitKey& key : keys_of(aggregates_, "HOP0301")) {
      const Subject& subject = aggregates_.all()[key].subject;
      // Only what begins at a service's own outbound proxy; real loss shows in the proxies' counters (HOP0801).
      if (subject.service == "gateway" || subject.service == "loadgen" ||
          subject.hop.rfind(subject.service + "->", 0) != 0)
        continue;
      name(subject.service);
      cut += aggregates_.all()[key].count;
      cuts += fmt::format("{}{} at {}", cuts.empty() ? "" : ", ", aggregates_.all()[key].count, subject.hop);
      keys.push_back(key);
    }
    if (keys.empty()) return;
    keys.insert(keys.end(), lost_ids.begin(), lost_ids.end());
    Subject subject;
    subject.service = services;
    subject.header = "x-request-id";
    for (const HitKey& key : keys) aggregates_.demote(key, "HOP0110", subject);
    Aggregate& cause = aggregates_.all()[{"HOP0110", subject_key(subject)}];
    cause.count = std::max(cause.count, cut);
    cause.expected = fmt::format("at {:g} % a trace is whole or absent: one x-request-id, one draw", percent);
    cause.actual = fmt::format("{} traces are cut ({}); {} do not forward x-request-id, so their proxies draw again",
                               cut, cuts, services);
  }

  // Requests without spans while the Telemetry object in force samples less than claimed.
  void sampling() {
    const TelemetryFact* fact = nullptr;
    for (const TelemetryFact* telemetry : telemetry()) {
      if (telemetry->ns == "istio-system") fact = telemetry;
    }
    if (fact == nullptr) return undiagnosed();
    const double claimed = claimed_environment(judge_.input().scenario).sampling.value_or(100.0);
    if (fact->percentage && *fact->percentage >= claimed) return undiagnosed();
    const HitKey lost{"HOP0101", ""};
    if (aggregates_.all().count(lost) == 0) return;
    Subject subject;
    subject.object = "Telemetry " + fact->ns + "/" + fact->name;
    const char* code = fact->percentage ? "HOP0105" : "HOP0104";
    Aggregate& cause = aggregates_.demote(lost, code, subject);
    cause.expected = fmt::format("randomSamplingPercentage {:g}", claimed);
    const uint64_t sent = judge_.result().requests;
    cause.actual = fact->percentage
                       ? fmt::format("randomSamplingPercentage {:g}; {} of {} requests left spans", *fact->percentage,
                                     judge_.judged(), sent)
                       : fmt::format("randomSamplingPercentage is not set, so 1 %; {} of {} requests left spans",
                                     judge_.judged(), sent);
  }

  // Not one span of any request, though the control passed the pipeline, and nothing in the environment says why.
  void undiagnosed() {
    const ControlFact& control = input_.environment.control;
    const HitKey lost{"HOP0101", ""};
    if (judge_.judged() > 0 || aggregates_.all().count(lost) == 0 || !control.before_arrived || !control.after_arrived)
      return;
    Aggregate& cause = aggregates_.demote(lost, "HOP0102", {});
    cause.expected = "spans of every request";
    cause.actual = fmt::format("none of {} requests left a span; the control spans arrived", cause.count);
  }

  ScenarioJudge& judge_;
  const JudgeInput& input_;
  Attribution& attribution_;
  Aggregates& aggregates_;
};

}  // namespace

void compose(ScenarioJudge& judge, const JudgeInput& input, Attribution& attribution) {
  Composer(judge, input, attribution).run();
}

}  // namespace hopcheck::check
