// The templates of kind/ filled in: one function per part of the environment. Reads the template files; otherwise pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/images.h"
#include "mesh/template.h"
#include "run/provider.h"

namespace hopcheck::mesh {

// What the parts of one environment share.
struct ManifestContext {
  std::string share;  // root that holds kind/
  std::string env;    // environment id, the value of label hopcheck.dev/run
  std::string run;    // capture folder of this run
  std::string harness_image;
  std::string collector_image;
  std::string backend_token, control_token;
  std::map<std::string, std::string> roles;  // images that are at hand, by role
  // Istio version as a topology instance names it → revision of its control plane; "" = the mesh's own.
  std::map<std::string, std::string> revisions;
};

Result<std::string> read_template(const std::string& share, const std::string& name);
Result<std::string> kind_config(const std::string& share, uint16_t gateway_port, const std::string& owner_file);
// `revision` "" = the mesh's own control plane, with the gateway; else a second one beside it.
Result<std::string> istio_operator(const std::string& share, const IstioVersion& istio,
                                   const run::EnvironmentState& state, const std::string& revision);
// "1-31-0-dev" for Istio 1.31.0-dev.
std::string revision_of(const IstioVersion& istio);
// The names under which kind/istio/operator.yaml registers the export providers, sorted.
std::vector<std::string> extension_providers();
// The provider that the Telemetry object of this state names.
std::string telemetry_provider_of(const run::EnvironmentState& state);
// One object in the root namespace, or with a narrower scope one in each instance's namespace.
Result<std::vector<KubeObject>> telemetry_manifest(const ManifestContext& context, const run::EnvironmentState& state);
Result<std::vector<KubeObject>> collector_manifest(const ManifestContext& context);
Result<std::vector<KubeObject>> sink_manifest(const ManifestContext& context);
// The load agent's Secret and Deployment in namespace `ns`.
Result<std::vector<KubeObject>> loadgen_manifest(const ManifestContext& context, const std::string& ns, bool meshed);

// One topology instance, in the three waves in which it can be applied.
struct InstanceManifest {
  std::vector<KubeObject> base;       // Namespace, ConfigMap, ServiceAccounts, Services: as soon as the API answers
  std::vector<KubeObject> routing;    // Gateway, VirtualService: as soon as Istio's CRDs are served
  std::vector<KubeObject> workloads;  // Deployments: as soon as the injection webhook works
};
Result<InstanceManifest> instance_manifest(const ManifestContext& context, const run::TopologyInstance& instance,
                                           const std::string& topology_yaml);
// Host header under which the gateway knows an instance: the topology's, else "<namespace>.hopcheck.test". Must be
// unique.
std::string gateway_host(const Topology& topology);
// Role looked up for a workload: "<role>-<version>" when several workloads stand behind the service, else "<role>".
std::string role_of(const Service& service, const Workload& workload);
// Identity of an instance: equal text means the same manifests (images and the load agent apart, which can be added).
std::string instance_key(const run::TopologyInstance& instance, const std::string& topology_yaml);

}  // namespace hopcheck::mesh
