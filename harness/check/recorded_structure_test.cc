// Section 8 of the conformance rows on recorded meshes: nesting, counts, times, and that each breach is noticed.
#include <set>

#include "check/recorded_test.h"
#include "report/hops.h"

namespace hopcheck::check {
namespace {

const std::string kPlain = "1.30-1.38-grpc-app-gateway-plain";
const std::string kSdk = "1.30-1.38-grpc-app-gateway-sdk-plain";
const std::string kRetry = "1.30-1.38-grpc-app-gateway-retry-sidecar";

constexpr uint64_t kMs = 1'000'000;

class StructureRows : public RecordedTest {
 protected:
  // Of the capture with SDK services, whose Deployments are called as the services.
  static Which mesh(std::string_view workload, SpanKind kind) {
    return [=](const Span& span) { return workload_of(span) == workload && span.kind == kind; };
  }
  static Which app(std::string_view service, SpanKind kind) {
    return [=](const Span& span) {
      return !by_envoy(span) && span.resource->service_name == service && span.kind == kind;
    };
  }
  // The same span sort in the trace of another span.
  Span& in_trace(const TraceId& trace, const Which& which) {
    return one([&](const Span& span) { return span.trace_id == trace && which(span); });
  }
  std::vector<std::string> edges_of_spans() const {
    const Classifier classifier(scenario_.topology);
    std::set<std::string> out;
    for (const Span& span : spans_) {
      const Span* above = parent_of(span);
      if (above == nullptr || !by_envoy(span) || !by_envoy(*above)) continue;
      const SpanInfo here = classifier.classify(span), there = classifier.classify(*above);
      if (here.role == ProxyRole::kInbound && there.role != ProxyRole::kInbound)
        out.insert(classifier.service_label(there.service) + " -> " + classifier.service_label(here.service));
    }
    return {out.begin(), out.end()};
  }
  std::vector<std::string> edges_of_report() {
    std::vector<std::string> out;
    for (const auto& [from, to] : report::dependency_edges(judged().scenarios.at(0))) out.push_back(from + " -> " + to);
    return out;
  }
};

using Edges = std::vector<std::string>;

TEST_F(StructureRows, AHopLeavesClientServerAndAppSpanNestedInOneTrace) {
  proof::claim({"O-60", "O-61", "O-62", "O-63", "O-72"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kSdk);
  EXPECT_TRUE(passes());
  size_t hops = 0;
  for (const auto& [trace, spans] : traces()) {
    size_t roots = 0;
    for (const Span* span : spans) roots += span->parent_id.is_zero() ? 1 : 0;
    EXPECT_EQ(roots, 1u);
    for (const auto& [from, to] : {std::pair("frontend", "checkout"), std::pair("checkout", "payments")}) {
      ++hops;
      const auto here = [&](const Which& which) {
        return std::count_if(spans.begin(), spans.end(), [&](const Span* span) { return which(*span); });
      };
      EXPECT_EQ(here(mesh(from, SpanKind::kClient)), 1);
      EXPECT_EQ(here(mesh(to, SpanKind::kServer)), 1);
      EXPECT_EQ(here(app(to, SpanKind::kServer)), 1);
      const Span& client = in_trace(trace, mesh(from, SpanKind::kClient));
      const Span& server = in_trace(trace, mesh(to, SpanKind::kServer));
      const Span& app_server = in_trace(trace, app(to, SpanKind::kServer));
      EXPECT_EQ(server.parent_id, client.span_id);
      EXPECT_EQ(app_server.parent_id, server.span_id);
      const Span* above = parent_of(client);
      for (int depth = 0; depth < 5 && above != nullptr && above->kind != SpanKind::kServer; ++depth)
        above = parent_of(*above);
      ASSERT_NE(above, nullptr);
      EXPECT_EQ(above->span_id, in_trace(trace, app(from, SpanKind::kServer)).span_id);
    }
  }
  EXPECT_EQ(hops, 60u);
}

TEST_F(StructureRows, AMissingClientServerOrAppSpanIsFound) {
  proof::claim({"O-60"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  const TraceId trace = one(mesh("checkout", SpanKind::kClient)).trace_id;
  const auto without = [&](const Which& which) {
    restore();
    EXPECT_EQ(remove([&](const Span& span) { return span.trace_id == trace && which(span); }), 1u);
    return findings();
  };
  EXPECT_TRUE(only(without(mesh("checkout", SpanKind::kClient)), "HOP0301", "payments"));
  EXPECT_TRUE(only(without(mesh("payments", SpanKind::kServer)), "HOP0301", "payments"));
  EXPECT_EQ(without(app("payments", SpanKind::kServer)).size(), 1u);
  EXPECT_EQ(without(app("payments", SpanKind::kServer))[0].substr(0, 7), "HOP1101");
}

TEST_F(StructureRows, AMeshServerSpanUnderAnotherParentIsFound) {
  proof::claim({"O-61"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  Span& server = one(mesh("payments", SpanKind::kServer));
  server.parent_id = in_trace(server.trace_id, app("checkout", SpanKind::kServer)).span_id;
  EXPECT_TRUE(only(findings(), "HOP0202", "payments"));
}

TEST_F(StructureRows, AnAppSpanBesideTheMeshServerSpanIsFound) {
  proof::claim({"O-62"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  Span& server = one(app("payments", SpanKind::kServer));
  server.parent_id = parent_of(*parent_of(server))->span_id;  // the caller's client span
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].substr(0, 24), "HOP0202 service=payments");
}

TEST_F(StructureRows, ACallThatSkipsItsAppSpanIsFound) {
  proof::claim({"O-63"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  Span& client = one(mesh("checkout", SpanKind::kClient));
  client.parent_id = in_trace(client.trace_id, mesh("checkout", SpanKind::kServer)).span_id;
  EXPECT_TRUE(only(findings(), "HOP0202", "payments"));
}

TEST_F(StructureRows, ASecondRootAndASecondTraceAreFound) {
  proof::claim({"O-72"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  one(mesh("checkout", SpanKind::kClient)).parent_id = {};
  EXPECT_TRUE(only(findings(), "HOP0203", "payments"));
  open("1.30-1.38-grpc-app-gateway-checkout-forwards-none");
  EXPECT_EQ(findings(), Edges{"HOP0601 service=checkout header=traceparent"});
}

TEST_F(StructureRows, DatabaseSpansAreNoHops) {
  proof::claim({"O-67"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kSdk);
  EXPECT_EQ(count([](const Span& span) { return span.name == "SELECT cart" || span.name == "INSERT txn"; }), 60u);
  EXPECT_TRUE(passes());
  EXPECT_EQ(edges_of_report(), (Edges{"checkout -> payments", "frontend -> checkout", "gateway -> frontend"}));
}

TEST_F(StructureRows, AMeshSpanInTheDatabasesPlaceIsOneHopTooMany) {
  proof::claim({"O-67"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  const Span& insert = one([](const Span& span) { return span.name == "INSERT txn"; });
  Span call = in_trace(insert.trace_id, mesh("checkout", SpanKind::kClient));
  call.span_id.bytes[0] ^= 0x55;
  call.parent_id = insert.span_id;
  call.start_unix_nanos = insert.start_unix_nanos;
  call.end_unix_nanos = insert.end_unix_nanos;
  spans_.push_back(call);
  const auto found = findings();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].substr(0, 7), "HOP0302");
}

TEST_F(StructureRows, ChildrenLieWithinTheirParents) {
  proof::claim({"O-68"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  for (const std::string& name : {kPlain, kSdk}) {
    open(name);
    EXPECT_TRUE(passes()) << name;
    for (const Span& span : spans_) {
      const Span* above = parent_of(span);
      if (above == nullptr) continue;
      EXPECT_GE(span.start_unix_nanos + kMs, above->start_unix_nanos);
      if (by_envoy(span)) {
        EXPECT_LE(span.end_unix_nanos, above->end_unix_nanos + kMs);
      }
    }
  }
}

TEST_F(StructureRows, AChildBeforeOrAfterItsParentIsListedByHow) {
  proof::claim({"O-68"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  Span& early = one(mesh("payments-dep", SpanKind::kServer));
  early.start_unix_nanos = parent_of(early)->start_unix_nanos - 3 * kMs;
  JudgeResult result = judged();
  ASSERT_TRUE(only(codes(result), "HOP0701", "payments"));
  EXPECT_NE(result.scenarios[0].findings[0].actual.find("3ms"), std::string::npos)
      << result.scenarios[0].findings[0].actual;
  restore();
  Span& late = one(mesh("payments-dep", SpanKind::kServer));
  late.end_unix_nanos = parent_of(late)->end_unix_nanos + 60 * kMs;
  result = judged();
  ASSERT_TRUE(only(codes(result), "HOP0702", "payments"));
  EXPECT_NE(result.scenarios[0].findings[0].actual.find("60ms"), std::string::npos)
      << result.scenarios[0].findings[0].actual;
  scenario_.rules.nesting_tolerance_nanos = 70 * kMs;
  scenario_.rules.overhang_tolerance_nanos = 70 * kMs;
  EXPECT_TRUE(passes()) << "within the tolerance that the scenario states";
}

TEST_F(StructureRows, GapsOfEachHopAreTheDifferencesOfItsSpans) {
  proof::claim({"O-69"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kSdk);
  const JudgeResult result = judged();
  size_t hops = 0;
  for (const HopResult& hop : result.scenarios.at(0).hops) {
    if (hop.from == "gateway") continue;
    ++hops;
    int64_t longest_wire = 0, longest_proxy = 0;
    for (const auto& [trace, spans] : traces()) {
      const auto length = [](const Span& span) {
        return static_cast<int64_t>(span.end_unix_nanos - span.start_unix_nanos);
      };
      const int64_t client = length(in_trace(trace, mesh(hop.from, SpanKind::kClient)));
      const int64_t server = length(in_trace(trace, mesh(hop.to, SpanKind::kServer)));
      const int64_t in_app = length(in_trace(trace, app(hop.to, SpanKind::kServer)));
      EXPECT_GE(client - server, 0);
      EXPECT_GE(server - in_app, -static_cast<int64_t>(kMs));
      longest_wire = std::max(longest_wire, client - server);
      longest_proxy = std::max(longest_proxy, server - in_app);
    }
    EXPECT_EQ(hop.wire_gap.count, 30u);
    EXPECT_EQ(hop.proxy_gap.count, 30u);
    EXPECT_EQ(hop.wire_gap.max, longest_wire);
    EXPECT_EQ(hop.proxy_gap.max, longest_proxy);
    EXPECT_GT(hop.wire_gap.p50, 0);
  }
  EXPECT_EQ(hops, 2u);
}

TEST_F(StructureRows, ANegativeGapIsFound) {
  proof::claim({"O-69"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  for (Span& span : spans_) {  // a server span longer than the client span above it
    if (!mesh("payments", SpanKind::kServer)(span)) continue;
    span.end_unix_nanos = parent_of(span)->end_unix_nanos + 55 * kMs;
  }
  EXPECT_TRUE(only(findings(), "HOP0702", "payments"));
}

// Each delay is laid into every span that encloses it, as a clock would have seen it.
TEST_F(StructureRows, DelayOnTheWireMovesTheWireGapAloneAndDelayInTheAppNeither) {
  proof::claim({"O-70"}, Polarity::kPositive, ProofKind::kSimulated, kIstio130);
  proof::claim({"O-70"}, Polarity::kNegative, ProofKind::kSimulated, kIstio130);
  open(kSdk);
  const auto hop_of = [&] {
    const JudgeResult result = judged();
    for (const HopResult& hop : result.scenarios.at(0).hops) {
      if (hop.to == "payments") return hop;
    }
    return HopResult{};
  };
  const auto lengthen = [&](const Which& innermost, uint64_t by) {
    for (const auto& [trace, spans] : traces()) {
      Span* span = &in_trace(trace, innermost);
      for (int depth = 0; depth < 20 && span != nullptr; ++depth) {
        span->end_unix_nanos += by;
        span = const_cast<Span*>(parent_of(*span));
      }
    }
  };
  const HopResult before = hop_of();
  ASSERT_GT(before.wire_gap.buckets.size(), 1u) << "a distribution, not a number";
  lengthen(mesh("checkout", SpanKind::kClient), 20 * kMs);
  const HopResult wire = hop_of();
  EXPECT_NEAR(static_cast<double>(wire.wire_gap.p50 - before.wire_gap.p50), 20.0 * kMs, 0.2 * kMs);
  EXPECT_EQ(wire.proxy_gap.p50, before.proxy_gap.p50);
  restore();
  lengthen(app("payments", SpanKind::kServer), 20 * kMs);
  const HopResult in_app = hop_of();
  EXPECT_EQ(in_app.wire_gap.p50, before.wire_gap.p50);
  EXPECT_EQ(in_app.proxy_gap.p50, before.proxy_gap.p50);
  EXPECT_GT(in_app.own_time.p50, before.own_time.p50 + static_cast<int64_t>(19 * kMs))
      << "it is in the hop all the same";
}

TEST_F(StructureRows, DependenciesReadFromTheTracesAreTheTopologys) {
  proof::claim({"M-61"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  for (const std::string& name : {kPlain, kSdk}) {
    open(name);
    Edges wanted = {"gateway -> " + scenario_.topology.entry};
    for (const Service& service : scenario_.topology.services) {
      for (const Call& call : service.calls) wanted.push_back(service.name + " -> " + call.to);
    }
    std::sort(wanted.begin(), wanted.end());
    EXPECT_EQ(edges_of_spans(), wanted);
    EXPECT_EQ(edges_of_report(), wanted);
  }
}

TEST_F(StructureRows, AMissingAndASurplusDependencyAreFound) {
  proof::claim({"M-61"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  remove([](const Span& span) {
    return workload_of(span) == "payments-dep" || mesh("checkout-dep", SpanKind::kClient)(span);
  });
  EXPECT_EQ(edges_of_report(), (Edges{"frontend -> checkout", "gateway -> frontend"}));
  EXPECT_FALSE(passes());
  restore();
  scenario_.topology.services[1].calls.clear();  // a deployment in which checkout calls nobody
  EXPECT_EQ(edges_of_spans(), (Edges{"checkout -> payments", "frontend -> checkout", "gateway -> frontend"}));
  const auto found = findings();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].substr(0, 7), "HOP0302");
}

// The apps of this capture take up to 45 ms of their own.
TEST_F(StructureRows, TheHopWithADelayRanksAsTheSlowest) {
  proof::claim({"M-62"}, Polarity::kPositive, ProofKind::kSimulated, kIstio130);
  open(kPlain);
  for (const auto& [from, to] : {std::pair("frontend-dep", "checkout"), std::pair("checkout-dep", "payments")}) {
    restore();
    for (const auto& [trace, spans] : traces()) {
      Span* span = &in_trace(trace, mesh(from, SpanKind::kClient));
      for (int depth = 0; depth < 20 && span != nullptr; ++depth) {
        span->end_unix_nanos += 200 * kMs;
        span = const_cast<Span*>(parent_of(*span));
      }
    }
    const JudgeResult result = judged();
    const auto ranked = report::slowest_first(result.scenarios.at(0));
    ASSERT_EQ(ranked.size(), 3u);
    EXPECT_EQ(ranked[0]->to, to);
    EXPECT_GT(ranked[0]->own_time.p50, static_cast<int64_t>(199 * kMs));
    EXPECT_LT(ranked[1]->own_time.p50, static_cast<int64_t>(100 * kMs)) << "the delay counts for its own hop alone";
    EXPECT_NE(report::slowest_hop(result.scenarios[0]).find(std::string("→ ") + to), std::string::npos);
  }
}

TEST_F(StructureRows, WithoutADelayNoHopStandsOut) {
  proof::claim({"M-62"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  const JudgeResult result = judged();
  const auto ranked = report::slowest_first(result.scenarios.at(0));
  ASSERT_EQ(ranked.size(), 3u);
  EXPECT_LT(ranked[0]->own_time.p50, static_cast<int64_t>(100 * kMs));
}

TEST_F(StructureRows, ThePairRuleHoldsWhereAppsMakeNoSpansAndIsSaid) {
  proof::claim({"D-17"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPlain);
  EXPECT_TRUE(passes());
  const JudgeResult pairs = judged();
  for (const HopResult& hop : pairs.scenarios.at(0).hops) {
    EXPECT_EQ(hop.rule, "pair");
    EXPECT_EQ(report::app_cell(hop), "none (pair rule)");
  }
  open(kSdk);
  EXPECT_TRUE(passes());
  const JudgeResult triples = judged();
  for (const HopResult& hop : triples.scenarios.at(0).hops) {
    EXPECT_EQ(hop.rule, "triple");
    EXPECT_EQ(report::app_cell(hop), "30");
  }
}

TEST_F(StructureRows, WhereAppsMakeSpansTheirAbsenceIsFound) {
  proof::claim({"D-17"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  remove([](const Span& span) { return !by_envoy(span) && span.resource->service_name == "payments"; });
  EXPECT_EQ(findings(), Edges{"HOP1103 service=payments"});
  const JudgeResult result = judged();
  for (const HopResult& hop : result.scenarios.at(0).hops) EXPECT_EQ(hop.rule, "triple");
}

TEST_F(StructureRows, DeclaredRetriesExplainMoreServerSpans) {
  proof::claim({"M-74"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kRetry);
  const JudgeResult result = judged();
  EXPECT_EQ(codes(result), Edges{});
  EXPECT_EQ(count(mesh("checkout-dep", SpanKind::kClient)), 3u);
  EXPECT_EQ(count(mesh("payments-dep", SpanKind::kServer)), 9u);
  EXPECT_EQ(result.spans_by_class[static_cast<size_t>(SpanClass::kDuplicate)], 0u);
}

TEST_F(StructureRows, UndeclaredRetriesAreFound) {
  proof::claim({"M-74"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kRetry);
  scenario_.faults.clear();
  EXPECT_FALSE(passes());
  const auto found = findings();
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const std::string& one) {
    return one.substr(0, 7) == "HOP0302" && one.find("payments") != std::string::npos;
  }));
}

}  // namespace
}  // namespace hopcheck::check
