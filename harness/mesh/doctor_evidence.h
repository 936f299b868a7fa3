// Gathers what the doctor judges: Kubernetes and Istio objects, istiod's own metrics, the Collector's configuration,
// counters and log, the proxies' counters and Envoy's own view. Changes nothing: every request is a GET through the API
// server (list of objects, pods/proxy, pods/log) or a command that reads (pods/exec, mesh/doctor_proxies.h). Bounded:
// requests go out kParallel at a time, each with a timeout of its own; a part that is refused (403) or does not answer
// in time is marked missing with the reason, and the rest goes on. Nothing of a Secret is asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "doctor/evidence.h"
#include "mesh/kube_client.h"

namespace hopcheck::mesh {

struct EvidenceRequest {
  std::vector<std::string> namespaces;  // workloads to judge; empty = all
  int64_t timeout_ms = 2'500;           // of each request
  // What must be there before traffic is driven, or also what went through: counters and logs.
  enum class Depth : uint8_t { kPrerequisites, kAll } depth = Depth::kAll;
};
doctor::ClusterEvidence gather_evidence(KubeClient& client, const EvidenceRequest& request);

}  // namespace hopcheck::mesh
