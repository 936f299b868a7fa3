// Envoy's admin interface (https://www.envoyproxy.io/docs/envoy/latest/operations/admin), as Istio's pilot-agent passes
// it on inside a sidecar, read into the doctor's facts: the commands that ask, and what their answers say. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "doctor/evidence.h"
#include "mesh/kube_client.h"

namespace hopcheck::mesh {

// `pilot-agent request GET config_dump…` of the inbound listener, and `… clusters…` of the named clusters alone.
PodCommand listener_command(const doctor::PodFact& pod);
PodCommand clusters_command(const doctor::PodFact& pod, const std::vector<std::string>& names);

// Of their answers, which may begin with lines of pilot-agent's own log. nullopt: no HTTP listener is in it.
std::optional<std::vector<std::string>> tracer_clusters_of(const std::string& listener_answer);
std::vector<doctor::ProxyFact::Cluster> clusters_of(const std::string& clusters_answer);

}  // namespace hopcheck::mesh
