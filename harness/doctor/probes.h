// The probes: pure functions of the evidence, in the order in which they are asked. A probe whose evidence is missing
// is skipped with the reason and says nothing else. Each file probe_<part>.cc holds those of one part.
#pragma once

#include <string>
#include <vector>

#include "doctor/diagnosis.h"
#include "doctor/evidence.h"

namespace hopcheck::doctor {

using ProbeFunction = void (*)(const ClusterEvidence& evidence, ProbeResult& result);
struct Probe {
  const char* id;
  const char* question;
  ProbeFunction ask;
};
const std::vector<Probe>& all_probes();

void probe_kubernetes(const ClusterEvidence& evidence, ProbeResult& result);
void probe_istiod(const ClusterEvidence& evidence, ProbeResult& result);
void probe_istio_version(const ClusterEvidence& evidence, ProbeResult& result);
void probe_registration(const ClusterEvidence& evidence, ProbeResult& result);
void probe_telemetry(const ClusterEvidence& evidence, ProbeResult& result);
void probe_address(const ClusterEvidence& evidence, ProbeResult& result);
void probe_collector(const ClusterEvidence& evidence, ProbeResult& result);
void probe_collector_config(const ClusterEvidence& evidence, ProbeResult& result);
void probe_nodes(const ClusterEvidence& evidence, ProbeResult& result);
void probe_sidecars(const ClusterEvidence& evidence, ProbeResult& result);
void probe_proxies(const ClusterEvidence& evidence, ProbeResult& result);
void probe_received(const ClusterEvidence& evidence, ProbeResult& result);
void probe_exported(const ClusterEvidence& evidence, ProbeResult& result);
void probe_run(const ClusterEvidence& evidence, ProbeResult& result);

// Shared by the probes.

// Marks the probe skipped because evidence is missing; true when it is.
template <class T>
bool skip_unless(const Seen<T>& part, ProbeResult& result) {
  if (part.seen()) return false;
  result.state = ProbeState::kSkipped;
  result.reason = part.missing;
  result.blind = true;
  return true;
}
void skip(ProbeResult& result, std::string reason);  // nothing to look at
void blame(ProbeResult& result, Cause cause);        // adds the cause; the probe fails

}  // namespace hopcheck::doctor
