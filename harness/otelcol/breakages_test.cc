// Which parts of the walkthrough's Collector a later release refuses or changes, and since when; what is missing.
#include "otelcol/breakages.h"

#include "otelcol/objects.h"
#include "otelcol/walkthrough_test.h"
#include "testing/claims.h"

namespace hopcheck::otelcol {
namespace {

std::string broken(const std::string& text, const Version& target) {
  return told(find_breakages(must_read(text), target));
}

TEST(CollectorBreakages, TheOldReleaseTakesTheWalkthroughAsItIs) {
  proof::claim({"D-08"}, Polarity::kPositive, ProofKind::kSource);
  EXPECT_EQ(broken(filled(), {0, 54, 0}), "");
}

TEST(CollectorBreakages, EachReleaseBreaksWhatItSays) {
  proof::claim({"D-08"}, Polarity::kNegative, ProofKind::kSource);
  EXPECT_EQ(broken(filled(), {0, 103, 0}), "27 health-check-port\n");
  EXPECT_EQ(broken(filled(), {0, 104, 0}), "12 receiver-localhost\n13 receiver-localhost\n27 health-check-port\n");
  const std::string all = "12 receiver-localhost\n13 receiver-localhost\n23 exporter-logging\n27 health-check-port\n";
  EXPECT_EQ(broken(filled(), {0, 111, 0}), all);
  const auto findings = find_breakages(must_read(filled()), {0, 161, 0});
  EXPECT_EQ(told(findings), all);
  EXPECT_EQ(findings[0].since, "0.104.0");
  EXPECT_EQ(findings[0].effect, Effect::kChanged);
  EXPECT_EQ(findings[2].id, "exporter-alias");
  EXPECT_EQ(findings[3].since, "0.111.0");
  EXPECT_EQ(findings[3].effect, Effect::kRefused);
  EXPECT_EQ(findings[4].since, "0.58.0");
}

TEST(CollectorBreakages, EndpointAndTokenAreAskedForByNameAndNeverQuoted) {
  proof::claim({"M-03"}, Polarity::kNegative, ProofKind::kSource);
  const std::string nowhere = with(filled(), "        endpoint: \"backend.example:4317\"\n", "");
  const auto findings = find_breakages(must_read(nowhere), {0, 54, 0});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].what, "the exporter `otlp` has no endpoint: it does not know the backend");
  EXPECT_EQ(findings[0].row, "M-03");
  const std::string anonymous = with(filled(), std::string("\"") + kToken + "\"", "\"\"");
  EXPECT_EQ(broken(anonymous, {0, 54, 0}), "20 token-missing\n");
  for (const std::string& text : {nowhere, anonymous, filled()})
    EXPECT_EQ(to_text(find_breakages(must_read(text), {0, 161, 0}), "f", "0.161.0").find(kToken), std::string::npos);
}

TEST(CollectorBreakages, EndpointAndTokenGivenAreNoFinding) {
  proof::claim({"M-03"}, Polarity::kPositive, ProofKind::kSource);
  EXPECT_TRUE(find_breakages(must_read(filled()), {0, 54, 0}).empty());
}

TEST(CollectorBreakages, UndefinedComponentsAndLocalhostByHand) {
  const std::string text =
      "receivers: {otlp: {protocols: {grpc: {endpoint: \"localhost:4317\"}}}}\nexporters: {debug: }\n"
      "service: {pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [debug]}}}\n";
  const auto findings = find_breakages(must_read(text), {0, 161, 0});
  EXPECT_EQ(told(findings), "3 undefined-component\n");
  EXPECT_EQ(findings[0].id, "receiver-localhost");
  EXPECT_EQ(findings[0].effect, Effect::kNote);
  EXPECT_EQ(broken("receivers: {}\nexporters: {debug: {loglevel: info}}\n", {0, 161, 0}), "2 debug-loglevel\n");
  EXPECT_EQ(broken("receivers: {}\nexporters: {debug: }\n", {0, 54, 0}), "2 exporter-debug\n");
}

std::string around(const std::string& text) {
  std::string out;
  for (const Finding& finding : find_object_problems(must_read(text), {0, 54, 0}))
    out += std::to_string(finding.line) + " " + finding.id + " " + to_string(finding.effect) + "\n";
  return out;
}

TEST(CollectorObjects, ThePortWithoutAReceiverAndTheMissingProbeAreNotes) {
  EXPECT_EQ(around(filled()), "51 port-unserved note\n88 no-probe note\n");
}

TEST(CollectorObjects, WhatDoesNotFitTogetherIsMissing) {
  EXPECT_NE(around(with(filled(), "  selector:\n    app: opentelemetry-collector\n", "  selector:\n    app: otel\n"))
                .find("64 selector missing"),
            std::string::npos);
  EXPECT_NE(around(with(filled(), "mountPath: /conf", "mountPath: /etc")).find("config-not-mounted missing"),
            std::string::npos);
  EXPECT_NE(around(with(filled(), "                path: opentelemetry-collector-config.yaml",
                        "                path: other.yaml"))
                .find("config-not-mounted missing"),
            std::string::npos);
  EXPECT_NE(around(with(filled(), "inject: \"false\"", "inject: false")).find("label-not-text refused"),
            std::string::npos);
  EXPECT_NE(around(with(filled(), "inject: \"false\"", "inject: \"true\"")).find("sidecar note"), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::otelcol
