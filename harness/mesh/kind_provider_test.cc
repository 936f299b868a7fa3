// The provider on an environment that is "up" behind a fake Kubernetes API.
#include "mesh/kind_provider.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "mesh/kube_fake.h"
#include "mesh/process_fake.h"
#include "mesh/timeline.h"
#include "plan/load_plan_json.h"

namespace hopcheck::mesh {
namespace {

const std::atomic<bool> kNever{false};

std::string pod(const std::string& ns, const std::string& name, const std::string& service, bool injected,
                int restarts = 0) {
  const std::string proxy =
      injected ? R"(,"initContainers":[{"name":"istio-proxy","image":"hub/proxyv2:1","restartPolicy":"Always"}])" : "";
  return R"({"metadata":{"namespace":")" + ns + R"(","name":")" + name + R"(","labels":{"hopcheck.dev/service":")" +
         service + R"(","hopcheck.dev/workload":")" + service +
         R"(","hopcheck.dev/meshed":"true"}},"spec":{"containers":[{"name":"app"}])" + proxy +
         R"(},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],)"
         R"("initContainerStatuses":[{"name":"istio-proxy","restartCount":)" +
         std::to_string(restarts) + R"(}]}})";
}
std::string list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ",") + item;
  return R"({"metadata":{"resourceVersion":"7"},"items":[)" + out + "]}";
}

class KindProviderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto kube = std::make_unique<FakeKubeClient>();
    kube_ = kube.get();
    auto runner = std::make_unique<FakeProcessRunner>();
    KindProvider::Parts parts;
    parts.client = std::move(kube);
    parts.runner = std::move(runner);
    parts.record.id = "aa";
    parts.record.cluster = "hopcheck-aa";
    parts.record.gateway_port = 31234;
    parts.record.istio_version = "1.30.4-dev";
    parts.record.harness_image = "h:1";
    parts.tokens = {"backend", "control"};
    KindOptions options;
    options.share = ".";
    options.state_dir = ::testing::TempDir();
    provider_ = KindProvider::assemble(std::move(options), std::move(parts));
    instance_.topology.name = instance_.topology.ns = "shop";
    instance_.topology.host = "shop.hopcheck.test";
    instance_.topology.entry = "frontend";
    Service frontend;
    frontend.name = "frontend";
    frontend.ns = "shop";
    frontend.ports = {{"http", "", 80, 8080}};
    instance_.topology.services = {frontend};
  }
  const KubeRequest last() const { return kube_->requests().back(); }

  FakeKubeClient* kube_ = nullptr;
  std::unique_ptr<KindProvider> provider_;
  run::TopologyInstance instance_;
};

constexpr const char* kPods = "/api/v1/pods?limit=2000&labelSelector=hopcheck.dev/run=aa";

TEST_F(KindProviderTest, TargetsOfEveryEntry) {
  const auto gateway = provider_->target(Entry::kGateway, instance_);
  ASSERT_TRUE(gateway.has_value());
  EXPECT_TRUE(gateway->from_host);
  EXPECT_EQ(gateway->base_url, "http://127.0.0.1:31234");
  EXPECT_EQ(gateway->host_header, "shop.hopcheck.test");
  const auto unmeshed = provider_->target(Entry::kUnmeshed, instance_);
  ASSERT_TRUE(unmeshed.has_value());
  EXPECT_EQ(unmeshed->base_url, "http://frontend.shop.svc.cluster.local");
  EXPECT_EQ(unmeshed->agent, "hopcheck-system/loadgen");
  EXPECT_FALSE(provider_->target(Entry::kMesh, instance_).has_value()) << "no load agent there";
  instance_.mesh_client = true;
  instance_.topology.services[0].ports[0].port = 8080;
  const auto mesh = provider_->target(Entry::kMesh, instance_);
  ASSERT_TRUE(mesh.has_value());
  EXPECT_EQ(mesh->agent, "shop/loadgen");
  EXPECT_EQ(mesh->base_url, "http://frontend.shop.svc.cluster.local:8080");
}

TEST_F(KindProviderTest, AgentsAreDrivenThroughTheApiProxyWithTheToken) {
  kube_->on("GET", "/api/v1/namespaces/shop/pods?", 200, list({pod("shop", "loadgen-1", "loadgen", true)}));
  kube_->on("POST", "/api/v1/namespaces/shop/pods/loadgen-1:9902/proxy/drive", 202, "{}");
  LoadPlan plan;
  plan.first_n = 100;
  plan.count = 2;
  ASSERT_TRUE(provider_->agent_start("shop/loadgen", plan).has_value());
  EXPECT_EQ(last().body, plan::to_json(plan));
  EXPECT_EQ(last().headers[0], (std::pair<std::string, std::string>{"X-Hopcheck-Token", "control"}));
  kube_->on("POST", "/api/v1/namespaces/shop/pods/loadgen-1:9902/proxy/drive", 400, R"({"error":"bad plan"})");
  EXPECT_FALSE(provider_->agent_start("shop/loadgen", plan).has_value());
  kube_->on("GET", "/api/v1/namespaces/shop/pods/loadgen-1:9902/proxy/outcomes?first_n=100&from=1", 200,
            plan::outcomes_to_json({{101, 1, 2, 3, OutcomeKind::kOk, 200}}, true));
  const auto progress = provider_->agent_poll("shop/loadgen", 100, 1);
  ASSERT_TRUE(progress.has_value()) << to_text(progress.error());
  EXPECT_TRUE(progress->finished);
  ASSERT_EQ(progress->outcomes.size(), 1u);
  EXPECT_EQ(progress->outcomes[0].n, 101u);
}

TEST_F(KindProviderTest, SwitchesGoToEveryPodOfTheService) {
  kube_->on("GET", "/api/v1/namespaces/shop/pods?", 200,
            list({pod("shop", "a", "frontend", true), pod("shop", "b", "frontend", true)}));
  kube_->on("PUT", "/api/v1/namespaces/shop/pods/", 200, "{}");
  kube_->on("DELETE", "/api/v1/namespaces/shop/pods/", 200, "{}");
  Fault fault;
  fault.kind = Fault::Kind::kDrop;
  fault.at = "frontend";
  fault.header = "traceparent";
  ASSERT_TRUE(provider_->set_fault(instance_, fault).has_value());
  EXPECT_EQ(last().path, "/api/v1/namespaces/shop/pods/b:9901/proxy/switches");
  EXPECT_EQ(last().body, R"({"drop":["traceparent"]})");
  fault.kind = Fault::Kind::kFail;
  fault.percent = 30;
  ASSERT_TRUE(provider_->set_fault(instance_, fault).has_value());
  EXPECT_EQ(last().body, R"({"failPercent":30,"failStatus":503})");
  fault.kind = Fault::Kind::kNone;
  ASSERT_TRUE(provider_->set_fault(instance_, fault).has_value());
  EXPECT_EQ(last().method, "DELETE");
  fault.kind = Fault::Kind::kAbort;
  EXPECT_EQ(provider_->set_fault(instance_, fault).error().kind, ErrorKind::kUsage);
}

TEST_F(KindProviderTest, SinkStatusCaptureAndReplacedPod) {
  kube_->on("GET", "/api/v1/namespaces/hopcheck-system/pods?", 200,
            list({pod("hopcheck-system", "sink-1", "", false)}));
  kube_->on("GET", "/api/v1/namespaces/hopcheck-system/pods/sink-1:8080/proxy/status", 200,
            R"({"capture_bytes":164,"requests":3,"spans":12,"refused":1,"aborted":0,"sealed":true,"instance":"i1"})");
  const auto status = provider_->sink_status();
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->capture_bytes, 164u);
  EXPECT_EQ(status->spans, 12u);
  EXPECT_EQ(status->refused, 1u);
  EXPECT_TRUE(status->sealed);
  EXPECT_EQ(status->instance, "i1");
  kube_->on("GET", "/api/v1/namespaces/hopcheck-system/pods/sink-1:8080/proxy/capture?from=64&wait=100", 200,
            std::string("ab\0c", 4));
  EXPECT_EQ(provider_->sink_capture(64, 100).value(), std::string("ab\0c", 4));
  // The pod is replaced: the first call fails and forgets its name, the next one finds the new pod.
  kube_->on("GET", "/api/v1/namespaces/hopcheck-system/pods/sink-1:8080/", 503,
            R"({"kind":"Status","message":"no route to host"})");
  const auto lost = provider_->sink_status();
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().why, "no route to host");
  kube_->on("GET", "/api/v1/namespaces/hopcheck-system/pods?", 200,
            list({pod("hopcheck-system", "sink-2", "", false)}));
  kube_->on("GET", "/api/v1/namespaces/hopcheck-system/pods/sink-2:8080/proxy/status", 200, R"({"instance":"i2"})");
  EXPECT_EQ(provider_->sink_status()->instance, "i2");
}

TEST_F(KindProviderTest, MarksTakeCountersAndRestarts) {
  kube_->on("GET", kPods, 200, list({pod("shop", "f-1", "frontend", true), pod("shop", "n-1", "naked", false)}));
  kube_->on("GET", "/api/v1/namespaces/istio-system/pods?", 200, list({pod("istio-system", "gw-1", "", true)}));
  kube_->on("GET", "/api/v1/namespaces/shop/pods/f-1:15090/", 200,
            "envoy_listener_manager_lds_update_success{} 3\nenvoy_tracing_opentelemetry_spans_sent{} 10\n");
  kube_->on("GET", "/api/v1/namespaces/istio-system/pods/gw-1:15090/", 200, "envoy_cluster_x{} 1\n");
  kube_->on("GET", "/api/v1/namespaces/observability/pods?", 200, list({pod("observability", "col-1", "", false)}));
  kube_->on(
      "GET", "/api/v1/namespaces/observability/pods/col-1:8888/proxy/metrics", 200,
      "otelcol_receiver_accepted_spans{transport=\"grpc\"} 10\notelcol_exporter_sent_spans{exporter=\"otlp_http\"} 9\n"
      "otelcol_exporter_sent_spans{exporter=\"debug\"} 10\notelcol_exporter_queue_size{exporter=\"otlp_http\"} 1\n"
      "otelcol_exporter_in_flight_requests{exporter=\"otlp_http\"} 2\n");
  kube_->on("GET", "/api/v1/namespaces/hopcheck-system/pods?", 200, list({}));
  Environment environment;
  ASSERT_TRUE(provider_->mark(run::Provider::Mark::kBefore, environment).has_value());
  ASSERT_EQ(environment.proxies.size(), 3u);
  const ProxyFact& frontend = environment.proxies[0];
  EXPECT_EQ(frontend.sent_before, 10u);
  EXPECT_EQ(frontend.dropped_before, 0u) << "not made yet, but the proxy exposes what we asked for";
  EXPECT_TRUE(frontend.injected);
  EXPECT_FALSE(environment.proxies[1].injected);
  EXPECT_TRUE(environment.proxies[1].expected_meshed);
  EXPECT_EQ(environment.proxies[2].service, "istio-ingressgateway");
  EXPECT_EQ(environment.proxies[2].sent_before, std::nullopt) << "not exposed";
  EXPECT_EQ(environment.collector_fact.received_before, 10u);
  EXPECT_EQ(environment.collector_fact.exported_before, 9u);
  EXPECT_EQ(provider_->collector_queue(), 3u);

  kube_->on("GET", kPods, 200, list({pod("shop", "f-1", "frontend", true, 2), pod("shop", "late-1", "late", false)}));
  ASSERT_TRUE(provider_->mark(run::Provider::Mark::kAfter, environment).has_value());
  EXPECT_EQ(environment.proxies[0].restarts, 2);
  EXPECT_EQ(environment.proxies[0].sent_after, 10u);
  EXPECT_EQ(environment.proxies[1].restarts, 1) << "its pod is gone";
  EXPECT_EQ(environment.proxies.back().pod, "late-1");
  EXPECT_EQ(environment.proxies.back().restarts, 1) << "came in between";
}

TEST_F(KindProviderTest, SettledMeansNothingDrainsAnyMore) {
  kube_->on("GET", kPods, 200, list({pod("shop", "f-1", "frontend", true)}));
  kube_->on("GET", "/api/v1/namespaces/istio-system/pods?", 200, list({}));
  kube_->on("GET", "/api/v1/namespaces/shop/pods/f-1:15090/", 200,
            "envoy_listener_manager_total_filter_chains_draining{} 0\n");
  Timeline log(nullptr);
  EXPECT_TRUE(provider_->wait_tracing_settled(log, kNever).has_value());
  kube_->on("GET", "/api/v1/namespaces/shop/pods/f-1:15090/", 200,
            "envoy_listener_manager_total_filter_chains_draining{} 4\n");
  const std::atomic<bool> stopped{true};
  EXPECT_EQ(provider_->wait_tracing_settled(log, stopped).error().kind, ErrorKind::kInterrupted);
}

TEST_F(KindProviderTest, DescriptionReadsTheCluster) {
  kube_->on("GET", "/version", 200, R"({"gitVersion":"v1.34.4"})");
  kube_->on(
      "GET", "/apis/telemetry.istio.io/v1/telemetries", 200,
      R"({"items":[{"metadata":{"namespace":"istio-system","name":"mesh-default"},)"
      R"("spec":{"tracing":[{"providers":[{"name":"otel-tracing"}],"randomSamplingPercentage":100}]}},)"
      R"({"metadata":{"namespace":"shop","name":"own"},"spec":{"tracing":[{"providers":[{"name":"otel-http"}]}]}},)"
      R"({"metadata":{"namespace":"x","name":"logs"},"spec":{}}]})");
  kube_->on("GET", "/api/v1/namespaces/istio-system/configmaps/istio", 200,
            R"({"data":{"mesh":"extensionProviders:\n- name: otel-tracing\n"}})");
  Environment environment;
  ASSERT_TRUE(provider_->describe(environment).has_value());
  EXPECT_EQ(environment.extension_providers, std::vector<std::string>{"otel-tracing"});
  EXPECT_EQ(environment.kubernetes, "v1.34.4");
  EXPECT_EQ(environment.istio, "1.30.4-dev");
  ASSERT_EQ(environment.telemetry.size(), 3u);
  EXPECT_EQ(environment.telemetry[0].percentage, 100.0);
  EXPECT_EQ(environment.telemetry[0].provider, "otel-tracing");
  EXPECT_EQ(environment.telemetry[1].percentage, std::nullopt);
  EXPECT_EQ(environment.telemetry[2].provider, "");
}

TEST_F(KindProviderTest, EvidenceListsWhatItCouldNotGet) {
  kube_->on("GET", "/api/v1/pods", 200, list({pod("shop", "f-1", "frontend", false)}));
  kube_->on("GET", "/api/v1/namespaces/shop/pods/f-1/log", 200, "hello\n");
  const std::string dir = ::testing::TempDir() + "/evidence_" + random_hex(4);
  const std::vector<std::string> missing = provider_->collect_evidence(dir);
  EXPECT_TRUE(std::filesystem::exists(dir + "/pod.shop.f-1.app.log"));
  EXPECT_TRUE(std::filesystem::exists(dir + "/pods.json"));
  EXPECT_NE(std::find(missing.begin(), missing.end(), "events.json: HTTP 404"), missing.end());
  for (const KubeRequest& request : kube_->requests()) EXPECT_EQ(request.path.find("secrets"), std::string::npos);
  std::filesystem::remove_all(dir);
}

TEST(KubeWait, ReadyMeansRolledOut) {
  EXPECT_TRUE(deployment_ready(
      R"({"metadata":{"generation":2},"spec":{"replicas":1},"status":{"observedGeneration":2,"replicas":1,)"
      R"("updatedReplicas":1,"availableReplicas":1}})"));
  EXPECT_FALSE(deployment_ready(
      R"({"metadata":{"generation":2},"spec":{"replicas":1},"status":{"observedGeneration":1,"replicas":1,)"
      R"("updatedReplicas":1,"availableReplicas":1}})"));
  EXPECT_FALSE(deployment_ready(
      R"({"metadata":{"generation":1},"spec":{"replicas":1},"status":{"observedGeneration":1,"replicas":2,)"
      R"("updatedReplicas":1,"availableReplicas":2}})"))
      << "the old pod is still there";
  EXPECT_FALSE(deployment_ready("{}"));
  EXPECT_FALSE(deployment_ready("rubbish"));
}

TEST(KubeWait, WatchesUntilAllAreReady) {
  FakeKubeClient kube;
  kube.on("GET", "/apis/apps/v1/deployments", 200, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
  kube.on_watch({R"({"type":"ADDED","object":{"metadata":{"namespace":"a","name":"d"},"status":{}}})",
                 R"({"type":"MODIFIED","object":{"metadata":{"namespace":"a","name":"d","generation":1},)"
                 R"("status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"availableReplicas":1}}})"});
  EXPECT_TRUE(wait_deployments(kube, {{"a", "d"}}, 5'000, kNever).has_value());
}

TEST(KubeWait, DeadlineSaysWhatThePodsWaitFor) {
  FakeKubeClient kube;
  kube.on("GET", "/apis/apps/v1/deployments", 200, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
  kube.on("GET", "/api/v1/namespaces/a/pods", 200,
          R"({"items":[{"metadata":{"namespace":"a","name":"d-1"},"status":{"phase":"Pending",)"
          R"("containerStatuses":[{"name":"c","state":{"waiting":{"reason":"ErrImagePull",)"
          R"("message":"no such host"}}}]}}]})");
  kube.on("GET", "/api/v1/namespaces/b/pods", 200, list({}));
  const Result<void> waited = wait_deployments(kube, {{"a", "d"}, {"b", "e"}}, 1, kNever);
  ASSERT_FALSE(waited.has_value());
  EXPECT_EQ(waited.error().why,
            "a/d (d-1 is Pending, c: ErrImagePull (no such host)); b/e (no pod was made: kubectl -n b get events)");
}

TEST(KubeApply, NamespacesComeFirstAndErrorsName) {
  FakeKubeClient kube;
  kube.on("PATCH", "/api", 200, "{}");
  const std::vector<KubeObject> objects{{"v1", "ConfigMap", "a", "c", "x"}, {"v1", "Namespace", "", "a", "y"}};
  ASSERT_TRUE(kube_apply_all(kube, objects, kNever).has_value());
  EXPECT_EQ(kube.requests()[0].path, "/api/v1/namespaces/a?fieldManager=hopcheck&force=true");
  EXPECT_EQ(kube.requests()[1].path, "/api/v1/namespaces/a/configmaps/c?fieldManager=hopcheck&force=true");
  kube.on("PATCH", "/api/v1/namespaces/a/configmaps", 422, R"({"kind":"Status","message":"data: bad"})");
  const Result<void> bad = kube_apply_all(kube, objects, kNever);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(to_text(bad.error()),
            "error: cannot apply ConfigMap a/c\n  why: the Kubernetes API answered 422: data: bad\n");
}

}  // namespace
}  // namespace hopcheck::mesh
