// What makes a Collector's file useless is refused with its place: placeholders, lost indentation, no YAML.
#include "otelcol/manifest.h"

#include "otelcol/walkthrough_test.h"
#include "testing/claims.h"

namespace hopcheck::otelcol {
namespace {

TEST(CollectorManifest, PlaceholdersAreRefusedByNameAndLine) {
  proof::claim({"M-04"}, Polarity::kNegative, ProofKind::kSource);
  EXPECT_EQ(refusal(fixture()),
            "otel.yaml:18:19: the placeholder <gRPC-Endpoint> was not replaced by a value\n"
            "otel.yaml:20:27: the placeholder <gRPC-Token> was not replaced by a value\n");
  const std::string in_object = with(filled(), "image: otel/", "image: <namespace>/<service-name>/");
  EXPECT_EQ(refusal(in_object), "otel.yaml:102:18: the placeholder <namespace> was not replaced by a value\n");
}

TEST(CollectorManifest, TheFilledInManifestIsTaken) {
  proof::claim({"M-04", "M-99"}, Polarity::kPositive, ProofKind::kSource);
  const Manifest manifest = must_read(filled());
  ASSERT_EQ(manifest.documents.size(), 3u);
  ASSERT_EQ(manifest.configurations.size(), 1u);
  EXPECT_EQ(manifest.configurations[0].where,
            "key opentelemetry-collector-config of ConfigMap opentelemetry-collector-conf");
  // Positions inside the ConfigMap's text are the file's.
  const Node* port = key_of(at(&manifest.configurations[0].root, {"extensions", "health_check"}), "port");
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->line, 27);
  EXPECT_EQ(port->column, 9);
}

TEST(CollectorManifest, LostIndentationIsSaidAsSuch) {
  proof::claim({"M-99"}, Polarity::kNegative, ProofKind::kSource);
  const std::string said = refusal(flat(filled()));
  EXPECT_NE(said.find("otel.yaml:1:1: no line is indented: the indentation is lost; copy the text again with its "
                      "leading blanks\n"),
            std::string::npos)
      << said;
  EXPECT_EQ(said.find(kToken), std::string::npos);
  // The ConfigMap alone happens to be YAML.
  EXPECT_EQ(refusal(flat(filled().substr(0, filled().find("---\n")))),
            "otel.yaml:4:1: `name` stands beside `metadata:`, which is empty, and belongs under it: the indentation is "
            "lost; copy the text again with its leading blanks\n");
}

TEST(CollectorManifest, LostIndentationOfTheInnerConfigurationIsPlaced) {
  const std::string inner =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata:\n  otel: |\n    receivers:\n    otlp:\n"
      "    exporters:\n    debug:\n";
  EXPECT_EQ(refusal(inner).substr(0, 60), std::string("otel.yaml:7:5: `otlp` stands beside `receivers:`, which is e"));
  EXPECT_NE(refusal("receivers:\notlp:\nprotocols:\nservice:\n").find("indentation is lost"), std::string::npos);
  // Sections that are really empty are no such thing.
  EXPECT_EQ(refusal("receivers:\nexporters:\n  debug:\nservice:\n"), "");
}

TEST(CollectorManifest, EveryProblemIsSaidAtOnceWithItsPlace) {
  EXPECT_EQ(refusal("receivers: {otlp: , otlp: }\nexporters: {otlp: {endpoint: <host>}}\n"),
            "otel.yaml:1:21: `otlp` is given twice\n"
            "otel.yaml:2:30: the placeholder <host> was not replaced by a value\n");
  EXPECT_NE(refusal("receivers: [\n").find("not valid YAML"), std::string::npos);
  EXPECT_NE(refusal("a: 1\n").find("no Collector configuration is in this file"), std::string::npos);
  EXPECT_NE(refusal("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {otel: \"receivers: [exporters:\"}\n"),
            "");
}

TEST(CollectorManifest, AQuotedConfigurationIsReadAtItsScalar) {
  const Manifest manifest = must_read(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  otel: \"receivers: {otlp: }\\nexporters: {debug: "
      "}\"\n");
  ASSERT_EQ(manifest.configurations.size(), 1u);
  EXPECT_FALSE(manifest.configurations[0].in_place);
  EXPECT_EQ(manifest.configurations[0].root.line, 5);
}

}  // namespace
}  // namespace hopcheck::otelcol
