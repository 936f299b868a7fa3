// Equal captures have equal signatures; each kind of change of a recorded one is a difference that names it.
#include "check/signature.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "otlp/decode.h"

namespace hopcheck::check {
namespace {

// A recorded capture as text, so that a test can change a word of it.
struct Recorded {
  std::vector<std::string> lines;

  explicit Recorded(const std::string& name) {
    std::ifstream file(std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/captures/" + name + ".jsonl");
    EXPECT_TRUE(file.good()) << name;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  // Replaces the first `count` occurrences.
  Recorded& replace(const std::string& from, const std::string& to, int count = 1) {
    for (std::string& line : lines) {
      for (size_t at = line.find(from); count > 0 && at != std::string::npos; at = line.find(from, at + to.size())) {
        line.replace(at, from.size(), to);
        --count;
      }
    }
    EXPECT_EQ(count, 0) << from;
    return *this;
  }
  Signature signature(size_t skip_first = 0) const {
    Arena arena;
    std::vector<Span> spans;
    for (const std::string& line : lines) {
      const auto decoded = otlp::decode_json(line, arena, spans);
      EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().what);
    }
    return signature_of(spans, skip_first);
  }
};

const std::string kPlain = "1.30-1.38-grpc-app-gateway-plain";

std::string differences(const Signature& expected, const Signature& actual, CountRule rule = CountRule::kExact) {
  return to_text(compare_signatures(expected, actual, rule));
}

TEST(Signature, CountsTracesAndSpans) {
  const Signature plain = Recorded(kPlain).signature();
  EXPECT_EQ(plain.traces, 21U);
  EXPECT_EQ(plain.spans, 147U);
  ASSERT_EQ(plain.shapes.size(), 1U);
  EXPECT_EQ(plain.shapes.begin()->first.rfind("7 spans: istio-ingressgateway.istio-system SERVER ", 0), 0U);
  EXPECT_EQ(plain.facts.size(), 7U);
}

TEST(Signature, OrderOfArrivalDoesNotMatter) {
  Recorded reversed(kPlain);
  std::reverse(reversed.lines.begin(), reversed.lines.end());
  EXPECT_EQ(differences(Recorded(kPlain).signature(), reversed.signature()), "no difference\n");
}

TEST(Signature, TwoRunsOfTheSameTrafficDoNotDiffer) {
  // The same journeys over gRPC and over HTTP; the first three traces of the latter are cut by the change of transport.
  const Signature grpc = Recorded(kPlain).signature(4);
  const Signature http = Recorded("1.30-1.38-http-app-gateway-plain").signature(3);
  EXPECT_EQ(grpc.traces, 17U);
  EXPECT_EQ(differences(grpc, http), "no difference\n");
  EXPECT_NE(differences(grpc, Recorded("1.30-1.38-http-app-gateway-plain").signature()), "no difference\n");
}

TEST(Signature, RetriedAttemptsDifferOnlyByTheRace) {
  const Signature a = Recorded("1.30-1.38-grpc-app-gateway-retry-gateway").signature();
  EXPECT_EQ(a.shapes.size(), 1U);  // attempts with DC and without are one shape
  EXPECT_EQ(a.shapes.begin()->second, 3U);
}

struct Change {
  const char* from;
  const char* to;
  const char* named;
};

TEST(Signature, EveryChangeOfASpanIsADifferenceThatNamesIt) {
  const Signature plain = Recorded(kPlain).signature();
  const std::vector<Change> changes = {
      {R"("key":"zone")", R"("key":"zones")", "zones:string"},
      {R"({"key":"request_size","value":{"stringValue":"0"}})", R"({"key":"request_size","value":{"intValue":"0"}})",
       "request_size:int"},
      {R"("stringValue":"outbound|8080||payments)", R"("stringValue":"outbound|80||payments)", "outbound|80||payments"},
      {R"({"key":"response_flags","value":{"stringValue":"-"}})",
       R"({"key":"response_flags","value":{"stringValue":"UF"}})", "response_flags:string = UF"},
      {R"("kind":3)", R"("kind":2)", "SERVER"},
      {R"("status":{})", R"("status":{"code":2})", "status ERROR"},
      {R"("scope":{"name":"envoy")", R"("scope":{"name":"istio")", "scope istio"},
      {R"("name":"payments.shop.svc.cluster.local:8080/*")", R"("name":"egress payments")", "egress payments"},
      {R"("parentSpanId":")", R"("parentSpanId":"00000000000000f1","was":")", "a span that is not here"},
      {R"("traceId":"2)", R"("traceState":"a=b","traceId":"2)", "trace state"},
      {R"("traceId":"2)", R"("flags":1,"traceId":"2)", "flags 1"},
      {R"({"key":"telemetry.sdk.language")", R"({"key":"telemetry.sdk.lang")", "resource telemetry.sdk.lang:string"},
      {"sidecar~10.", "router~10.", "node_id:string = router~*~"},
      {R"(/1.38.3/)", R"(/1.38.2/)", "*/1.38.2/*"},
      {R"("stringValue":"frontend-app.shop")", R"("stringValue":"frontend")", "frontend "},
  };
  for (const Change& change : changes) {
    SCOPED_TRACE(change.from);
    const std::string text = differences(plain, Recorded(kPlain).replace(change.from, change.to).signature());
    EXPECT_NE(text.find(change.named), std::string::npos) << text;
  }
}

TEST(Signature, AddressesAreKnownByWhoseTheyAre) {
  Recorded changed(kPlain);
  // The address of some inbound span's caller becomes one that nobody has.
  changed.replace(R"({"key":"peer.address","value":{"stringValue":"10.244.0.)",
                  R"({"key":"peer.address","value":{"stringValue":"10.99.0.)");
  const std::string text = differences(Recorded(kPlain).signature(), changed.signature());
  EXPECT_NE(text.find("peer.address:string = ip, other"), std::string::npos) << text;
}

TEST(Signature, WhatDiffersBetweenRunsIsNoDifference) {
  Recorded other(kPlain);
  other.replace("/Modified/", "/Clean/", 3);
  other.replace("curl/7.88.1", "curl/8.0", 5);
  other.replace("/buy?x=1", "/buy?x=2", 5);
  EXPECT_EQ(differences(Recorded(kPlain).signature(), other.signature()), "no difference\n");
}

TEST(Signature, SampledCapturesAreComparedByPresence) {
  const Signature half = Recorded("1.30-1.38-grpc-app-gateway-sampling50-plain").signature(1);
  const Signature plain = Recorded(kPlain).signature();
  EXPECT_NE(differences(half, plain), "no difference\n");
  EXPECT_EQ(differences(half, plain, CountRule::kPresence), "no difference\n");
  const Signature off = Recorded("1.30-1.38-grpc-app-gateway-spawnoff").signature();
  EXPECT_NE(differences(half, off, CountRule::kPresence), "no difference\n");
  EXPECT_NE(differences(half, off, CountRule::kSubset), "no difference\n");
  EXPECT_EQ(differences(half, Signature{}, CountRule::kSubset), "no difference\n");
  EXPECT_NE(differences(half, Signature{}, CountRule::kPresence), "no difference\n");
}

TEST(Signature, NothingAtAllIsEmpty) {
  const Signature none = signature_of({});
  EXPECT_EQ(none.traces, 0U);
  EXPECT_EQ(differences(none, none), "no difference\n");
}

}  // namespace
}  // namespace hopcheck::check
