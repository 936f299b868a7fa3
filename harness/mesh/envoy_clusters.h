// The part of envoy_config.h that is clusters, and the names that clusters and listeners share. Pure.
//
// A port's protocol decides how an Envoy speaks to it (Istio pilot networking/core/cluster_builder.go; dump of a 1.30
// sidecar): HTTP/2 and gRPC ports explicitly HTTP/2, sniffed ones as the caller did, TCP and HTTP/1.1 ones by default.
#pragma once

#include <string>

#include "mesh/envoy_config.h"

namespace hopcheck::mesh {

inline constexpr const char* kEnvoyTypes = "type.googleapis.com/";

std::string collector_fqdn();
std::string outbound_cluster(const std::string& host, uint16_t port);
std::string inbound_cluster(uint16_t target_port);
// The entry service of an instance with its namespace filled in; nullptr when no workload plays it.
const Service* entry_of(const LocalMesh& mesh, size_t instance);
// static_resources.clusters of the proxy of `workload`: a JSON list.
std::string clusters_of(const EnvoyRequest& request, const LocalWorkload& workload);

}  // namespace hopcheck::mesh
