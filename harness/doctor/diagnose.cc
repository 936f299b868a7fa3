#include "doctor/diagnose.h"

#include <algorithm>

#include "doctor/causes.h"
#include "doctor/probes.h"

namespace hopcheck::doctor {
namespace {

bool is_of_run(const Cause& cause) { return cause.id == "run-no-data" || cause.id == "run-partial"; }

bool explains(const Cause& cause, const Cause& other) {
  if (&cause == &other) return false;
  // What a run missed is explained by anything that is wrong with the cluster.
  if (is_of_run(other) && cause.id.rfind("run-", 0) != 0) return true;
  const auto& ids = cause_catalogue()[rank_of(cause.id)].explains;
  return std::find(ids.begin(), ids.end(), other.id) != ids.end();
}

std::vector<Cause> composed(std::vector<Cause> found) {
  std::stable_sort(found.begin(), found.end(),
                   [](const Cause& a, const Cause& b) { return rank_of(a.id) < rank_of(b.id); });
  std::vector<bool> is_consequence(found.size(), false);
  for (size_t i = 0; i < found.size(); ++i) {
    for (size_t j = 0; j < found.size(); ++j) {
      if (is_consequence[j] || is_consequence[i] || !explains(found[i], found[j])) continue;
      is_consequence[j] = true;
      found[i].consequences.push_back(found[j].id + " " + found[j].subject);
    }
  }
  std::vector<Cause> out;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!is_consequence[i]) out.push_back(std::move(found[i]));
  }
  return out;
}

}  // namespace

void skip(ProbeResult& result, std::string reason) {
  result.state = ProbeState::kSkipped;
  result.reason = std::move(reason);
}

void blame(ProbeResult& result, Cause cause) {
  result.state = ProbeState::kFail;
  result.causes.push_back(std::move(cause));
}

const std::vector<Probe>& all_probes() {
  static const std::vector<Probe> kProbes = {
      {"kubernetes", "is Kubernetes new enough for what the providers need?", probe_kubernetes},
      {"istiod", "is Istio's control plane there and ready?", probe_istiod},
      {"istio-version", "is Istio new enough for the manifests?", probe_istio_version},
      {"registration", "is the provider registered in MeshConfig?", probe_registration},
      {"telemetry", "does a Telemetry resource switch tracing on, for all and at more than 0 %?", probe_telemetry},
      {"address", "does the provider send to a Service, port and path that are there?", probe_address},
      {"collector", "is the Collector there and ready?", probe_collector},
      {"collector-config", "does the Collector load its configuration and listen to other pods?",
       probe_collector_config},
      {"nodes", "has each node a Collector, where the Service is node-local?", probe_nodes},
      {"sidecars", "has each enrolled pod its sidecar?", probe_sidecars},
      {"proxies", "do the sidecars trace, and do they know the Collector?", probe_proxies},
      {"received", "does the Collector receive spans?", probe_received},
      {"exported", "does the Collector export what it receives?", probe_exported},
      {"run", "what did a run find?", probe_run},
  };
  return kProbes;
}

Diagnosis diagnose(const ClusterEvidence& evidence) {
  Diagnosis out;
  std::vector<Cause> found;
  for (const Probe& probe : all_probes()) {
    ProbeResult result;
    result.id = probe.id;
    result.question = probe.question;
    probe.ask(evidence, result);
    found.insert(found.end(), result.causes.begin(), result.causes.end());
    out.probes.push_back(std::move(result));
  }
  out.causes = composed(std::move(found));
  for (const Cause& cause : out.causes)
    out.symptom = std::min(out.symptom, cause_catalogue()[rank_of(cause.id)].symptom);
  return out;
}

std::vector<Cause> missing_prerequisites(const ClusterEvidence& evidence) {
  std::vector<Cause> found;
  for (const ProbeFunction ask :
       {probe_kubernetes, probe_istiod, probe_istio_version, probe_collector, probe_collector_config}) {
    ProbeResult result;
    ask(evidence, result);
    for (Cause& cause : result.causes) {
      if (cause.id != "collector-localhost-bind") found.push_back(std::move(cause));  // it starts: traffic tells
    }
  }
  return composed(std::move(found));
}

int exit_code_of(const Diagnosis& diagnosis) {
  if (!diagnosis.causes.empty()) return 1;
  size_t blind = 0, looked = 0;
  for (const ProbeResult& probe : diagnosis.probes) {
    if (probe.blind) ++blind;
    else if (probe.state != ProbeState::kSkipped) ++looked;
  }
  if (blind == 0) return 0;
  return looked == 0 ? 3 : 2;
}

}  // namespace hopcheck::doctor
