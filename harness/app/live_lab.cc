#include "app/live_lab.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "app/test_backend.h"
#include "mesh/template.h"
#include "otelcol/rewrite.h"
#include "otelcol/walkthrough_test.h"
#include "sink/test_tls.h"

namespace hopcheck {
namespace {

constexpr const char* kMeshConfig = "/api/v1/namespaces/istio-system/configmaps/istio";
constexpr const char* kMeshText = "/data/mesh";

// Deployment and Service. `args`: further arguments, each after ", ". Port 4319 is the gRPC one by a name that does not
// say so. Every sink has the certificate at hand.
std::string lab_sink(const std::string& name, const std::string& image, const std::string& args) {
  return fmt::format(R"(
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {0}, namespace: hopcheck-lab}}
spec:
  selector: {{matchLabels: {{app: {0}}}}}
  template:
    metadata: {{labels: {{app: {0}, sidecar.istio.io/inject: "false"}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: sink
        image: "{1}"
        imagePullPolicy: IfNotPresent
        command: [hopcheck, sink]
        args: [--http=0.0.0.0:4318, --grpc=0.0.0.0:4317, --control=0.0.0.0:8080, --out=/tmp/capture{2}]
        env:
        - {{name: HOPCHECK_CONTROL_TOKEN, valueFrom: {{secretKeyRef: {{name: tokens, key: control}}}}}}
        - {{name: HOPCHECK_BACKEND_TOKEN, valueFrom: {{secretKeyRef: {{name: tokens, key: backend}}}}}}
        readinessProbe: {{httpGet: {{path: /healthz, port: 8080}}, periodSeconds: 1}}
        resources: {{requests: {{cpu: 5m, memory: 32Mi}}}}
        volumeMounts: [{{name: tls, mountPath: /etc/tls}}]
      volumes: [{{name: tls, secret: {{secretName: tls}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: {0}, namespace: hopcheck-lab}}
spec:
  selector: {{app: {0}}}
  ports:
  - {{name: http-otlp, port: 4318, targetPort: 4318, appProtocol: http}}
  - {{name: grpc-otlp, port: 4317, targetPort: 4317, appProtocol: grpc}}
  - {{name: otlp, port: 4319, targetPort: 4317}}
)",
                     name, image, args);
}

std::string lab_app(const LabApp& app, const std::string& image) {
  return fmt::format(R"(
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {0}, namespace: hopcheck-lab}}
spec:
  selector: {{matchLabels: {{app: {0}}}}}
  tracing:
  - providers: [{{name: {1}}}]
    randomSamplingPercentage: 100
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {0}, namespace: hopcheck-lab}}
spec:
  selector: {{matchLabels: {{app: {0}}}}}
  template:
    metadata:
      labels: {{app: {0}, lab: app}}
      annotations:
        proxy.istio.io/config: |
          proxyMetadata: {{OTEL_RESOURCE_ATTRIBUTES: "lab.variable=seen"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: "{2}"
        imagePullPolicy: IfNotPresent
        command: [hopcheck-demo]
        args: [--topology=/etc/hopcheck/topology.yaml, --service=app, --listen=0.0.0.0:8080]
        readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 1}}
        resources: {{requests: {{cpu: 2m, memory: 24Mi}}}}
        volumeMounts: [{{name: topology, mountPath: /etc/hopcheck}}]
      volumes: [{{name: topology, configMap: {{name: topology}}}}]
)",
                     app.name, *app.provider == '\0' ? "otel-tracing" : "lab-" + std::string(app.name), image);
}

// What all of it stands on.
std::string lab_base(const mesh::EnvTokens& tokens, const sink::TestCertificate& certificate) {
  return fmt::format(R"(
apiVersion: v1
kind: Namespace
metadata: {{name: hopcheck-lab, labels: {{istio-injection: enabled}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: tokens, namespace: hopcheck-lab}}
stringData: {{control: "{0}", backend: "{1}"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: tls, namespace: hopcheck-lab}}
stringData:
  tls.pem: |
{2}
  tls.key: |
{3}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: topology, namespace: hopcheck-lab}}
data:
  topology.yaml: |
    apiVersion: hopcheck.dev/v1alpha1
    kind: Topology
    metadata: {{name: lab}}
    spec:
      namespace: hopcheck-lab
      entry: app
      services: [{{name: app, instrumentation: none, ports: [{{name: http, port: 8080}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: app, namespace: hopcheck-lab}}
spec:
  selector: {{lab: app}}
  ports: [{{name: http, port: 8080, targetPort: 8080}}]
---
apiVersion: v1
kind: Service
metadata: {{name: opentelemetry-collector, namespace: hopcheck-lab}}
spec:
  selector: {{app: opentelemetry-collector}}
  ports: [{{name: grpc-otlp, port: 4317, targetPort: 4317}}]
)",
                     tokens.control, tokens.backend, mesh::indented(text_of_file(certificate.certificate), 4),
                     mesh::indented(text_of_file(certificate.key), 4));
}

// MeshConfig with our providers before its own.
std::string with_lab_providers(const std::string& mesh) {
  const std::string key = "\nextensionProviders:\n";
  const size_t at = mesh.find(key);
  if (at == std::string::npos) return "";
  const size_t first = at + key.size();
  const std::string indent = mesh.substr(first, mesh.find('-', first) - first);
  std::string ours;
  for (const LabApp& app : lab_apps()) {
    if (*app.provider == '\0') continue;
    std::string provider = app.provider;
    if (const size_t place = provider.find('@'); place != std::string::npos) provider.replace(place, 1, kVendor);
    ours += fmt::format("{}- {{name: lab-{}, opentelemetry: {}}}\n", indent, app.name, provider);
  }
  return mesh.substr(0, first) + ours + mesh.substr(first);
}

}  // namespace

const std::vector<LabApp>& lab_apps() {
  static const std::vector<LabApp> kLabApps = {
      {"grpc", "{port: 4317, service: @}"},
      {"http", "{port: 4318, service: @, http: {path: /v1/traces, timeout: 5s, headers: [{name: custom-header, "
               "value: custom value}]}}"},
      {"patient", "{port: 4318, service: @, http: {path: /v1/traces, timeout: 9s}}"},
      {"other-path", "{port: 4318, service: @, http: {path: /v1/other, timeout: 5s}}"},
      {"unnamed-port", "{port: 4319, service: @}"},
      {"wrong-service", "{port: 4317, service: vendr.hopcheck-lab.svc.cluster.local}"},
      {"metadata", "{port: 4317, service: @, grpc: {initialMetadata: [{name: custom-header, value: custom value}]}}"},
      {"variable", "{port: 4318, service: @, http: {path: /v1/traces, timeout: 5s, headers: [{name: custom-header, "
                   "envName: POD_NAMESPACE}]}}"},
      {"grpc-to-http", "{port: 4318, service: @}"},
      {"http-to-grpc", "{port: 4317, service: @, http: {path: /v1/traces, timeout: 5s}}"},
      {"resource", "{port: 4317, service: @, resource_detectors: {environment: {}}}"},
      {"walked", "{port: 4317, service: opentelemetry-collector.hopcheck-lab.svc.cluster.local}"},
      {"collected", ""},
  };
  return kLabApps;
}

std::string walkthrough_collector(const mesh::EnvTokens& tokens, const std::string& image) {
  using otelcol::with;
  std::string text = with(otelcol::fixture(), "<gRPC-Endpoint>", "backend.hopcheck-lab.svc.cluster.local:4317");
  text = with(text, "<gRPC-Token>", tokens.backend);
  text = with(text, "        - command:\n            - \"/otelcol\"\n", "        - args:\n");
  return with(text, "image: otel/opentelemetry-collector:0.54.0", "image: \"" + image + "\"");
}

std::string rewritten_collector(const mesh::EnvTokens& tokens, const std::string& image) {
  const auto tag = otelcol::image_tag(image);
  EXPECT_TRUE(tag) << image;
  if (!tag) return "";
  const auto out = otelcol::rewrite(walkthrough_collector(tokens, image), "otel.yaml", tag->version);
  EXPECT_TRUE(out) << config::to_text(out.error());
  return out ? out->text : "";
}

Lab& Lab::the() {
  static Lab* const kLabOfAll = static_cast<Lab*>(::testing::AddGlobalTestEnvironment(new Lab));
  return *kLabOfAll;
}

void Lab::drive(const std::string& app, int requests) {
  for (int i = 0; i < requests; ++i) EXPECT_EQ(cluster.ask(kLab, pods[app], 8080, "/").status, 200) << app;
  driven_[app] += static_cast<uint64_t>(requests);
}

// Proxies export what is left over after five seconds.
void Lab::expect_sent(const std::string& app) {
  EXPECT_TRUE(wait_for([&] { return cluster.spans_sent(kLab, pods[app]) == driven_[app]; }, 12'000))
      << app << " sent " << cluster.spans_sent(kLab, pods[app]) << " spans for " << driven_[app] << " requests";
}

void Lab::forget_providers() {
  for (const LabApp& app : lab_apps()) {
    if (*app.provider == '\0') continue;
    const std::string path = "/apis/telemetry.istio.io/v1/namespaces/" + std::string(kLab) + "/telemetries/" + app.name;
    EXPECT_EQ(cluster.request({"DELETE", path, "", {}, 30'000}).status, 200) << path;
  }
}

void Lab::SetUp() {
  cluster.open();
  if (!cluster.is_open()) return;
  mesh_ = cluster.text_at(kMeshConfig, kMeshText);
  changed_ = with_lab_providers("\n" + mesh_);
  ASSERT_NE(changed_, "") << mesh_;
  changed_.erase(0, 1);
  lookup_failures_before = cluster.lookup_failures();
  cluster.patch(kMeshConfig, LiveCluster::text_patch(kMeshText, changed_));
  make_all();
}

void Lab::make_all() {
  std::string folder = ::testing::TempDir() + "/lab_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const sink::TestCertificate certificate(folder, "secure");
  authority = text_of_file(certificate.certificate);
  const std::string& image = cluster.record().harness_image;
  const std::string token = ", --expect-header=Authentication=env:HOPCHECK_BACKEND_TOKEN";
  std::string all = lab_base(cluster.tokens(), certificate);
  std::filesystem::remove_all(folder);
  all += lab_sink("vendor", image, "") + lab_sink("backend", image, token) +
         lab_sink("secure", image, token + ", --tls-cert=/etc/tls/tls.pem, --tls-key=/etc/tls/tls.key");
  std::set<mesh::ObjectName> names = {{kLab, "vendor"}, {kLab, "backend"}, {kLab, "secure"}};
  for (const LabApp& app : lab_apps()) {
    all += lab_app(app, image);
    names.insert({kLab, app.name});
  }
  cluster.apply(all);
  cluster.wait_ready(names);
  // After the backend: a connection that is tried before the Service can be reached keeps a Collector waiting.
  cluster.apply(rewritten_collector(cluster.tokens(), cluster.record().collector_image));
  cluster.wait_ready({{kLab, "opentelemetry-collector"}});
  for (const LabApp& app : lab_apps()) pods[app.name] = cluster.pod(kLab, "app=" + std::string(app.name));
}

void Lab::change_mesh(const std::string& from, const std::string& to) {
  const size_t at = changed_.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  ASSERT_EQ(changed_.find(from, at + 1), std::string::npos) << from << " stands there twice";
  changed_.replace(at, from.size(), to);
  cluster.patch(kMeshConfig, LiveCluster::text_patch(kMeshText, changed_));
}

void Lab::put_back() {
  if (!cluster.is_open() || mesh_.empty()) return;
  cluster.patch(kMeshConfig, LiveCluster::text_patch(kMeshText, mesh_));
  mesh_.clear();
  const std::string path = "/api/v1/namespaces/" + std::string(kLab);
  cluster.request({"DELETE", path, "", {}, 30'000});
  EXPECT_TRUE(wait_for([&] { return cluster.request({"GET", path, "", {}, 10'000}).status == 404; }, 90'000))
      << "namespace " << kLab << " does not go away";
}

}  // namespace hopcheck
