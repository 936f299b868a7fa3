#include "doctor/cluster_test.h"

namespace hopcheck::doctor {
namespace {

constexpr int64_t kLabelled = 1'000'000, kDeployed = 1'000'100;

PodFact pod(const std::string& ns, const std::string& app, const std::string& node) {
  PodFact out;
  out.ns = ns;
  out.name = app + "-5f7c9-x2v4k";
  out.node = node;
  out.phase = "Running";
  out.labels = {{"app", app}};
  out.owner = {"Deployment", app};
  out.created = kDeployed;
  out.ready = true;
  out.image = "example.org/" + app + ":1.0";
  return out;
}

PodFact meshed(const std::string& ns, const std::string& app, const std::string& node) {
  PodFact out = pod(ns, app, node);
  out.has_proxy = true;
  return out;
}

DeploymentFact deployment(const std::string& ns, const std::string& app) {
  return {ns, app, {{"app", app}}, {{"app", app}}, 1, 1, "example.org/" + app + ":1.0"};
}

ProviderFact& provider(ClusterEvidence& e) { return e.mesh_configs.value.front().providers.front(); }
TelemetryFact& telemetry(ClusterEvidence& e) { return e.telemetries.value.front(); }
CollectorEvidence& collector(ClusterEvidence& e) { return e.collectors.front(); }
PodFact& collector_pod(ClusterEvidence& e) {
  for (PodFact& pod : e.pods.value) {
    if (pod.ns == "observability") return pod;
  }
  return e.pods.value.front();
}
void use_http(ClusterEvidence& e) {
  provider(e).port = 4318;
  provider(e).http = true;
  provider(e).path = "/v1/traces";
}
void crash(ClusterEvidence& e) {
  collector_pod(e).ready = false;
  collector_pod(e).waiting = "CrashLoopBackOff";
}
void fail_exports(ClusterEvidence& e) {
  collector(e).counters.value.failed = 40;
  collector(e).counters.value.sent = 60;
}
// A namespace of its own, so that two troubles do not meet in one.
PodFact& bare_pod(ClusterEvidence& e, const std::string& ns) {
  e.namespaces.value.push_back({ns, {{"istio-injection", "enabled"}}, kLabelled});
  e.pods.value.push_back(pod(ns, "cart", "n1"));
  return e.pods.value.back();
}
void add_finding(ClusterEvidence& e, RunFact fact) { e.run = std::vector<RunFact>{std::move(fact)}; }

std::vector<Injection> of_cluster_and_mesh() {
  return {
      {"kubernetes-too-old",
       [](ClusterEvidence& e) {
         e.kubernetes.value = "v1.25.16";
         provider(e).service = "odigos-data-collection-local-traffic.odigos-system.svc.cluster.local";
       },
       {"host", "transport"}, {"provider"}},
      {"istio-too-old", [](ClusterEvidence& e) { e.istio.value = "1.18.7"; }, {"istio"}, {}},
      {"istio-lacks-telemetry-v1",
       [](ClusterEvidence& e) {
         e.istio.value = "1.20.3";
         e.telemetry_api.value.served = {"v1alpha1"};
         e.telemetries.value.clear();
       },
       {"istio", "telemetry"}, {}},
      {"istio-lacks-http-exporter",
       [](ClusterEvidence& e) {
         e.istio.value = "1.21.0";
         use_http(e);
       },
       {"istio", "transport", "grpc-port"}, {"provider"}},
      {"istiod-missing", [](ClusterEvidence& e) { e.deployments.value.erase(e.deployments.value.begin()); },
       {"istiod"}, {}},
      {"istiod-not-ready", [](ClusterEvidence& e) { e.deployments.value.front().ready = 0; }, {"istiod"}, {}},
      {"provider-missing",
       [](ClusterEvidence& e) {
         e.mesh_configs.value.front().providers = {{"zipkin-here", "zipkin", "zipkin.shop", 9411, false, "", false}};
       },
       {"provider", "name"}, {}},
      {"telemetry-provider-unknown",
       [](ClusterEvidence& e) { telemetry(e).tracing.front().providers = {"otel-tracin"}; }, {"telemetry", "name"}, {}},
      {"telemetry-missing", [](ClusterEvidence& e) { e.telemetries.value.clear(); }, {"telemetry"}, {}},
      {"telemetry-outside-root", [](ClusterEvidence& e) { telemetry(e).ns = "shop"; }, {"telemetry"}, {}},
      {"telemetry-disabled", [](ClusterEvidence& e) { telemetry(e).tracing.front().disabled = true; }, {"telemetry"},
       {}},
      {"telemetry-zero-percent", [](ClusterEvidence& e) { telemetry(e).tracing.front().percentage = 0; },
       {"telemetry"}, {}},
      {"telemetry-default-percent", [](ClusterEvidence& e) { telemetry(e).tracing.front().percentage.reset(); },
       {"telemetry"}, {}},
      {"provider-service-unknown",
       [](ClusterEvidence& e) { provider(e).service = "opentelemetry-colector.observability.svc.cluster.local"; },
       {"host"}, {"provider"}},
      {"registry-only",
       [](ClusterEvidence& e) {
         provider(e).service = "otlp.vendor.example";
         e.mesh_configs.value.front().registry_only = true;
       },
       {"host", "transport"}, {"provider"}},
      {"provider-port-unknown", [](ClusterEvidence& e) { provider(e).port = 14317; }, {"transport"},
       {"provider"}},
      {"provider-transport", [](ClusterEvidence& e) { provider(e).port = 4318; }, {"transport"},
       {"provider"}},
      {"provider-path-wrong",
       [](ClusterEvidence& e) {
         use_http(e);
         provider(e).path = "/api/traces";
       },
       {"transport", "grpc-port"}, {"provider", "istio"}},
      {"provider-port-not-http2",
       [](ClusterEvidence& e) { e.services.value.front().ports.front() = {"otlp", "", 4317}; }, {"grpc-port"},
       {}},
  };
}

std::vector<Injection> of_collector() {
  const std::set<std::string> needs = {"collector"};
  return {
      {"collector-missing",
       [](ClusterEvidence& e) {
         e.pods.value.erase(e.pods.value.begin() + (&collector_pod(e) - e.pods.value.data()));
         e.deployments.value.back().wanted = e.deployments.value.back().ready = 0;
         e.collectors.clear();
       },
       {"collector"}, {}},
      {"collector-exporter-removed",
       [](ClusterEvidence& e) {
         collector(e).config.value.logging_exporter = true;
         crash(e);
       },
       {"exporters"}, needs},
      {"collector-health-check-port",
       [](ClusterEvidence& e) {
         collector(e).config.value.health_check_port = true;
         crash(e);
       },
       {"health"}, needs},
      {"collector-endpoint-missing",
       [](ClusterEvidence& e) {
         collector(e).config.value.without_endpoint = "otlp";
         crash(e);
       },
       {"endpoint"}, needs},
      {"collector-secret-missing",
       [](ClusterEvidence& e) {
         crash(e);
         collector_pod(e).waiting = "CreateContainerConfigError";
         collector_pod(e).missing = "secret \"backend-token\" not found";
       },
       {"secret"}, needs},
      {"collector-not-ready", [](ClusterEvidence& e) { crash(e); }, {"ready"}, needs},
      {"collector-localhost-bind",
       [](ClusterEvidence& e) { collector(e).config.value.grpc = collector(e).config.value.http = ""; },
       {"bind"}, needs},
      {"collector-node-local", [](ClusterEvidence& e) { e.services.value.front().local_policy = true; }, {"nodes"},
       {"collector", "ready", "exporters", "health"}},
      {"collector-receives-nothing",
       [](ClusterEvidence& e) {
         collector(e).counters.value = {};
         e.proxy_views.value.front().clusters.front().connect_failures = 12;
       },
       {"traffic"}, needs},
      {"export-auth",
       [](ClusterEvidence& e) {
         fail_exports(e);
         collector(e).log.value.auth = 3;
       },
       {"traffic"}, needs},
      {"export-tls",
       [](ClusterEvidence& e) {
         fail_exports(e);
         collector(e).log.value.tls = 3;
       },
       {"traffic"}, needs},
      {"export-address",
       [](ClusterEvidence& e) {
         fail_exports(e);
         collector(e).log.value.address = 3;
       },
       {"traffic"}, needs},
      {"export-failing",
       [](ClusterEvidence& e) {
         fail_exports(e);
         collector(e).log.value.other = 3;
       },
       {"traffic"}, needs},
  };
}

std::vector<Injection> of_workloads_and_runs() {
  return {
      {"sidecar-webhook-missing",
       [](ClusterEvidence& e) {
         bare_pod(e, "hookless");
         e.webhooks.value.clear();
       },
       {"webhook"}, {"asked"}},
      {"sidecar-webhook-failing",
       [](ClusterEvidence& e) {
         bare_pod(e, "failing");
         e.webhooks.value.front().has_ca = false;
       },
       {"webhook"}, {"asked"}},
      {"sidecar-label-late", [](ClusterEvidence& e) { bare_pod(e, "late").created = kLabelled - 60; }, {"late"},
       {"asked", "webhook"}},
      {"sidecar-opted-out", [](ClusterEvidence& e) { bare_pod(e, "out").inject_annotation = "false"; }, {"out"},
       {"asked"}},
      {"sidecar-hides-collector",
       [](ClusterEvidence& e) {
         e.sidecar_objects.value.push_back({"shop", "default", {}, {"./*", "istio-system/*"}, 0});
         for (ProxyFact& proxy : e.proxy_views.value) proxy.clusters.clear();
       },
       {"proxies"}, {"host", "transport", "provider"}},
      {"proxy-config-stale", [](ClusterEvidence& e) { e.proxy_views.value.front().tracer_clusters.clear(); },
       {"proxies"}, {"host", "transport", "grpc-port", "provider", "telemetry", "name", "istiod", "istio"}},
      {"no-workload-enrolled",
       [](ClusterEvidence& e) {
         e.namespaces.value.push_back({"plain", {}, 0});
         e.pods.value.push_back(pod("plain", "cart", "n1"));
         e.namespaces_asked = {"plain"};
       },
       {"asked"}, {}},
      {"run-propagation",
       [](ClusterEvidence& e) {
         add_finding(e, {"HOP0601", "checkout", "traceparent", "traceparent is not forwarded: the trace splits"});
       },
       {"run"}, {}},
      {"run-names",
       [](ClusterEvidence& e) { add_finding(e, {"HOP0401", "checkout", "", "service.name is another"}); }, {"run"}, {}},
      {"run-no-data", [](ClusterEvidence& e) { add_finding(e, {"HOP0102", "", "", "no span at all arrived"}); },
       {"run"}, {}},
      {"run-partial", [](ClusterEvidence& e) { add_finding(e, {"HOP0301", "payments", "", "a mesh span is missing"}); },
       {"run"}, {}},
  };
}

}  // namespace

ClusterEvidence healthy_cluster() {
  ClusterEvidence e;
  const Labels collector_labels = {{"app", "opentelemetry-collector"}};
  e.kubernetes = Seen<std::string>::of("v1.34.4");
  e.istio = Seen<std::string>::of("1.30.4");
  e.namespaces = Seen<std::vector<NamespaceFact>>::of(
      {{"istio-system", {}, 0}, {"observability", {}, 0}, {"shop", {{"istio-injection", "enabled"}}, kLabelled}});
  e.pods = Seen<std::vector<PodFact>>::of(
      {meshed("istio-system", "istio-ingressgateway", "n1"), pod("istio-system", "istiod", "n1"),
       pod("observability", "opentelemetry-collector", "n1"), meshed("shop", "checkout", "n2"),
       meshed("shop", "frontend", "n1")});
  e.pods.value[3].created = e.pods.value[4].created = kDeployed + 60;
  e.services = Seen<std::vector<ServiceFact>>::of(
      {{"observability", "opentelemetry-collector", collector_labels,
        {{"grpc-otlp", "", 4317}, {"http-otlp", "", 4318}}, false},
       {"shop", "checkout", {{"app", "checkout"}}, {{"http", "", 8080}}, false}});
  e.deployments = Seen<std::vector<DeploymentFact>>::of(
      {deployment("istio-system", "istiod"), deployment("shop", "checkout"), deployment("shop", "frontend"),
       deployment("observability", "opentelemetry-collector")});
  e.refused_pods = Seen<std::vector<RefusedPods>>::of({});
  e.webhooks = Seen<std::vector<WebhookFact>>::of(
      {{"istio-sidecar-injector", "namespace.sidecar-injector.istio.io",
        {{}, {{"istio-injection", "In", {"enabled"}}}},
        {{}, {{"sidecar.istio.io/inject", "NotIn", {"false"}}}},
        "istio-system", "istiod", true}});
  e.telemetry_api = Seen<TelemetryApi>::of({{"v1", "v1alpha1"}});
  e.telemetries = Seen<std::vector<TelemetryFact>>::of(
      {{"istio-system", "mesh-default", false, {{{"otel-tracing"}, 100.0, false}}}});
  MeshConfigFact config;
  config.config_map = "istio";
  config.providers = {{"otel-tracing", "opentelemetry", "opentelemetry-collector.observability.svc.cluster.local", 4317,
                       false, "", true}};
  e.mesh_configs = Seen<std::vector<MeshConfigFact>>::of({config});
  e.service_entries = Seen<std::vector<std::string>>::of({});
  e.lookup_failures = Seen<uint64_t>::of(0);
  CollectorEvidence collector;
  collector.ns = "observability";
  collector.service = "opentelemetry-collector";
  collector.version = "0.161.0";
  collector.config =
      Seen<CollectorConfig>::of({"opentelemetry-collector", "0.0.0.0:4317", "0.0.0.0:4318", false, false, ""});
  collector.counters = Seen<CollectorCounters>::of({100, 0, 100, 0, 0});
  collector.log = Seen<CollectorLog>::of({});
  e.collectors = {collector};
  e.proxies = Seen<std::vector<ProxyCounter>>::of(
      {{"shop", "checkout-5f7c9-x2v4k", 50}, {"shop", "frontend-5f7c9-x2v4k", 50}});
  const std::string cluster = "outbound|4317||opentelemetry-collector.observability.svc.cluster.local";
  e.sidecar_objects = Seen<std::vector<SidecarFact>>::of({});
  e.proxy_views = Seen<std::vector<ProxyFact>>::of(
      {{"shop", "checkout-5f7c9-x2v4k", {cluster}, {{cluster, 1, 1, 0}}},
       {"shop", "frontend-5f7c9-x2v4k", {cluster}, {{cluster, 1, 1, 0}}}});
  e.run = std::vector<RunFact>{};
  return e;
}

const std::vector<Injection>& injections() {
  static const std::vector<Injection> kAll = [] {
    std::vector<Injection> all = of_cluster_and_mesh();
    for (const auto& part : {of_collector(), of_workloads_and_runs()}) all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return kAll;
}

}  // namespace hopcheck::doctor
