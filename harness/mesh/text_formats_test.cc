// Kubeconfig, Prometheus text and manifest templates: the texts this folder reads.
#include <gtest/gtest.h>

#include "mesh/kubeconfig.h"
#include "mesh/mesh_config.h"
#include "mesh/prometheus.h"
#include "mesh/template.h"

namespace hopcheck::mesh {
namespace {

std::string kubeconfig(const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: kind-x\nclusters:\n- name: other\n  cluster: {server: "
         "'https://no'}\n- name: kind-x\n"
         "  cluster: {server: 'https://127.0.0.1:40183', certificate-authority-data: Y2E=}\n"
         "contexts:\n- name: kind-x\n  context: {cluster: kind-x, user: kind-x}\nusers:\n- name: kind-x\n  user: " +
         user + "\n";
}

TEST(Kubeconfig, CurrentContextIsRead) {
  const Result<Kubeconfig> config =
      parse_kubeconfig(kubeconfig("{client-certificate-data: Y2VydA==, client-key-data: a2V5}"));
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->server, "https://127.0.0.1:40183");
  EXPECT_EQ(config->ca_pem, "ca");
  EXPECT_EQ(config->certificate_pem, "cert");
  EXPECT_EQ(config->key_pem, "key");
}

TEST(Kubeconfig, AnythingElseIsAnError) {
  EXPECT_FALSE(parse_kubeconfig("").has_value());
  EXPECT_FALSE(parse_kubeconfig("[").has_value());
  EXPECT_FALSE(parse_kubeconfig("current-context: gone\ncontexts: []\n").has_value());
  EXPECT_FALSE(parse_kubeconfig(kubeconfig("{username: abc}")).has_value()) << "no client certificate and no token";
  EXPECT_FALSE(parse_kubeconfig(kubeconfig("{client-certificate-data: '!!!', client-key-data: a2V5}")).has_value());
  EXPECT_FALSE(load_kubeconfig("/nonexistent/kubeconfig").has_value());
}

TEST(MeshConfig, NamesOfProvidersAreReadSorted) {
  const auto names = extension_providers_of(
      "enableTracing: true\nextensionProviders:\n- {name: otel-tracing, opentelemetry: {port: 4317}}\n"
      "- name: envoy-file\n- 7\n- {noName: x}\n");
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, (std::vector<std::string>{"envoy-file", "otel-tracing"}));
  EXPECT_EQ(*extension_providers_of("accessLogFile: /dev/stdout\n"), std::vector<std::string>{});
  EXPECT_EQ(*extension_providers_of("extensionProviders: none\n"), std::vector<std::string>{});
}

TEST(MeshConfig, WhatIsNoMappingIsAnError) {
  for (const char* text : {"", "- a\n", "a: [b\n", "text"}) {
    const auto names = extension_providers_of(text);
    ASSERT_FALSE(names) << text;
    EXPECT_EQ(names.error().kind, ErrorKind::kEvidence);
  }
}

TEST(Base64, StandardAlphabetWithPadding) {
  EXPECT_EQ(base64_decode("aGVsbG8gd29ybGQ="), "hello world");
  EXPECT_EQ(base64_decode("aGVs\nbG8="), "hello");
  EXPECT_EQ(base64_decode("/+8="), "\xff\xef");
  for (const char* bad : {"a", "aGVsbG8", "aGVsbG8==", "a=b=", "a-b_", "===="})
    EXPECT_EQ(base64_decode(bad), "") << bad;
}

TEST(Prometheus, SumsOverLabelsAndKnowsTotals) {
  const Metrics metrics(
      "# TYPE a counter\n"
      "envoy_tracing_opentelemetry_spans_sent{} 10\n"
      "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"http\"} 3\n"
      "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"} 4 1700000000000\n"
      "otelcol_exporter_sent_spans_total{exporter=\"debug\"} 7\r\n"
      "otelcol_exporter_sent_spans_total{exporter=\"otlp_http\"} 6\n"
      "plain 2\n");
  EXPECT_EQ(metrics.malformed(), 0u);
  EXPECT_EQ(metrics.sum("envoy_tracing_opentelemetry_spans_sent"), 10u);
  EXPECT_EQ(metrics.sum("otelcol_receiver_accepted_spans"), 7u);
  EXPECT_EQ(metrics.sum("otelcol_exporter_sent_spans", "exporter=otlp_http"), 6u);
  EXPECT_EQ(metrics.sum("otelcol_exporter_sent_spans", "exporter=none"), std::nullopt);
  EXPECT_EQ(metrics.sum("absent"), std::nullopt);
  EXPECT_EQ(metrics.sum("plain"), 2u);
  EXPECT_TRUE(metrics.has_prefix("otelcol_"));
  EXPECT_FALSE(metrics.has_prefix("go_"));
}

TEST(Prometheus, EscapesAndRubbish) {
  const Metrics metrics(
      "x{a=\"q\\\"uo\\\\te\\n,}\"} 1\nx{a=\"open} 1\nx{a} 1\nx\nx abc\nx{a=\"b\"} NaN\nx{} 1e3\nx -1\n");
  EXPECT_EQ(metrics.malformed(), 4u);
  ASSERT_FALSE(metrics.samples().empty());
  EXPECT_EQ(metrics.samples()[0].labels.at("a"), "q\"uo\\te\n,}");
  EXPECT_EQ(metrics.sum("x"), 1001u) << "neither NaN nor a negative value is a count";
}

TEST(Prometheus, PrefixesFilter) {
  const Metrics metrics("a_x 1\nb_x 2\n", {"a_"});
  EXPECT_EQ(metrics.samples().size(), 1u);
}

TEST(Template, PlaceholdersAreReplacedAndMissingOnesNamed) {
  EXPECT_EQ(render("a: @x@, mail: me@host, @@", {{"x", "1"}}, "t").value(), "a: 1, mail: me@host, @@");
  const Result<std::string> missing = render("@who_is@", {}, "kind/t.yaml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().what, "kind/t.yaml: no value for @who_is@");
}

TEST(Template, QuotingSurvivesYaml) {
  EXPECT_EQ(yaml_quoted("a\"b\\"), "\"a\\\"b\\\\\"");
  EXPECT_EQ(flow_map({{"a", "true"}, {"b", "1"}}), "{\"a\": \"true\", \"b\": \"1\"}");
  EXPECT_EQ(indented("a\n  b\n\nc\n\n\n", 2), "  a\n    b\n\n  c\n");
}

TEST(Template, DocumentsBecomeObjectsWithPaths) {
  const auto objects = split_manifest(
      "# head\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\n"
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: a}\n");
  ASSERT_TRUE(objects.has_value());
  ASSERT_EQ(objects->size(), 2u);
  EXPECT_EQ(api_path((*objects)[0]).value(), "/api/v1/namespaces/a");
  EXPECT_EQ(api_path((*objects)[1]).value(), "/apis/apps/v1/namespaces/a/deployments/d");
  EXPECT_FALSE(api_path({"batch/v1", "Job", "a", "j", ""}).has_value());
  EXPECT_FALSE(split_manifest("kind: X\n").has_value());
  EXPECT_FALSE(split_manifest("a: [\n").has_value());
}

}  // namespace
}  // namespace hopcheck::mesh
