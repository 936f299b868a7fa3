// What the environment's configuration explains: scope and percentage of Telemetry objects, naming modes that changed,
// draws of proxies, the positive control.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "check/compose.h"
#include "plan/naming.h"

namespace hopcheck::check {
namespace {

class Configuration {
 public:
  Configuration(ScenarioJudge& judge, const JudgeInput& input)
      : judge_(judge), input_(input), aggregates_(judge.aggregates()), rules_(input.without_rules) {}

  void run() {
    if (rules_.on("HOP0112")) unknown_provider();
    if (rules_.on("HOP0109")) scope();
    if (rules_.on("HOP0404")) old_names();
    if (rules_.on("HOP0110")) redraws();
    if (rules_.on("HOP0107") && control_lost()) return;
    sampling();
  }

 private:
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
    const int index = judge_.input().scenario.topology.find(label);
    return index < 0 ? "" : judge_.input().scenario.topology.services[index].ns;
  }

  // A Telemetry object may name a provider that MeshConfig does not have: no proxy under it makes spans (row D-07).
  void unknown_provider() {
    const std::vector<std::string>& known = input_.environment.extension_providers;
    const std::vector<const TelemetryFact*> facts = telemetry();
    const auto named_in_vain = [&](const TelemetryFact* fact) {
      const bool governs = fact->ns == "istio-system" || fact->ns == judge_.input().scenario.topology.ns;
      return governs && !fact->provider.empty() &&
             std::find(known.begin(), known.end(), fact->provider) == known.end();
    };
    const auto found = std::find_if(facts.begin(), facts.end(), named_in_vain);
    if (known.empty() || found == facts.end()) return;
    Subject subject;
    subject.object = "Telemetry " + (*found)->ns + "/" + (*found)->name;
    uint64_t requests = 0;
    // Both sides of a proxy that is silent look like no proxy, unless the cluster says that there is none.
    const auto without_proxy = [&](const std::string& service) {
      return std::any_of(input_.environment.proxies.begin(), input_.environment.proxies.end(),
                         [&](const ProxyFact& proxy) { return proxy.service == service && !proxy.injected; });
    };
    for (const char* silent : {"HOP0101", "HOP0301", "HOP0303", "HOP0304"}) {
      for (const HitKey& key : aggregates_.keys_of(silent)) {
        if (without_proxy(aggregates_.all()[key].subject.service)) continue;
        requests = std::max(requests, aggregates_.all()[key].count);
        aggregates_.demote(key, "HOP0112", subject);
      }
    }
    if (requests == 0) return;
    Aggregate& cause = aggregates_.all()[{"HOP0112", subject_key(subject)}];
    cause.expected = fmt::format("a provider of MeshConfig: {}", fmt::join(known, ", "));
    cause.actual = fmt::format("provider {}; {} requests without spans of their proxies", (*found)->provider, requests);
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
    std::vector<HitKey> keys = aggregates_.keys_of("HOP0301");
    for (const HitKey& key : aggregates_.keys_of("HOP0304")) keys.push_back(key);
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
    std::map<NamingMode, std::vector<HitKey>> by_mode;  // a name may be that of several modes
    for (const HitKey& key : aggregates_.keys_of("HOP0401")) {
      const Aggregate& wrong = aggregates_.all()[key];
      const int index = scenario.topology.find(wrong.subject.service);
      const Service service = wrong.subject.service == "gateway" ? plan::gateway_service()
                              : index >= 0                       ? scenario.topology.services[index]
                                                                 : plan::load_client_service(scenario.topology.ns);
      for (const auto& [mode, rule] : judge_.binding().of(index).naming) {
        if (plan::proxy_service_name(rule, service, service.workloads.front()) != wrong.actual) continue;
        by_mode[mode].push_back(key);
      }
    }
    // The mode that explains most is the one from before the change.
    while (!by_mode.empty()) {
      const auto most = std::max_element(by_mode.begin(), by_mode.end(), [](const auto& a, const auto& b) {
        return a.second.size() < b.second.size();
      });
      const std::vector<HitKey> keys = most->second;
      Subject subject;
      subject.object = std::string("names of ") + to_string(most->first);
      by_mode.erase(most);
      std::string list;
      for (const HitKey& key : keys) {
        if (aggregates_.all().count(key) == 0) continue;
        const Aggregate& wrong = aggregates_.all()[key];
        list += fmt::format("{}{} `{}`", list.empty() ? "" : ", ", wrong.subject.service, wrong.actual);
        aggregates_.demote(key, "HOP0404", subject);
      }
      if (list.empty()) continue;
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
    const std::vector<HitKey> lost_ids = aggregates_.keys_of("HOP0603");
    if (lost_ids.empty()) return;
    std::string services, cuts;
    const auto name = [&services](const std::string& service) {
      const std::string list = "," + services + ",";
      if (list.find("," + service + ",") == std::string::npos) services += (services.empty() ? "" : ",") + service;
    };
    for (const HitKey& key : lost_ids) name(aggregates_.all()[key].subject.service);
    std::vector<HitKey> keys;
    uint64_t cut = 0;
    for (const HitKey& key : aggregates_.keys_of("HOP0301")) {
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

  // Absence needs the positive control (verdict.md section 2): requests without spans, or a sampled scenario of which
  // nothing at all was seen.
  bool control_lost() {
    const CountBy<RequestClass>& classes = judge_.result().requests_by_class;
    const HitKey lost{"HOP0101", ""};
    const bool absence = aggregates_.all().count(lost) > 0 ||
                         (classes[static_cast<size_t>(RequestClass::kUnsampled)] > 0 && judge_.judged() == 0);
    const ControlFact& control = input_.environment.control;
    if (!absence || (control.before_arrived && control.after_arrived)) return false;
    const bool sent = control.before_sent || control.after_sent;
    Subject subject;
    if (sent) subject.object = "Collector -> backend";
    Aggregate& cause = aggregates_.demote(lost, "HOP0107", subject);
    cause.count = std::max<uint64_t>(cause.count, 1);
    if (!sent) {
      cause.expected = "a control span that proves the pipeline";
      cause.actual = "requests without spans, and no positive control was sent";
      return true;
    }
    cause.expected = "the control spans posted before and after the drive arrive";
    cause.actual = fmt::format("before {}, after {}", control.before_arrived ? "arrived" : "lost",
                               control.after_arrived ? "arrived" : "lost");
    return true;
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
    if (!rules_.on(code)) return undiagnosed();
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
    if (!rules_.on("HOP0102") || judge_.judged() > 0 || aggregates_.all().count(lost) == 0 || !control.before_arrived ||
        !control.after_arrived)
      return;
    Aggregate& cause = aggregates_.demote(lost, "HOP0102", {});
    cause.expected = "spans of every request";
    cause.actual = fmt::format("none of {} requests left a span; the control spans arrived", cause.count);
  }

  ScenarioJudge& judge_;
  const JudgeInput& input_;
  Aggregates& aggregates_;
  const RuleSet rules_;
};

}  // namespace

void compose_configuration(ScenarioJudge& judge, const JudgeInput& input) { Configuration(judge, input).run(); }

}  // namespace hopcheck::check
