// What the sidecars themselves say: whether they trace, to which cluster, and whether they know that cluster.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "doctor/probes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

struct Wanted {
  std::string cluster;  // outbound|PORT||HOST
  std::string host, host_ns;
};

// Of the providers in use those whose address is right: probe_address tells of the others.
std::vector<Wanted> wanted_clusters(const ClusterEvidence& evidence) {
  std::vector<Wanted> out;
  for (const UsedProvider& used : used_providers(evidence)) {
    const ServiceFact* service = service_of(evidence, used.provider->service);
    if (service == nullptr || port_of(*service, used.provider->port) == nullptr) continue;
    out.push_back({outbound_cluster(used.provider->service, used.provider->port), used.provider->service, service->ns});
  }
  return out;
}

const ProxyFact::Cluster* cluster_of(const ProxyFact& proxy, const std::string& name) {
  for (const ProxyFact::Cluster& cluster : proxy.clusters) {
    if (cluster.name == name) return &cluster;
  }
  return nullptr;
}

// https://istio.io/latest/docs/reference/config/networking/sidecar/: one that selects the pod, else that of its
// namespace, else that of the root namespace.
const SidecarFact* sidecar_for(const ClusterEvidence& evidence, const PodFact& pod) {
  const SidecarFact *of_namespace = nullptr, *of_mesh = nullptr;
  for (const SidecarFact& sidecar : evidence.sidecar_objects.value) {
    if (sidecar.ns == pod.ns && !sidecar.selector.empty()) {
      if (selects({sidecar.selector, {}}, pod.labels)) return &sidecar;
    } else if (sidecar.ns == pod.ns && of_namespace == nullptr) {
      of_namespace = &sidecar;
    } else if (sidecar.ns == root_namespace(evidence) && sidecar.selector.empty() && of_mesh == nullptr) {
      of_mesh = &sidecar;
    }
  }
  return of_namespace != nullptr ? of_namespace : of_mesh;
}

// A host of egress is "namespace/dns name"; the namespace may be *, . (its own) or ~ (none), the name may begin with *.
bool shows(const SidecarFact& sidecar, const Wanted& wanted) {
  if (sidecar.hosts.empty()) return true;  // it says nothing of egress: all
  return std::any_of(sidecar.hosts.begin(), sidecar.hosts.end(), [&](const std::string& entry) {
    const size_t slash = entry.find('/');
    if (slash == std::string::npos) return false;
    const std::string ns = entry.substr(0, slash), dns = entry.substr(slash + 1);
    if (ns != "*" && ns != wanted.host_ns && !(ns == "." && sidecar.ns == wanted.host_ns)) return false;
    if (dns == "*" || dns == wanted.host) return true;
    const std::string suffix = dns.rfind("*.", 0) == 0 ? dns.substr(1) : "";
    return !suffix.empty() && wanted.host.size() > suffix.size() &&
           wanted.host.compare(wanted.host.size() - suffix.size(), std::string::npos, suffix) == 0;
  });
}

void blame_sidecar(const SidecarFact& sidecar, const Wanted& wanted, const std::vector<std::string>& pods,
                   ProbeResult& result) {
  const nlohmann::json patch = {{{"op", "add"},
                                 {"path", fmt::format("/spec/egress/{}/hosts/-", sidecar.open_part)},
                                 {"value", wanted.host_ns + "/" + wanted.host}}};
  blame(result, {"sidecar-hides-collector", sidecar.ns + "/" + sidecar.name,
                 fmt::format("Sidecar {}/{} hides the Collector from proxies: they trace, and their spans go nowhere",
                             sidecar.ns, sidecar.name),
                 {fmt::format("its egress hosts: {}", joined(sidecar.hosts)),
                  fmt::format("Envoy has no cluster {} in {}", wanted.cluster, joined(pods))},
                 {fmt::format("kubectl -n {} patch sidecars.networking.istio.io {} --type json -p {}", sidecar.ns,
                              sidecar.name, shell_word(patch.dump()))},
                 {}});
}

// Blames the Sidecar objects that keep a wanted cluster from proxies; these proxies are returned.
std::set<const ProxyFact*> judge_hidden(const ClusterEvidence& evidence, const std::vector<Wanted>& wanted,
                                        ProbeResult& result) {
  struct Hidden {
    const Wanted* wanted = nullptr;
    std::vector<std::string> pods;
  };
  std::map<const SidecarFact*, Hidden> by_sidecar;
  std::set<const ProxyFact*> hidden;
  for (const ProxyFact& proxy : evidence.proxy_views.value) {
    const PodFact* pod = pod_named(evidence, proxy.ns, proxy.pod);
    const SidecarFact* sidecar = pod == nullptr ? nullptr : sidecar_for(evidence, *pod);
    if (sidecar == nullptr) continue;
    for (const Wanted& one : wanted) {
      if (cluster_of(proxy, one.cluster) != nullptr || shows(*sidecar, one)) continue;
      hidden.insert(&proxy);
      Hidden& entry = by_sidecar[sidecar];
      if (entry.wanted == nullptr) entry.wanted = &one;
      if (entry.wanted == &one) entry.pods.push_back(proxy.ns + "/" + proxy.pod);
    }
  }
  for (const SidecarFact& sidecar : evidence.sidecar_objects.value) {  // in the order of names
    const auto found = by_sidecar.find(&sidecar);
    if (found != by_sidecar.end()) blame_sidecar(sidecar, *found->second.wanted, found->second.pods, result);
  }
  return hidden;
}

// Proxies have what the mesh is told: while that is wrong, or a control plane cannot pass it on, they are not to blame.
bool told_right(const ClusterEvidence& evidence) {
  const auto probes = {probe_kubernetes,   probe_istiod,    probe_istio_version,
                       probe_registration, probe_telemetry, probe_address};
  return std::all_of(probes.begin(), probes.end(), [&](ProbeFunction ask) {
    ProbeResult result;
    ask(evidence, result);
    return result.state == ProbeState::kPass;
  });
}

// A namespace or workload with tracing rules of its own may well be told something else than the mesh.
bool has_own_telemetry(const ClusterEvidence& evidence, const PodFact& pod) {
  return pod.ns != root_namespace(evidence) &&
         std::any_of(evidence.telemetries.value.begin(), evidence.telemetries.value.end(),
                     [&](const TelemetryFact& one) { return one.ns == pod.ns && !one.tracing.empty(); });
}

// What this proxy lacks of what the mesh is told; "" = nothing.
std::string behind_by(const ProxyFact& proxy, const std::vector<Wanted>& wanted) {
  if (proxy.tracer_clusters.empty()) return "its listeners have no tracer";
  for (const std::string& cluster : proxy.tracer_clusters) {
    const bool known = std::any_of(wanted.begin(), wanted.end(), [&](const Wanted& w) { return w.cluster == cluster; });
    if (!known) return "its tracer sends to " + cluster;
    if (cluster_of(proxy, cluster) == nullptr) return "it has no cluster " + cluster;
  }
  return "";
}

void judge_stale(const ClusterEvidence& evidence, const std::vector<Wanted>& wanted,
                 const std::set<const ProxyFact*>& hidden, ProbeResult& result) {
  for (const ProxyFact& proxy : evidence.proxy_views.value) {
    const PodFact* pod = pod_named(evidence, proxy.ns, proxy.pod);
    if (pod == nullptr || hidden.count(&proxy) > 0 || has_own_telemetry(evidence, *pod)) continue;
    const std::string lack = behind_by(proxy, wanted);
    if (lack.empty()) continue;
    blame(result, {"proxy-config-stale", proxy.ns + "/" + proxy.pod,
                   "the sidecar has not got the configuration that the mesh has now",
                   {fmt::format("{}/{}: {}", proxy.ns, proxy.pod, lack),
                    fmt::format("the mesh is told to send to {}", wanted.front().cluster)},
                   {"ask again: a change takes a few seconds to reach all proxies; then see what istiod sent it: "
                    "istioctl proxy-status",
                    fmt::format("kubectl -n {} delete pod {}", proxy.ns, proxy.pod)},
                   {}});
  }
}

}  // namespace

void probe_proxies(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.mesh_configs, result) || skip_unless(evidence.services, result) ||
      skip_unless(evidence.sidecar_objects, result) || skip_unless(evidence.proxy_views, result))
    return;
  const std::vector<Wanted> wanted = wanted_clusters(evidence);
  if (wanted.empty()) return skip(result, "no provider has an address that could be looked for");
  if (evidence.proxy_views.value.empty()) return skip(result, "no pod with a sidecar is ready");

  const std::set<const ProxyFact*> hidden = judge_hidden(evidence, wanted, result);
  const bool all_told = told_right(evidence);
  if (all_told) judge_stale(evidence, wanted, hidden, result);
  if (result.state == ProbeState::kFail) return;
  result.evidence.push_back("asked " + counted(evidence.proxy_views.value.size(), "sidecar") +
                            (all_told ? ": Envoy traces and knows " + wanted.front().cluster : ""));
}

}  // namespace hopcheck::doctor
