// The doctor against a fake API server: objects as Kubernetes and Istio write them, one change at a time.
#include "mesh/doctor_evidence.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "doctor/diagnose.h"
#include "mesh/doctor_config.h"
#include "mesh/doctor_objects.h"
#include "mesh/doctor_proxies.h"
#include "mesh/kube_fake.h"
#include "testing/claims.h"

namespace hopcheck::mesh {
namespace {

using Ids = std::vector<std::string>;
using ProxyViews = doctor::Seen<std::vector<doctor::ProxyFact>>;

constexpr const char* kCanary = "canary-7f3a9c";

constexpr const char* kNamespaces = R"({"items":[
  {"metadata":{"name":"istio-system"}},{"metadata":{"name":"observability"}},
  {"metadata":{"name":"shop","labels":{"istio-injection":"enabled"},"managedFields":[
    {"manager":"kubectl-create","time":"2026-11-21T10:00:00Z","fieldsV1":{"f:metadata":{"f:labels":{"f:x":{}}}}},
    {"manager":"kubectl-label","time":"2026-11-21T11:00:00Z",
     "fieldsV1":{"f:metadata":{"f:labels":{"f:istio-injection":{}}}}}]}}]})";

std::string pod(const std::string& ns, const std::string& app, const std::string& created,
                const std::string& containers) {
  return R"({"metadata":{"namespace":")" + ns + R"(","name":")" + app + R"(-abc-x1","creationTimestamp":")" + created +
         R"(","labels":{"app":")" + app + R"(","pod-template-hash":"abc"},"ownerReferences":[{"kind":"ReplicaSet",)" +
         R"("name":")" + app + R"(-abc","controller":true}]},"spec":{"nodeName":"n1","containers":[)" + containers +
         R"(],"volumes":[{"name":"c","configMap":{"name":")" + app +
         R"("}}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})";
}

const std::string kApp = R"({"name":"app","image":"example.org/app:1.0"})";
const std::string kProxy = R"({"name":"istio-proxy","image":"example.org/proxyv2:1.30.4"})";
const std::string kCollector = R"({"name":"otel","image":"example.org/collector:0.161.0"})";

std::string pods(const std::string& checkout_created, const std::string& checkout) {
  return R"({"items":[)" + pod("istio-system", "istiod", "2026-11-21T09:00:00Z", kApp) + "," +
         pod("observability", "otel", "2026-11-21T09:30:00Z", kCollector) + "," +
         pod("shop", "checkout", checkout_created, checkout) + "]}";
}

std::string deployment(const std::string& ns, const std::string& app) {
  return R"({"metadata":{"namespace":")" + ns + R"(","name":")" + app + R"("},"spec":{"replicas":1,"template":{)" +
         R"("metadata":{"labels":{"app":")" + app + R"("}},"spec":{"containers":[{"image":"example.org/)" + app +
         R"(:1.30.4"}]}}},"status":{"readyReplicas":1}})";
}

std::string mesh_config(const std::string& service, const std::string& extra) {
  return R"({"items":[{"metadata":{"name":"istio"},"data":{"mesh":"extensionProviders:\n- name: otel-tracing\n)"
         R"(  opentelemetry:\n    service: )" +
         service + R"(\n    port: 4317\n)" + extra +
         R"("}},{"metadata":{"name":"istio-ca-root-cert"},"data":{"root-cert.pem":"x"}}]})";
}

std::string telemetry(const std::string& percentage) {
  return R"({"items":[{"metadata":{"namespace":"istio-system","name":"mesh-default"},"spec":{"tracing":[{)"
         R"("providers":[{"name":"otel-tracing"}],"randomSamplingPercentage":)" +
         percentage + "}]}}]}";
}

std::string collector_map(const std::string& exporters) {
  return R"({"metadata":{"name":"otel"},"data":{"config.yaml":"receivers: {otlp: {protocols: {grpc: {endpoint: )"
         R"('0.0.0.0:4317'}}}}\nexporters: {)" +
         exporters + R"(}\nservice: {pipelines: {}}\n"}})";
}

constexpr const char* kCounters =
    "otelcol_receiver_accepted_spans_total{receiver=\"otlp\",transport=\"grpc\"} 100\n"
    "otelcol_exporter_sent_spans_total{exporter=\"otlp_http\"} 100\n"
    "otelcol_exporter_sent_spans_total{exporter=\"debug\"} 100\n"
    "otelcol_exporter_queue_size{exporter=\"otlp_http\"} 0\n";

constexpr const char* kService = "otel.observability.svc.cluster.local";

// As pilot-agent passes Envoy's answers on, its own log first.
const std::string kLog = "2026-11-22T03:44:06Z\twarn\tThe environment variable was registered twice: {a {b}}\n";
const std::string kCluster = "outbound|4317||otel.observability.svc.cluster.local";
constexpr const char* kListener =
    "shop/checkout-abc-x1 pilot-agent request GET config_dump?resource=dynamic_listeners&name_regex=virtualInbound";
constexpr const char* kClusters =
    "shop/checkout-abc-x1 pilot-agent request GET "
    "clusters?format=json&filter=^outbound\\|4317\\|\\|otel\\.observability\\.svc\\.cluster\\.local$";

std::string listener(const std::string& cluster) {
  const std::string tracing =
      cluster.empty() ? ""
                      : R"("tracing":{"provider":{"typed_config":{"grpc_service":{"envoy_grpc":{"cluster_name":")" +
                            cluster + R"("}}}}})";
  return R"({"configs":[{"name":"virtualInbound","active_state":{"listener":{"filter_chains":[{"filters":[)"
         R"({"name":"istio.metadata_exchange"},{"name":"envoy.filters.network.http_connection_manager",)"
         R"("typed_config":{)" +
         tracing + "}}]}]}}}]}";
}

class DoctorEvidence : public ::testing::Test {
 protected:
  void SetUp() override {
    api_.on("GET", "/version", 200, R"({"gitVersion":"v1.34.4"})");
    api_.on("GET", "/api/v1/namespaces?", 200, kNamespaces);
    api_.on("GET", "/api/v1/pods", 200, pods("2026-11-21T12:00:00Z", kApp + "," + kProxy));
    api_.on("GET", "/apis/apps/v1/replicasets", 200, R"({"items":[{"metadata":{"namespace":"shop","name":)"
            R"("checkout-abc","ownerReferences":[{"kind":"Deployment","name":"checkout","controller":true}]}}]})");
    api_.on("GET", "/apis/apps/v1/deployments", 200,
            R"({"items":[)" + deployment("istio-system", "istiod") + "," + deployment("observability", "otel") + "]}");
    api_.on("GET", "/api/v1/services", 200, R"({"items":[{"metadata":{"namespace":"observability","name":"otel"},)"
            R"("spec":{"selector":{"app":"otel"},"ports":[{"name":"grpc-otlp","port":4317}]}}]})");
    api_.on("GET", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", 200,
            R"({"items":[{"metadata":{"name":"istio-sidecar-injector"},"webhooks":[{"name":"namespace.istio.io",)"
            R"("clientConfig":{"caBundle":"x","service":{"name":"istiod","namespace":"istio-system"}},)"
            R"("namespaceSelector":{"matchExpressions":[{"key":"istio-injection","operator":"In",)"
            R"("values":["enabled"]}]}}]}]})");
    api_.on("GET", "/apis/telemetry.istio.io", 200,
            R"({"versions":[{"version":"v1"},{"version":"v1alpha1"}],"preferredVersion":{"version":"v1"}})");
    api_.on("GET", "/apis/telemetry.istio.io/v1/telemetries", 200, telemetry("100"));
    api_.on("GET", "/apis/networking.istio.io/v1/serviceentries", 200, R"({"items":[]})");
    api_.on("GET", "/api/v1/namespaces/istio-system/configmaps", 200, mesh_config(kService, ""));
    api_.on("GET", "/api/v1/namespaces/istio-system/pods/istiod-abc-x1:15014/proxy/metrics", 200,
            "provider_lookup_cluster_failures{type=\"opentelemetry\"} 2\n");
    api_.on("GET", "/api/v1/namespaces/observability/pods/otel-abc-x1:8888/proxy/metrics", 200, kCounters);
    api_.on("GET", "/api/v1/namespaces/observability/pods/otel-abc-x1/log", 200, "");
    api_.on("GET", "/api/v1/namespaces/observability/configmaps/otel", 200, collector_map("debug: {}"));
    api_.on("GET", "/api/v1/namespaces/shop/pods/checkout-abc-x1:15090/proxy/stats/prometheus", 200,
            "envoy_tracing_opentelemetry_spans_sent{} 100\n");
    api_.on("GET", "/apis/networking.istio.io/v1/sidecars", 200, R"({"items":[]})");
    api_.on("EXEC", kListener, 200, kLog + listener(kCluster));
    api_.on(
        "EXEC", kClusters, 200,
        kLog + R"({"cluster_statuses":[{"name":")" + kCluster +
            R"(","host_statuses":[{"stats":[{"name":"cx_connect_fail","value":"3"},{"name":"cx_total"}],)"
            R"("health_status":{"eds_health_status":"HEALTHY"}},{"health_status":{"eds_health_status":"UNHEALTHY"}}]}]})");
  }
  doctor::Diagnosis examine() { return doctor::diagnose(gather_evidence(api_, {})); }
  Ids found() {
    Ids out;
    for (const doctor::Cause& cause : examine().causes) out.push_back(cause.id);
    return out;
  }
  FakeKubeClient api_;
};

TEST_F(DoctorEvidence, HealthyClusterHasNoCauseAndNothingIsChanged) {
  proof::claim({"F-1", "F-2", "F-3", "F-4"}, Polarity::kPositive, ProofKind::kSimulated);
  const doctor::Diagnosis diagnosis = examine();
  EXPECT_TRUE(diagnosis.causes.empty()) << doctor::to_text(diagnosis);
  EXPECT_EQ(doctor::exit_code_of(diagnosis), 0) << doctor::to_text(diagnosis);
  size_t commands = 0;
  for (const KubeRequest& request : api_.requests()) {
    if (request.method == "EXEC") {
      ++commands;
      EXPECT_NE(request.path.find(" pilot-agent request GET "), std::string::npos) << request.path;
      continue;
    }
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.path.find("secrets"), std::string::npos);
  }
}

TEST_F(DoctorEvidence, WhatEnvoySaysIsRead) {
  const ProxyViews views = gather_evidence(api_, {}).proxy_views;
  ASSERT_TRUE(views.seen()) << views.missing;
  ASSERT_EQ(views.value.size(), 1u) << "one sidecar; the Collector and istiod have none";
  const doctor::ProxyFact& proxy = views.value.front();
  EXPECT_EQ(proxy.ns + "/" + proxy.pod, "shop/checkout-abc-x1");
  EXPECT_EQ(proxy.tracer_clusters, Ids{kCluster});
  ASSERT_EQ(proxy.clusters.size(), 1u);
  EXPECT_EQ(proxy.clusters[0].name, kCluster);
  EXPECT_EQ(proxy.clusters[0].endpoints, 2);
  EXPECT_EQ(proxy.clusters[0].healthy, 1);
  EXPECT_EQ(proxy.clusters[0].connect_failures, 3u);
}

TEST_F(DoctorEvidence, ASidecarObjectThatHidesTheCollectorIsNamed) {
  api_.on("GET", "/apis/networking.istio.io/v1/sidecars", 200,
          R"({"items":[{"metadata":{"namespace":"shop","name":"default"},"spec":{"egress":[)"
          R"({"port":{"number":9080},"hosts":["./*"]},{"hosts":["istio-system/*"]}]}}]})");
  api_.on("EXEC", kClusters, 200, kLog + "{}\n");
  const doctor::Diagnosis diagnosis = examine();
  ASSERT_EQ(diagnosis.causes.size(), 1u) << doctor::to_text(diagnosis);
  EXPECT_EQ(diagnosis.causes[0].id, "sidecar-hides-collector");
  EXPECT_EQ(
      diagnosis.causes[0].fix,
      Ids{"kubectl -n shop patch sidecars.networking.istio.io default --type json -p "
          "'[{\"op\":\"add\",\"path\":\"/spec/egress/1/hosts/-\",\"value\":\"observability/otel.observability.svc."
          "cluster.local\"}]'"});
}

TEST_F(DoctorEvidence, AProxyThatLagsBehindIsNamed) {
  api_.on("EXEC", kListener, 200, kLog + listener(""));
  EXPECT_EQ(found(), Ids{"proxy-config-stale"});
  api_.on("EXEC", kListener, 200, kLog + listener("outbound|4317||old.observability.svc.cluster.local"));
  EXPECT_EQ(found(), Ids{"proxy-config-stale"});
  api_.on("EXEC", kListener, 200, kLog + listener(kCluster));
  api_.on("EXEC", kClusters, 200, kLog + "{}\n");
  EXPECT_EQ(found(), Ids{"proxy-config-stale"}) << "no Sidecar object hides it";
}

TEST_F(DoctorEvidence, WhatIsNotKnownOfSidecarObjectsBlamesNobody) {
  api_.on("GET", "/apis/networking.istio.io/v1/sidecars", 403, "");
  api_.on("EXEC", kClusters, 200, kLog + "{}\n");
  const doctor::Diagnosis diagnosis = examine();
  EXPECT_TRUE(diagnosis.causes.empty()) << doctor::to_text(diagnosis);
  EXPECT_EQ(doctor::exit_code_of(diagnosis), 2);
}

TEST_F(DoctorEvidence, AQuoteInAHostDoesNotLeaveItsWord) {
  const std::string host = "otel.observability.svc.x'y";
  api_.on("GET", "/api/v1/namespaces/istio-system/configmaps", 200, mesh_config(host, ""));
  api_.on("GET", "/apis/networking.istio.io/v1/sidecars", 200,
          R"({"items":[{"metadata":{"namespace":"shop","name":"default"},"spec":{"egress":[{"hosts":["./*"]}]}}]})");
  api_.on("EXEC", "shop/checkout-abc-x1 pilot-agent request GET clusters", 200, "{}");
  const doctor::Diagnosis diagnosis = examine();
  ASSERT_EQ(diagnosis.causes.size(), 1u) << doctor::to_text(diagnosis);
  EXPECT_NE(diagnosis.causes[0].fix.at(0).find("svc.x'\\''y"), std::string::npos) << diagnosis.causes[0].fix.at(0);
}

TEST_F(DoctorEvidence, WithoutExecOneProbeIsSkipped) {
  api_.on("EXEC", "", 403, "");
  const doctor::Diagnosis diagnosis = examine();
  EXPECT_TRUE(diagnosis.causes.empty()) << doctor::to_text(diagnosis);
  EXPECT_EQ(doctor::exit_code_of(diagnosis), 2);
  const auto skipped = std::find_if(diagnosis.probes.begin(), diagnosis.probes.end(),
                                    [](const doctor::ProbeResult& probe) { return probe.id == "proxies"; });
  ASSERT_NE(skipped, diagnosis.probes.end());
  EXPECT_EQ(skipped->reason, "no permission to get /api/v1/namespaces/shop/pods/checkout-abc-x1/exec (403)");
}

TEST_F(DoctorEvidence, APodOlderThanTheLabelIsNamedWithItsDeployment) {
  proof::claim({"F-2", "F-2b", "O-06"}, Polarity::kNegative, ProofKind::kSimulated);
  api_.on("GET", "/api/v1/pods", 200, pods("2026-11-21T10:30:00Z", kApp));
  const doctor::Diagnosis diagnosis = examine();
  ASSERT_EQ(diagnosis.causes.size(), 1u) << doctor::to_text(diagnosis);
  EXPECT_EQ(diagnosis.causes[0].id, "sidecar-label-late");
  EXPECT_EQ(diagnosis.causes[0].fix, Ids{"kubectl rollout restart deployment/checkout -n shop"});
  EXPECT_EQ(diagnosis.causes[0].evidence,
            Ids{"checkout-abc-x1 (Deployment/checkout): made 2026-11-21T10:30:00Z, label since 2026-11-21T11:00:00Z"});
}

TEST_F(DoctorEvidence, ObjectsAreReadAsTheyAre) {
  api_.on("GET", "/apis/telemetry.istio.io/v1/telemetries", 200, telemetry("0"));
  EXPECT_EQ(found(), Ids{"telemetry-zero-percent"});
  api_.on("GET", "/apis/telemetry.istio.io/v1/telemetries", 200, telemetry("100"));
  api_.on("GET", "/api/v1/namespaces/istio-system/configmaps", 200,
          mesh_config("otell.observability.svc.cluster.local", ""));
  const doctor::Diagnosis diagnosis = examine();
  ASSERT_EQ(diagnosis.causes.size(), 1u);
  EXPECT_EQ(diagnosis.causes[0].id, "provider-service-unknown");
  EXPECT_NE(std::find(diagnosis.causes[0].evidence.begin(), diagnosis.causes[0].evidence.end(),
                      "istiod: provider_lookup_cluster_failures 2"),
            diagnosis.causes[0].evidence.end());
  api_.on("GET", "/api/v1/namespaces/istio-system/configmaps", 200,
          mesh_config(kService, R"(    http:\n      path: /api\n)"));
  EXPECT_EQ(found(), (Ids{"provider-transport", "provider-path-wrong"}));
  api_.on("GET", "/api/v1/namespaces/istio-system/configmaps", 200, mesh_config(kService, ""));
  api_.on("GET", "/api/v1/namespaces/observability/configmaps/otel", 200, collector_map("logging: {}"));
  EXPECT_EQ(found(), Ids{"collector-exporter-removed"});
}

TEST_F(DoctorEvidence, AFailureInTheCollectorsLogIsClassedAndTheTokenIsNotKept) {
  proof::claim({"F-1b"}, Polarity::kNegative, ProofKind::kSimulated);
  const std::string token = kCanary;
  api_.on("GET", "/api/v1/namespaces/observability/pods/otel-abc-x1:8888/proxy/metrics", 200,
          "otelcol_receiver_accepted_spans_total 100\notelcol_exporter_send_failed_spans_total 100\n");
  api_.on(
      "GET", "/api/v1/namespaces/observability/pods/otel-abc-x1/log", 200,
      "error Exporting failed. Dropping data. {\"error\": \"not retryable error: Permanent error: rpc error: code = "
      "Unauthenticated desc = token " +
          token + " expired\"}\n");
  api_.on("GET", "/api/v1/namespaces/observability/configmaps/otel", 200,
          collector_map("otlp: {endpoint: backend:4317, headers: {Authentication: " + token + "}}"));
  api_.on("GET", "/api/v1/namespaces/istio-system/configmaps", 200,
          mesh_config(kService, "    grpc: {initialMetadata: [{name: x, value: " + token + "}]}\\n"));
  const doctor::Diagnosis diagnosis = examine();
  ASSERT_EQ(diagnosis.causes.size(), 1u) << doctor::to_text(diagnosis);
  EXPECT_EQ(diagnosis.causes[0].id, "export-auth");
  EXPECT_EQ(doctor::to_text(diagnosis).find(token), std::string::npos);
  EXPECT_EQ(doctor::to_json(diagnosis).find(token), std::string::npos);
}

TEST_F(DoctorEvidence, ARefusedProbeIsSkippedAndTheRestGoesOn) {
  api_.on("GET", "/apis/telemetry.istio.io/v1/telemetries", 403, R"({"message":"forbidden"})");
  api_.on("GET", "/api/v1/pods", 200, pods("2026-11-21T10:30:00Z", kApp));
  const doctor::Diagnosis diagnosis = examine();
  ASSERT_EQ(diagnosis.causes.size(), 1u) << doctor::to_text(diagnosis);
  EXPECT_EQ(diagnosis.causes[0].id, "sidecar-label-late");
  const auto skipped = std::find_if(diagnosis.probes.begin(), diagnosis.probes.end(),
                                    [](const doctor::ProbeResult& probe) { return probe.id == "telemetry"; });
  ASSERT_NE(skipped, diagnosis.probes.end());
  EXPECT_EQ(skipped->reason, "no permission to get /apis/telemetry.istio.io/v1/telemetries (403)");
}

TEST(DoctorEvidenceAlone, RefusedCredentialsSkipEverything) {
  FakeKubeClient api;
  api.on("GET", "/", 401, R"({"message":"Unauthorized"})");
  const doctor::Diagnosis diagnosis = doctor::diagnose(gather_evidence(api, {}));
  EXPECT_TRUE(diagnosis.causes.empty()) << doctor::to_text(diagnosis);
  EXPECT_EQ(doctor::exit_code_of(diagnosis), 3);
}

TEST(DoctorObjects, DamageReadsAsNothing) {
  EXPECT_TRUE(pods_from_json("").empty());
  EXPECT_TRUE(pods_from_json(R"({"items":[1,"x",null]})").size() <= 3);
  EXPECT_TRUE(services_from_json(R"({"items":{"a":1}})").size() <= 1);
  EXPECT_FALSE(tracer_clusters_of("").has_value());
  EXPECT_FALSE(tracer_clusters_of(R"({"configs":[1,{"active_state":[]}]})").has_value());
  EXPECT_TRUE(clusters_of(R"({"cluster_statuses":[{"host_statuses":"x"}])").empty());
  EXPECT_EQ(sidecars_from_json(R"({"items":[{"spec":{"egress":[{}]}}]})").at(0).hosts, Ids{});
  EXPECT_FALSE(mesh_config_from_yaml("- a\n").damage.empty());
  EXPECT_FALSE(mesh_config_from_yaml("a: [\n").damage.empty());
  EXPECT_EQ(unix_seconds("2026-11-21T10:00:00Z"), 1795255200);
  EXPECT_EQ(unix_seconds("yesterday"), 0);
}

}  // namespace
}  // namespace hopcheck::mesh
