#include "mesh/doctor_evidence.h"

#include <algorithm>
#include <functional>
#include <set>

#include "base/text.h"
#include "doctor/view.h"
#include "mesh/doctor_config.h"
#include "mesh/doctor_fetch.h"
#include "mesh/doctor_objects.h"
#include "mesh/doctor_proxies.h"
#include "mesh/kube_exec.h"
#include "mesh/prometheus.h"

namespace hopcheck::mesh {
namespace {

constexpr uint16_t kCollectorMetricsPort = 8888;
constexpr uint16_t kIstiodMetricsPort = 15014;
constexpr uint16_t kEnvoyMetricsPort = 15090;
constexpr size_t kMaxProxies = 40, kMaxProxyViews = 20, kMaxCollectorPods = 8, kMaxIstiods = 4;
constexpr size_t kListLimit = 5'000;
constexpr int kLogSeconds = 180, kLogLines = 400;

using doctor::ClusterEvidence;
using doctor::Seen;

std::string list_path(const std::string& path) { return path + "?limit=" + std::to_string(kListLimit); }

template <class T>
Seen<T> read(const Fetched& fetched, const std::function<T(const std::string&)>& parse) {
  return fetched.why.empty() ? Seen<T>::of(parse(fetched.body)) : Seen<T>::none(fetched.why);
}

// First what needs no knowledge of the cluster.
struct Lists {
  Fetched version, namespaces, pods, services, deployments, replica_sets, webhooks, telemetry_group, service_entries,
      sidecars;
};

Lists fetch_lists(KubeClient& client, int64_t timeout_ms) {
  Lists out;
  fetch_all(client, timeout_ms,
            {{"/version", &out.version},
             {list_path("/api/v1/pods"), &out.pods},
             {list_path("/apis/apps/v1/replicasets"), &out.replica_sets},
             {list_path("/apis/apps/v1/deployments"), &out.deployments},
             {list_path("/api/v1/services"), &out.services},
             {list_path("/api/v1/namespaces"), &out.namespaces},
             {"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", &out.webhooks},
             {"/apis/telemetry.istio.io", &out.telemetry_group},
             {list_path("/apis/networking.istio.io/v1/serviceentries"), &out.service_entries},
             {list_path("/apis/networking.istio.io/v1/sidecars"), &out.sidecars}});
  return out;
}

void read_lists(const Lists& lists, ClusterEvidence& out) {
  out.kubernetes = read<std::string>(lists.version, git_version_of);
  out.namespaces = read<std::vector<doctor::NamespaceFact>>(lists.namespaces, namespaces_from_json);
  out.pods = read<std::vector<doctor::PodFact>>(lists.pods, pods_from_json);
  out.services = read<std::vector<doctor::ServiceFact>>(lists.services, services_from_json);
  out.deployments = read<std::vector<doctor::DeploymentFact>>(lists.deployments, deployments_from_json);
  out.webhooks = read<std::vector<doctor::WebhookFact>>(lists.webhooks, webhooks_from_json);
  out.service_entries = read<std::vector<std::string>>(lists.service_entries, service_entry_hosts);
  out.sidecar_objects = read<std::vector<doctor::SidecarFact>>(lists.sidecars, sidecars_from_json);
  const ReplicaSets sets = lists.replica_sets.why.empty() ? replica_sets_from_json(lists.replica_sets.body)
                                                          : ReplicaSets{};
  out.refused_pods = lists.replica_sets.why.empty()
                         ? Seen<std::vector<doctor::RefusedPods>>::of(sets.refused)
                         : Seen<std::vector<doctor::RefusedPods>>::none(lists.replica_sets.why);
  set_owners(out.pods.value, sets);
  // No such group: Istio's custom resources are not installed.
  out.telemetry_api = lists.telemetry_group.status == 404
                          ? Seen<doctor::TelemetryApi>::of({})
                          : read<doctor::TelemetryApi>(lists.telemetry_group, telemetry_api_from_json);
}

const doctor::DeploymentFact* istiod_of(const ClusterEvidence& evidence) {
  for (const doctor::DeploymentFact& deployment : evidence.deployments.value) {
    const auto app = deployment.pod_labels.find("app");
    if (app != deployment.pod_labels.end() && app->second == "istiod") return &deployment;
  }
  return nullptr;
}

std::string version_of_istiod(const doctor::DeploymentFact& istiod) {
  for (const char* label : {"operator.istio.io/version", "app.kubernetes.io/version"}) {
    const auto found = istiod.labels.find(label);
    if (found != istiod.labels.end() && doctor::version_in(found->second)) return found->second;
  }
  const size_t colon = istiod.image.rfind(':');
  return colon == std::string::npos ? "" : istiod.image.substr(colon + 1);
}

std::vector<const doctor::PodFact*> ready_pods(const ClusterEvidence& evidence, const std::string& app, size_t most) {
  std::vector<const doctor::PodFact*> out;
  for (const doctor::PodFact& pod : evidence.pods.value) {
    const auto label = pod.labels.find("app");
    if (label != pod.labels.end() && label->second == app && pod.ready && !pod.deleting && out.size() < most)
      out.push_back(&pod);
  }
  return out;
}

// Then the control plane: Telemetry objects in the version that is served, MeshConfigs, istiod's metrics.
void fetch_control_plane(KubeClient& client, int64_t timeout_ms, const Lists& lists, ClusterEvidence& out) {
  if (const doctor::DeploymentFact* istiod = istiod_of(out); istiod != nullptr) {
    out.control_namespace = istiod->ns;
    const std::string version = version_of_istiod(*istiod);
    out.istio = version.empty() ? Seen<std::string>::none("istiod's image has no tag") : Seen<std::string>::of(version);
  } else {
    out.istio = Seen<std::string>::none(out.deployments.seen() ? "there is no istiod" : out.deployments.missing);
  }
  Fetched telemetries, config_maps;
  const std::vector<const doctor::PodFact*> istiods = ready_pods(out, "istiod", kMaxIstiods);
  std::vector<Fetched> metrics(istiods.size());
  std::vector<Fetch> all = {{list_path("/api/v1/namespaces/" + out.control_namespace + "/configmaps"), &config_maps}};
  const std::string served = preferred_version(lists.telemetry_group.body);
  if (!served.empty()) all.push_back({list_path("/apis/telemetry.istio.io/" + served + "/telemetries"), &telemetries});
  for (size_t i = 0; i < istiods.size(); ++i)
    all.push_back({pod_proxy_path(istiods[i]->ns, istiods[i]->name, kIstiodMetricsPort, "/metrics"), &metrics[i]});
  fetch_all(client, timeout_ms, all);

  if (served.empty()) {
    out.telemetries = out.telemetry_api.seen()
                          ? Seen<std::vector<doctor::TelemetryFact>>::of({})
                          : Seen<std::vector<doctor::TelemetryFact>>::none(out.telemetry_api.missing);
  } else {
    out.telemetries = read<std::vector<doctor::TelemetryFact>>(telemetries, telemetries_from_json);
  }
  out.mesh_configs = read<std::vector<doctor::MeshConfigFact>>(config_maps, mesh_configs_from_json);
  for (const Fetched& one : metrics) {
    if (!one.why.empty()) {
      if (!out.lookup_failures.seen()) out.lookup_failures.missing = one.why;
      continue;
    }
    const Metrics read_metrics(one.body, {"provider_lookup_cluster_failures"});
    out.lookup_failures = Seen<uint64_t>::of(out.lookup_failures.value +
                                             read_metrics.sum("provider_lookup_cluster_failures").value_or(0));
  }
}

// Last what stands behind the providers in use, and the proxies.
struct CollectorFetch {
  const doctor::ServiceFact* service = nullptr;
  std::vector<const doctor::PodFact*> pods;
  std::vector<Fetched> metrics, logs;
  std::vector<Fetched> config_maps;
  std::string image;
};

void read_collector(const CollectorFetch& fetch, ClusterEvidence& out) {
  doctor::CollectorEvidence collector;
  collector.ns = fetch.service->ns;
  collector.service = fetch.service->name;
  collector.counters.missing = collector.log.missing = "no pod of it is ready";
  collector.config.missing = "its pods mount no ConfigMap";
  for (size_t i = 0; i < fetch.pods.size(); ++i) {
    const Fetched& metrics = fetch.metrics[i];
    if (metrics.why.empty()) {
      collector.counters.missing.clear();
      add_collector_counters(metrics.body, collector.counters.value);
      if (collector.version.empty()) collector.version = collector_version_of(metrics.body);
    } else if (!collector.counters.seen() && fetch.pods[i]->ready) {
      collector.counters.missing = metrics.why;
    }
    if (fetch.logs[i].why.empty()) {
      collector.log.missing.clear();
      add_collector_log(fetch.logs[i].body, collector.log.value);
    } else if (!collector.log.seen()) {
      collector.log.missing = fetch.logs[i].why;
    }
  }
  for (const Fetched& map : fetch.config_maps) {
    if (!map.why.empty()) {
      collector.config.missing = map.why;
      continue;
    }
    collector.config = collector_config_from_json(map.body);
    if (collector.config.seen()) break;
  }
  const size_t colon = fetch.image.rfind(':');
  if (collector.version.empty() && colon != std::string::npos && doctor::version_in(fetch.image.substr(colon + 1)))
    collector.version = fetch.image.substr(colon + 1);
  out.collectors.push_back(std::move(collector));
}

void fetch_data_plane(KubeClient& client, const EvidenceRequest& request, const Lists& lists, ClusterEvidence& out) {
  const bool all_of_it = request.depth == EvidenceRequest::Depth::kAll;
  std::vector<CollectorFetch> collectors;
  std::vector<Fetch> all;
  for (const doctor::ServiceFact* service : doctor::collector_services(out)) {
    CollectorFetch fetch;
    fetch.service = service;
    fetch.pods = doctor::pods_behind(out, *service);
    if (fetch.pods.size() > kMaxCollectorPods) fetch.pods.resize(kMaxCollectorPods);
    if (!fetch.pods.empty()) collectors.push_back(std::move(fetch));
  }
  for (CollectorFetch& fetch : collectors) {
    const std::string ns = "/api/v1/namespaces/" + fetch.service->ns;
    fetch.metrics.resize(fetch.pods.size());
    fetch.logs.resize(fetch.pods.size());
    for (size_t i = 0; i < fetch.pods.size() && all_of_it; ++i) {
      const std::string& pod = fetch.pods[i]->name;
      all.push_back({pod_proxy_path(fetch.service->ns, pod, kCollectorMetricsPort, "/metrics"), &fetch.metrics[i]});
      all.push_back({ns + "/pods/" + pod + "/log?sinceSeconds=" + std::to_string(kLogSeconds) +
                         "&tailLines=" + std::to_string(kLogLines),
                     &fetch.logs[i]});
    }
    const PodParts parts = parts_of_pod(lists.pods.body, fetch.service->ns, fetch.pods.front()->name);
    fetch.image = fetch.pods.front()->image;
    fetch.config_maps.resize(parts.config_maps.size());
    for (size_t i = 0; i < parts.config_maps.size(); ++i)
      all.push_back({ns + "/configmaps/" + parts.config_maps[i], &fetch.config_maps[i]});
  }
  std::vector<const doctor::PodFact*> proxies;
  for (const doctor::PodFact& pod : out.pods.value) {
    if (all_of_it && pod.has_proxy && pod.ready && !pod.deleting && proxies.size() < kMaxProxies)
      proxies.push_back(&pod);
  }
  std::vector<Fetched> stats(proxies.size());
  for (size_t i = 0; i < proxies.size(); ++i)
    all.push_back(
        {pod_proxy_path(proxies[i]->ns, proxies[i]->name, kEnvoyMetricsPort, "/stats/prometheus"), &stats[i]});
  fetch_all(client, request.timeout_ms, all);

  for (const CollectorFetch& fetch : collectors) read_collector(fetch, out);
  out.proxies = Seen<std::vector<doctor::ProxyCounter>>::none("no pod with a proxy is ready");
  for (size_t i = 0; i < proxies.size(); ++i) {
    if (!stats[i].why.empty()) {
      if (!out.proxies.seen()) out.proxies.missing = stats[i].why;
      continue;
    }
    const Metrics metrics(stats[i].body, {"envoy_tracing_opentelemetry_"});
    out.proxies.missing.clear();
    out.proxies.value.push_back({proxies[i]->ns, proxies[i]->name,
                                 metrics.sum("envoy_tracing_opentelemetry_spans_sent").value_or(0)});
  }
}

// One ready pod of each workload with a sidecar: its replicas have the same configuration.
std::vector<const doctor::PodFact*> pods_to_view(const ClusterEvidence& evidence) {
  std::vector<const doctor::PodFact*> out;
  std::set<std::pair<std::string, doctor::OwnerFact>> seen;
  for (const doctor::PodFact& pod : evidence.pods.value) {
    const auto& asked = evidence.namespaces_asked;
    if (!asked.empty() && std::find(asked.begin(), asked.end(), pod.ns) == asked.end()) continue;
    const bool sidecar = pod.has_proxy && !pod.image.empty();  // a gateway has no other container
    if (!sidecar || !pod.ready || pod.deleting || out.size() >= kMaxProxyViews) continue;
    if (pod.owner.name.empty() || seen.insert({pod.ns, pod.owner}).second) out.push_back(&pod);
  }
  return out;
}

void fetch_proxy_views(KubeClient& client, const EvidenceRequest& request, ClusterEvidence& out) {
  std::vector<std::string> names;
  for (const doctor::UsedProvider& used : doctor::used_providers(out))
    names.push_back(doctor::outbound_cluster(used.provider->service, used.provider->port));
  const std::vector<const doctor::PodFact*> pods = pods_to_view(out);
  if (names.empty() || pods.empty()) {
    out.proxy_views = Seen<std::vector<doctor::ProxyFact>>::of({});
    return;
  }
  std::vector<Fetched> listeners(pods.size()), clusters(pods.size());
  std::vector<Fetch> all;
  for (size_t i = 0; i < pods.size(); ++i) {
    const PodCommand listener = listener_command(*pods[i]), known = clusters_command(*pods[i], names);
    all.push_back({exec_path(listener), &listeners[i], listener});
    all.push_back({exec_path(known), &clusters[i], known});
  }
  fetch_all(client, request.timeout_ms, all);
  out.proxy_views.missing = "no sidecar has an HTTP listener";
  for (size_t i = 0; i < pods.size(); ++i) {
    if (!listeners[i].why.empty() || !clusters[i].why.empty()) {
      out.proxy_views.missing = listeners[i].why.empty() ? clusters[i].why : listeners[i].why;
      continue;
    }
    std::optional<std::vector<std::string>> tracers = tracer_clusters_of(listeners[i].body);
    if (!tracers) continue;
    out.proxy_views.value.push_back(
        {pods[i]->ns, pods[i]->name, std::move(*tracers), clusters_of(clusters[i].body)});
  }
  if (!out.proxy_views.value.empty()) out.proxy_views.missing.clear();
}

}  // namespace

ClusterEvidence gather_evidence(KubeClient& client, const EvidenceRequest& request) {
  ClusterEvidence out;
  out.namespaces_asked = request.namespaces;
  const Lists lists = fetch_lists(client, request.timeout_ms);
  read_lists(lists, out);
  fetch_control_plane(client, request.timeout_ms, lists, out);
  fetch_data_plane(client, request, lists, out);
  if (request.depth == EvidenceRequest::Depth::kAll) fetch_proxy_views(client, request, out);
  return out;
}

}  // namespace hopcheck::mesh
