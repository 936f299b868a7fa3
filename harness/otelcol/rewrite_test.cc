// The walkthrough's Collector in the form of a later release: only what breaks is changed, comments stay, twice is
// once, no token is shown, and what cannot be edited safely is refused.
#include "otelcol/rewrite.h"

#include "otelcol/walkthrough_test.h"
#include "testing/claims.h"
#include "testing/source_tree.h"

namespace hopcheck::otelcol {
namespace {

constexpr Version kCurrent{0, 161, 0};

std::string rewritten(const std::string& text, const Version& target = kCurrent) {
  const auto out = rewrite(text, "otel.yaml", target);
  EXPECT_TRUE(out) << config::to_text(out.error());
  return out ? out->text : "";
}
std::string left_over(const std::string& text) {
  const auto out = rewrite(text, "otel.yaml", kCurrent);
  return out ? "" : config::to_text(out.error());
}

// A configuration in one line of flow style, and what becomes of it.
struct Flow {
  const char *before, *after;
};
const Flow kFlows[] = {
    {"receivers: {otlp: {protocols: {grpc: , http: }}}\nexporters: {}\n",
     "receivers: {otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317} , http: {endpoint: 0.0.0.0:4318} }}}\n"
     "exporters: {}\n"},
    {"receivers: {otlp: {protocols: {grpc, http: {}}}}\nexporters: {}\n",
     "receivers: {otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}, http: {endpoint: 0.0.0.0:4318}}}}\n"
     "exporters: {}\n"},
    {"receivers: {otlp: {protocols: {http: {cors: {}}}}}\nexporters: {logging: {loglevel: info}}\n",
     "receivers: {otlp: {protocols: {http: {endpoint: 0.0.0.0:4318, cors: {}}}}}\n"
     "exporters: {debug: {verbosity: normal}}\n"},
    {"receivers: {otlp: {protocols: {grpc: ~}}}\nexporters: {\"logging/a\": null}\n",
     "receivers: {otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}}}}\n"
     "exporters: {\"debug/a\": {verbosity: normal}}\n"},
    {"receivers:\n  otlp:\n    protocols:\n      grpc:  # pods send here\n        tls: {}\nexporters: {}\n",
     "receivers:\n  otlp:\n    protocols:\n      grpc:  # pods send here\n        endpoint: 0.0.0.0:4317\n"
     "        tls: {}\nexporters: {}\n"},
    {"exporters: {}\nextensions:\n  health_check:\n",
     "exporters: {}\nextensions:\n  health_check:\n    endpoint: 0.0.0.0:13133\n"},
    {"exporters: {}\nextensions: {health_check: {port: \"13134\"}}\n",
     "exporters: {}\nextensions: {health_check: {endpoint: \"0.0.0.0:13134\"}}\n"},
    {"exporters: {}\r\nextensions:\r\n  health_check:\r\n    port: 13133",
     "exporters: {}\r\nextensions:\r\n  health_check:\r\n    endpoint: 0.0.0.0:13133"},
};

TEST(CollectorRewrite, TheWalkthroughInItsCurrentForm) {
  proof::claim({"D-08"}, Polarity::kPositive, ProofKind::kSource);
  const auto out = rewrite(filled(), "otel.yaml", kCurrent);
  ASSERT_TRUE(out) << config::to_text(out.error());
  EXPECT_EQ(testing::golden_difference("fixtures/golden/otelcol-walkthrough.diff", out->diff), "");
  EXPECT_EQ(told(find_breakages(must_read(out->text), kCurrent)), "");
  // Comments, and all that is not named in the difference, are as they were.
  EXPECT_NE(out->text.find("inject: \"false\" # Disable sidecar injection for the Collector."), std::string::npos);
  EXPECT_NE(out->text.find(std::string("          Authentication: \"") + kToken + "\"\n"), std::string::npos);
}

TEST(CollectorRewrite, TwiceIsOnce) {
  const std::string once = rewritten(filled());
  const auto twice = rewrite(once, "otel.yaml", kCurrent);
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->text, once);
  EXPECT_EQ(twice->diff, "");
  for (const Flow& flow : kFlows) EXPECT_EQ(rewritten(flow.after), flow.after);
}

TEST(CollectorRewrite, EveryLayoutIsEditedInPlace) {
  for (const Flow& flow : kFlows) EXPECT_EQ(rewritten(flow.before), flow.after);
}

TEST(CollectorRewrite, OnlyWhatTheTargetBreaksIsChanged) {
  EXPECT_EQ(rewritten(filled(), {0, 54, 0}), filled());
  const std::string before_logging_went = rewritten(filled(), {0, 104, 0});
  EXPECT_NE(before_logging_went.find("loglevel: debug"), std::string::npos);
  EXPECT_NE(before_logging_went.find("endpoint: 0.0.0.0:4317"), std::string::npos);
  EXPECT_NE(before_logging_went.find("opentelemetry-collector:0.104.0"), std::string::npos);
}

TEST(CollectorRewrite, TheDifferenceHidesTokens) {
  for (const char* value : {"canary-token-one", "|\n            canary-token-one\n            canary-token-two"}) {
    const std::string text = with(filled(), std::string("\"") + kToken + "\"", value);
    const auto out = rewrite(text, "otel.yaml", kCurrent);
    ASSERT_TRUE(out) << config::to_text(out.error());
    EXPECT_EQ(out->diff.find("canary-token"), std::string::npos) << out->diff;
    EXPECT_NE(out->diff.find("[hidden]"), std::string::npos);
    EXPECT_NE(out->text.find("canary-token-one"), std::string::npos);
    EXPECT_TRUE(holds_token(must_read(text)));
  }
  const auto in_a_row = rewrite(
      "receivers: {otlp: {protocols: {grpc: }}}\n"
      "exporters: {logging: , otlp: {endpoint: b, headers: {A: canary-token}}}\n",
      "f", kCurrent);
  ASSERT_TRUE(in_a_row);
  EXPECT_NE(in_a_row->diff.find("+exporters: {debug: {verbosity: normal} , otlp: {endpoint: b, headers: {A: [hidden]"),
            std::string::npos)
      << in_a_row->diff;
  EXPECT_FALSE(holds_token(must_read(with(filled(), kToken, "${env:TOKEN}"))));
}

TEST(CollectorRewrite, WhatCannotBeEditedSafelyIsLeftToAPerson) {
  EXPECT_NE(left_over("receivers: {}\nexporters:\n  logging:\n  debug:\n")
                .find("otel.yaml:3:3: the exporter `logging` is gone: left to you"),
            std::string::npos);
  EXPECT_NE(left_over("exporters: {}\nextensions: {health_check: {port: 1, endpoint: \"0.0.0.0:2\"}}\n")
                .find("no key `port`: left to you"),
            std::string::npos);
  EXPECT_NE(left_over("receivers: {}\nexporters: {logging: {loglevel: loud}}\n").find("has no `loglevel`: left to you"),
            std::string::npos);
  EXPECT_NE(left_over("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"
                      "  otel: \"receivers: {}\\nexporters: {logging: }\"\n")
                .find("left to you"),
            std::string::npos);
  EXPECT_NE(left_over(fixture()).find("the placeholder <gRPC-Token> was not replaced"), std::string::npos);
}

TEST(CollectorRewrite, TagsOfImagesAreReadOrLeftAlone) {
  EXPECT_EQ(image_tag("otel/opentelemetry-collector:0.54.0")->version, (Version{0, 54, 0}));
  EXPECT_EQ(image_tag("localhost:5000/otel/opentelemetry-collector"), std::nullopt);
  EXPECT_EQ(image_tag("otel/opentelemetry-collector:latest"), std::nullopt);
  EXPECT_EQ(image_tag("otel/opentelemetry-collector:0.54.0@sha256:00"), std::nullopt);
}

}  // namespace
}  // namespace hopcheck::otelcol
