#include "mesh/mesh_config_fields.h"

#include <gtest/gtest.h>

namespace hopcheck::mesh {
namespace {

using Fields = std::map<std::string, std::string>;

constexpr const char* kConfig = R"(
enableTracing: true
defaultConfig: {tracingServiceName: CANONICAL_NAME_ONLY}
defaultProviders: {metrics: []}
extensionProviders:
- name: odigos-otel
  opentelemetry:
    port: 4318
    service: collector.observability.svc.cluster.local
    http: {path: /v1/traces, timeout: 5s, headers: [{name: x-token, value: secret}]}
    resource_detectors: {environment: {}}
)";

TEST(MeshConfigFields, AreNamedByTheirPathAndHeaderValuesAreHidden) {
  const auto fields = mesh_config_fields(kConfig);
  ASSERT_TRUE(fields);
  const std::string provider = "extensionProviders[odigos-otel].opentelemetry.";
  EXPECT_EQ(*fields, (Fields{{"enableTracing", "true"},
                             {"defaultConfig.tracingServiceName", "CANONICAL_NAME_ONLY"},
                             {"defaultProviders.metrics", "[]"},
                             {"extensionProviders[odigos-otel].name", "odigos-otel"},
                             {provider + "port", "4318"},
                             {provider + "service", "collector.observability.svc.cluster.local"},
                             {provider + "http.path", "/v1/traces"},
                             {provider + "http.timeout", "5s"},
                             {provider + "http.headers[x-token].name", "x-token"},
                             {provider + "http.headers[x-token].value", "[hidden]"},
                             {provider + "resource_detectors.environment", "{}"}}));
}

TEST(MeshConfigFields, TextThatIsNoMappingIsRefused) {
  for (const char* text : {"", "- a", "text", "a: [", "a: {b"}) EXPECT_FALSE(mesh_config_fields(text)) << text;
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{a: ";
  deep += "1" + std::string(100, '}');
  EXPECT_FALSE(mesh_config_fields(deep));
}

TEST(HelmValues, LaterFilesAreLaidOverEarlierOnes) {
  const auto values = helm_values({"spec:\n  hub: h\n  tag: t1\n  values: {pilot: {env: {A: '1'}, replicaCount: 1}}\n",
                                   "spec:\n  tag: t2\n  values: {pilot: {env: {B: '2'}}}\n",
                                   "spec:\n  meshConfig: {enableTracing: true, extensionProviders: [{name: a}]}\n",
                                   "spec:\n  meshConfig: {extensionProviders: [{name: b}]}\n"});
  ASSERT_TRUE(values) << values.error().what;
  const auto fields = mesh_config_fields(*values);  // any mapping
  ASSERT_TRUE(fields);
  EXPECT_EQ(*fields, (Fields{{"global.hub", "h"},
                             {"global.tag", "t2"},
                             {"pilot.env.A", "1"},
                             {"pilot.env.B", "2"},
                             {"pilot.replicaCount", "1"},
                             {"meshConfig.enableTracing", "true"},
                             {"meshConfig.extensionProviders[b].name", "b"}}));
  EXPECT_FALSE(helm_values({"kind: IstioOperator"}));
  EXPECT_FALSE(helm_values({"spec: ["}));
}

}  // namespace
}  // namespace hopcheck::mesh
