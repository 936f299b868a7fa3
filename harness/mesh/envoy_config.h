// Envoy configuration of one workload's sidecar or of the ingress gateway, rendered so that what a vanilla Envoy of the
// right minor exports equals what Istio's proxy of that version exports. Pure: text out, nothing is written or started.
//
// Follows the configuration istiod sends (Istio 1.30 dumps of a sidecar and of the classic gateway; pilot's
// networking/core/{tracing,listener,httproute,cluster_builder}.go; kind/istio/operator.yaml for the extension
// providers): tracer and its custom tags, request id extension, route decorators, retry policies, cluster names with
// their trailing ';', header handling, spawn_upstream_span at the gateway, runtime flags. It differs where there is no
// iptables and no istiod:
//   - one outbound listener at ip:15001 for all HTTP ports (TCP and sniffed ones: local_mesh.h raw_outbound_port); a
//   service is found by the Host header, "checkout:8080" or, for
//     the port that HTTP leaves out or a service's only one, "checkout"; unknown hosts get 404 NR instead of
//     PassthroughCluster;
//   - each inbound target port is a listener of its own at ip:<port>, its cluster is STATIC (the app) instead of
//     ORIGINAL_DST;
//   - clusters are static, with the endpoints of one instance (a sidecar) or of every entry (the gateway), and
//     ROUND_ROBIN instead of LEAST_REQUEST, so that versions behind one service take turns;
//   - no mutual TLS, hence no x-forwarded-client-cert; Envoy connects from the pod's own address.
// Listeners live in a file of their own (filesystem LDS). Replacing that file atomically (rename) is what a Telemetry
// change is in a mesh: Envoy updates its filter chains and drains the old ones for the drain time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/local_mesh.h"
#include "model/mesh_profile.h"
#include "run/provider.h"

namespace hopcheck::mesh {

struct EnvoyFiles {
  std::string bootstrap;  // JSON for --config-path; changes only when addresses, instances or naming do
  std::string listeners;  // JSON DiscoveryResponse for EnvoyPlaces::listeners; a Telemetry change is here alone
  // Environment variables of the process, read by the tracer's environment detector; empty but for
  // NamingMode::kOtelSemanticConventions.
  std::map<std::string, std::string> environment;
};

// Where the caller puts the files.
struct EnvoyPlaces {
  std::string listeners;  // absolute path of the listener file
};

// A VirtualService's retries for calls to one service, in place of Istio's default retry policy.
struct RetryRule {
  int attempts = 3;
  std::string retry_on = "5xx";
  int per_try_timeout_ms = 5000;
};

struct EnvoyRequest {
  const LocalMesh& mesh;
  const run::EnvironmentState& state;  // transport, naming, gateway_spawn, sampling (absent: Istio's 1 %)
  const MeshProfile& profile;          // of the Istio version played: names, whether spawn can be switched off
  EnvoyPlaces places;
  std::map<std::string, RetryRule> retries = {};  // by fqdn of the called service; the gateway's call is to the entry
  std::set<std::string> without_endpoints = {};   // fqdns of services whose pods are gone (scaled to nothing)
};

// Files of the proxy of `workload`, which is mesh.gateway or one of mesh.workloads with a sidecar. Errors: kUsage when
// it has none, when the profile has no rule for the naming mode, or when two instances claim one host at the gateway.
Result<EnvoyFiles> envoy_files(const EnvoyRequest& request, const LocalWorkload& workload);

// The process's environment variables (EnvoyFiles::environment): what injection sets with serviceAttributeEnrichment
// OTEL_SEMANTIC_CONVENTIONS (Istio pkg/kube/inject; not at the gateway, which is not injected), else nothing.
std::map<std::string, std::string> envoy_environment(const run::EnvironmentState& state, const LocalWorkload& workload);

// "<ip>:15000". GET /ready, /stats?filter=tracing.opentelemetry, /stats?filter=total_filter_chains_draining.
std::string envoy_admin_address(const LocalWorkload& workload);
// Arguments after the program's name. `drain_seconds`: how long replaced filter chains may serve (kind uses 5).
std::vector<std::string> envoy_arguments(const std::string& bootstrap_path, int drain_seconds = 5);

}  // namespace hopcheck::mesh
