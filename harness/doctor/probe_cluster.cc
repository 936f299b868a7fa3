// Versions and the control plane.
#include <algorithm>

#include "doctor/probes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

constexpr Version kLocalPolicyGa = {1, 26};   // internalTrafficPolicy, Kubernetes
constexpr Version kTelemetryV1 = {1, 22};     // telemetry.istio.io/v1, the http exporter, resource_detectors
constexpr Version kOldestIstio = {1, 19};     // the oldest the walkthrough allows
constexpr const char* kOdigosLocal = "odigos-data-collection-local-traffic.";

bool is_istiod(const DeploymentFact& deployment) {
  const auto app = deployment.pod_labels.find("app");
  return app != deployment.pod_labels.end() && app->second == "istiod";
}

}  // namespace

// O-01, O-02: below 1.26 the Service that Odigos makes for its node-local Collector does not exist.
void probe_kubernetes(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.kubernetes, result)) return;
  const std::optional<Version> version = version_in(evidence.kubernetes.value);
  if (!version) return skip(result, "the version is not readable: " + evidence.kubernetes.value);
  result.evidence.push_back("Kubernetes " + evidence.kubernetes.value);
  if (*version >= kLocalPolicyGa) return;
  for (const UsedProvider& used : used_providers(evidence)) {
    const std::string& host = used.provider->service;
    const ServiceFact* service = service_of(evidence, host);
    if (host.rfind(kOdigosLocal, 0) != 0 && (service == nullptr || !service->local_policy)) continue;
    Cause cause{"kubernetes-too-old", host, "", {}, {}, {}};
    cause.what =
        "Kubernetes " + to_string(*version) +
        " is older than 1.26, where internalTrafficPolicy: Local became stable: Istio has no endpoint to reach";
    cause.evidence.push_back("provider " + used.provider->name + " sends to " + host);
    cause.evidence.push_back(service == nullptr ? "there is no such Service"
                                                : "that Service wants internalTrafficPolicy: Local");
    cause.fix.push_back("upgrade the cluster to Kubernetes 1.26 or later, or send to a Collector behind an ordinary "
                        "Service");
    blame(result, std::move(cause));
  }
}

void probe_istiod(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.deployments, result)) return;
  bool any = false;
  for (const DeploymentFact& deployment : evidence.deployments.value) {
    if (!is_istiod(deployment)) continue;
    any = true;
    const std::string name = deployment.ns + "/" + deployment.name;
    result.evidence.push_back(name + ": " + std::to_string(deployment.ready) + " of " +
                              std::to_string(deployment.wanted) + " ready");
    if (deployment.ready > 0) continue;
    const std::string ns = " -n " + deployment.ns;
    Cause cause{"istiod-not-ready", name, "istiod is there and no replica of it is ready", {result.evidence.back()},
                {}, {}};
    if (deployment.wanted == 0) {
      cause.fix.push_back("kubectl" + ns + " scale deployment/" + deployment.name + " --replicas=1");
    } else {
      cause.fix.push_back("see why: kubectl" + ns + " describe pods -l app=istiod");
    }
    blame(result, std::move(cause));
  }
  if (any) return;
  blame(result, {"istiod-missing", evidence.control_namespace,
                 "Istio's control plane is not installed: no Deployment has pods labelled app=istiod",
                 {counted(evidence.deployments.value.size(), "Deployment") + " looked at"},
                 {"istioctl install"},
                 {}});
}

// M-01 and D-01: what Istio is too old for is said in its own words, never as "no traces".
void probe_istio_version(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.istio, result)) return;
  const std::optional<Version> version = version_in(evidence.istio.value);
  if (!version) return skip(result, "the version of istiod is not readable: " + evidence.istio.value);
  result.evidence.push_back("Istio " + evidence.istio.value);
  const std::string now = "Istio " + to_string(*version);
  const std::string upgrade = "upgrade Istio to 1.22 or later";
  if (*version < kOldestIstio) {
    blame(result, {"istio-too-old",
                   evidence.control_namespace,
                   now + " is refused: 1.19 is the oldest that is supported",
                   {"istiod says " + evidence.istio.value},
                   {upgrade},
                   {}});
  }
  if (*version >= kTelemetryV1) return;
  const auto& served = evidence.telemetry_api.value.served;
  const bool no_v1 = std::find(served.begin(), served.end(), "v1") == served.end();
  if (evidence.telemetry_api.seen() && evidence.telemetries.seen() && no_v1 && evidence.telemetries.value.empty()) {
    blame(result, {"istio-lacks-telemetry-v1", "telemetry.istio.io/v1",
                   now + " does not serve telemetry.istio.io/v1, which came with 1.22: such a manifest is not accepted",
                   {"versions served: " + (served.empty() ? std::string("none") : joined(served))},
                   {upgrade + ", or write apiVersion: telemetry.istio.io/v1alpha1 in the Telemetry manifest"},
                   {}});
  }
  for (const UsedProvider& used : used_providers(evidence)) {
    const ProviderFact& provider = *used.provider;
    if (!provider.http) continue;
    blame(result, {"istio-lacks-http-exporter", provider.name,
                   now + " has no OTLP/HTTP exporter, which came with 1.22: provider " + provider.name +
                       " cannot deliver",
                   {"provider " + provider.name + " of ConfigMap " + used.mesh_config->config_map + " has http:"},
                   {upgrade + ", or leave http: out and send OTLP/gRPC to port 4317"},
                   {}});
  }
}

}  // namespace hopcheck::doctor
