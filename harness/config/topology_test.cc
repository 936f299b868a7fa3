#include <gtest/gtest.h>

#include "config/load.h"

namespace hopcheck::config {
namespace {

const SearchPath kShare{HOPCHECK_SOURCE_DIR};

Topology shipped(const std::string& name) {
  auto topology = load_topology(name, "", kShare);
  EXPECT_TRUE(topology) << (topology ? "" : to_text(topology.error()));
  return topology.value_or(Topology{});
}

std::string problems_of(const std::string& spec) {
  const auto topology =
      parse_topology("apiVersion: hopcheck.dev/v1alpha1\nkind: Topology\nmetadata: {name: t}\n" + spec, "t.yaml");
  return topology ? "" : to_text(topology.error());
}

TEST(Topology, CheckoutHasFiveApplicationSpans) {
  const Topology t = shipped("checkout");
  ASSERT_EQ(t.services.size(), 3u);
  size_t spans = 0;
  for (const Service& service : t.services) {
    spans += service.spans.size();
    EXPECT_EQ(service.ns, "hop-checkout");
    EXPECT_EQ(service.labels.at("app"), service.name);
    EXPECT_EQ(service.spans[0].kind, SpanKind::kServer);
    EXPECT_FALSE(service.client_spans);
    ASSERT_EQ(service.workloads.size(), 1u);
    EXPECT_EQ(service.workloads[0].name, service.name);
  }
  EXPECT_EQ(spans, 5u);
  EXPECT_EQ(t.services[0].ports[0].port, 80);
  EXPECT_EQ(t.services[0].ports[0].target_port, 8080);
  EXPECT_EQ(t.services[1].calls[0].path, "/charge");
}

TEST(Topology, BookinfoCallsRatingsFromReviewsV2AndV3Only) {
  const Topology t = shipped("bookinfo");
  const Service& reviews = t.services[static_cast<size_t>(t.find("reviews"))];
  ASSERT_EQ(reviews.workloads.size(), 3u);
  ASSERT_EQ(reviews.calls.size(), 1u);
  EXPECT_EQ(reviews.calls[0].when, (std::vector<std::string>{"v2", "v3"}));
  EXPECT_EQ(t.services[static_cast<size_t>(t.find("productpage"))].body_title, "Simple Bookstore App");
}

TEST(Topology, TargetPortDefaultsToPort) {
  const auto t = parse_topology(
      "apiVersion: hopcheck.dev/v1alpha1\nkind: Topology\nmetadata: {name: t}\n"
      "spec: {entry: a, services: [{name: a, instrumentation: none, ports: [{port: 81}]}]}",
      "t.yaml");
  ASSERT_TRUE(t) << to_text(t.error());
  EXPECT_EQ(t->services[0].ports[0].target_port, 81);
}

TEST(Topology, CallCycleIsRefused) {
  const std::string text = problems_of(
      "spec:\n  entry: a\n  services:\n"
      "    - {name: a, instrumentation: forward, calls: [{to: b}]}\n"
      "    - {name: b, instrumentation: forward, calls: [{to: a}]}\n");
  EXPECT_EQ(text, "t.yaml:7:5: spec.services: the calls form a cycle\n");
}

TEST(Topology, TooManyCallsPerRequestAreRefused) {
  const std::string text = problems_of(
      "spec:\n  entry: a\n  services:\n"
      "    - {name: a, instrumentation: forward, calls: [{to: b, count: 100}]}\n"
      "    - {name: b, instrumentation: forward, calls: [{to: c, count: 100}]}\n"
      "    - {name: c, instrumentation: forward}\n");
  EXPECT_EQ(text, "t.yaml:7:5: spec.services: one request would make more than 1000 calls\n");
}

TEST(Topology, UnknownNameOffersTheNearest) {
  const auto topology = load_topology("chekout", "", kShare);
  ASSERT_FALSE(topology);
  EXPECT_NE(to_text(topology.error()).find("did you mean topology \"checkout\"?"), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::config
