// Rows S1 to S4 and S7 to S10 of otlp-and-faults.md, section 2.4: what a trace may be made of, and what is said of it.
#include "run/test_row_mesh.h"

namespace hopcheck::run {
namespace {

class RowS1 : public RowMesh {};
class RowS2 : public RowMesh {};
class RowS3 : public RowMesh {};
class RowS4 : public RowMesh {};
class RowS7 : public RowMesh {};
class RowS8 : public RowMesh {};
class RowS9 : public RowMesh {};
class RowS10 : public RowMesh {};

TEST_F(RowS1, InvalidIdsAreOneFindingAndJoinNothing) {
  for (const char* mutant : {"zero-span-id", "zero-trace-id"}) {
    for (uint64_t seed = 1; seed <= 12; ++seed) {
      const sim::Mutated made = plant(mutant, make("checkout"), seed);
      Names expected{"HOP0508 service=" + made.planted.subject.service};
      EXPECT_EQ(names(made.mesh), expected) << mutant << " " << seed;
    }
  }
  // Two requests with spans of trace id zero are not one trace: nothing is mixed.
  sim::Mesh two = make("checkout");
  sim::Hand hand(two, arena_, rng_);
  for (uint32_t request : {0u, 1u}) {
    Span& span = hand.span(find(hand, "payments", ProxyRole::kInbound, request));
    span.trace_id = {};
    span.ids_valid = false;
  }
  const auto found = names(two);
  EXPECT_EQ(std::count(found.begin(), found.end(), "HOP0508 service=payments"), 1);
  EXPECT_TRUE(std::none_of(found.begin(), found.end(), [](const std::string& name) {
    return name.rfind("HOP0206", 0) == 0 || name.rfind("HOP0802", 0) == 0;
  }));
  // A parent id of the wrong length: the decoder keeps none and says so.
  sim::Mesh parent = make("checkout");
  sim::Hand other(parent, arena_, rng_);
  Span& span = other.span(find(other, "payments", ProxyRole::kInbound));
  span.parent_id = {};
  span.ids_valid = false;
  EXPECT_EQ(names(parent), Names{"HOP0508 service=payments"});
  // Its own parent.
  const sim::Mutated own = plant("own-parent", make("checkout"));
  EXPECT_EQ(names(own.mesh), Names{"HOP0204 " + subject_key(own.planted.subject)});
}

TEST_F(RowS2, CyclesRootsAndOrphansAreNamed) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    for (const auto& [mutant, code] : {std::pair("cycle", "HOP0204"), std::pair("second-root", "HOP0203"),
                                       std::pair("orphan", "HOP0201"), std::pair("re-parented", "HOP0202")}) {
      const sim::Mutated made = plant(mutant, make("checkout"), seed);
      EXPECT_EQ(names(made.mesh), Names{std::string(code) + " " + subject_key(made.planted.subject)})
          << mutant << " " << seed;
    }
  }
  // A cycle of a thousand spans that no topology knows.
  sim::Mesh long_cycle = make("checkout");
  sim::Hand hand(long_cycle, arena_, rng_);
  const size_t app = find(hand, "payments", ProxyRole::kNone);
  std::vector<size_t> ring;
  for (int i = 0; i < 1000; ++i) ring.push_back(hand.repeat({app}).front());
  for (size_t i = 0; i < ring.size(); ++i) {
    hand.span(ring[i]).parent_id = hand.span(ring[(i + 1) % ring.size()]).span_id;
    hand.rename(ring[i], "ring");
  }
  EXPECT_EQ(names(long_cycle), (Names{"HOP0204 service=payments", "HOP1102 service=payments object=ring"}));
  // No root: the first span is not exported. Its child's parent id names nobody.
  sim::Mesh rootless = make("checkout");
  sim::Hand third(rootless, arena_, rng_);
  third.erase({find(third, "gateway", ProxyRole::kGatewayServer)});
  sim::count_exports(rootless);
  EXPECT_EQ(names(rootless), Names{"HOP0301 service=gateway hop=gateway->frontend"});
  // A parent in another trace is no parent.
  sim::Mesh across = make("checkout");
  sim::Hand fourth(across, arena_, rng_);
  fourth.span(find(fourth, "payments", ProxyRole::kInbound, 0)).parent_id =
      fourth.span(find(fourth, "checkout", ProxyRole::kOutbound, 1)).span_id;
  EXPECT_EQ(names(across).size(), 1u);
  EXPECT_EQ(names(across)[0].rfind("HOP0201 service=payments ", 0), 0u);
}

TEST_F(RowS3, ContextBrokenAtTheIngressIsNamed) {
  EXPECT_EQ(names(plant("lost-at-entry", make("checkout")).mesh), Names{"HOP0604 service=gateway header=traceparent"});
  EXPECT_EQ(names(plant("replaced-at-entry", make("checkout")).mesh),
            Names{"HOP0604 service=gateway header=traceparent"});
  sim::Ground unsampled;
  unsampled.traceparent = TraceparentMode::kUnsampled;
  EXPECT_EQ(names(make("checkout", unsampled)), Names{});
  EXPECT_EQ(names(plant("unsampled-leak", make("checkout", unsampled)).mesh), Names{"HOP0103"});
  // Lost, cut and reordered alike: what was sent did not arrive.
  for (const char* changed : {"", "vendor=1", "hop=t0,hop=t0"}) {
    sim::Mesh mesh = make("checkout");
    sim::Hand hand(mesh, arena_, rng_);
    for (size_t top : hand.calls_of(1, 0)) {
      for (size_t i : hand.subtree(top)) hand.span(i).trace_state = arena_.copy(changed);
    }
    EXPECT_EQ(names(mesh), Names{"HOP0602 service=checkout header=tracestate"}) << changed;
  }
}

TEST_F(RowS4, DuplicatesAreCountedAndConflictsFail) {
  sim::Mesh mesh = make("checkout");
  sim::Hand hand(mesh, arena_, rng_);
  const size_t span = find(hand, "checkout", ProxyRole::kInbound);
  for (int i = 0; i < 9; ++i) {
    mesh.spans.push_back(mesh.spans[span]);
    mesh.origin.push_back({0, mesh.origin[span].node, sim::Origin::Kind::kCopy});
  }
  const check::JudgeResult result = judge(mesh);
  EXPECT_EQ(names(result), Names{});
  EXPECT_EQ(result.spans_by_class[static_cast<size_t>(SpanClass::kDuplicate)], 9u);
  for (const SumCheck& sum : result.sums) EXPECT_TRUE(sum.holds) << sum.text;
  for (const char* mutant : {"conflict", "conflict-sorting-first"}) {
    const sim::Mutated made = plant(mutant, make("checkout"), 3);
    EXPECT_EQ(names(made.mesh), Names{"HOP0802 " + subject_key(made.planted.subject)});
  }
  // The same span id in two traces is two spans.
  sim::Mesh shared = make("checkout");
  sim::Hand other(shared, arena_, rng_);
  const size_t leaf =
      other.all([&](size_t i) { return shared.origin[i].request == 1 && other.children(i).empty(); })[0];
  other.span(leaf).span_id = other.span(find(other, "payments", ProxyRole::kInbound, 0)).span_id;
  EXPECT_EQ(names(shared), Names{});
}

TEST_F(RowS7, AServiceThatForwardsNoHeaderIsOneFinding) {
  sim::Ground many;
  many.requests = 40;
  for (int service = 1; service <= 4; ++service) {
    const sim::Mutated made = plant("traceparent-lost." + std::to_string(service), make("chain", many));
    const check::JudgeResult result = judge(made.mesh);
    EXPECT_EQ(names(result), Names{"HOP0601 service=link" + std::to_string(service) + " header=traceparent"});
    ASSERT_EQ(result.scenarios[0].findings.size(), 1u);
    EXPECT_EQ(result.scenarios[0].findings[0].count, 40u);
  }
}

// Retries and failures that the scenario declares are part of its expectation; undeclared they are named.
TEST_F(RowS8, DeclaredExtrasAreExpectedAndOthersAreNot) {
  for (const Fault::Kind kind :
       {Fault::Kind::kRetry, Fault::Kind::kFail, Fault::Kind::kAbort, Fault::Kind::kCallTwice}) {
    Fault fault;
    fault.kind = kind;
    fault.at = "checkout";
    sim::Ground ground;
    ground.faults = {fault};
    EXPECT_EQ(names(make("checkout", ground)), Names{}) << to_string(kind);
    sim::Mesh undeclared = make("checkout", ground);
    undeclared.scenario.faults.clear();
    EXPECT_NE(names(undeclared), Names{}) << to_string(kind);
  }
  const sim::Mutated retry = plant("extra-retry", make("checkout"));
  EXPECT_EQ(names(retry.mesh), Names{"HOP0302 " + subject_key(retry.planted.subject)});
  const sim::Mutated error = plant("error-answer", make("checkout"));
  const check::JudgeResult result = judge(error.mesh);
  EXPECT_EQ(names(result), Names{"HOP0506 " + subject_key(error.planted.subject)});
  EXPECT_NE(result.scenarios[0].findings[0].actual.find("response_flags"), std::string::npos);
}

TEST_F(RowS9, ASampledShareIsARateAndNothingIsNoPassWithoutTheControl) {
  sim::Ground half;
  half.traceparent = TraceparentMode::kNone;
  half.sampling = 50;
  half.requests = 60;
  const check::JudgeResult result = judge(make("checkout", half));
  EXPECT_EQ(names(result), Names{});
  const auto& notes = result.scenarios[0].notes;
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
    return note.rfind("sampling 50 %: 30 of 60 requests seen, accepted ", 0) == 0;
  }));
  EXPECT_EQ(names(plant("rate-too-low", make("checkout", half)).mesh), Names{"HOP0106"});
  // 99 % with a request missing is within the interval, and a hundred of a hundred too.
  sim::Ground most = half;
  most.sampling = 99;
  most.requests = 100;
  EXPECT_EQ(names(make("checkout", most)), Names{});
  sim::Ground none = half;
  none.sampling = 0;
  sim::Mesh silent = make("checkout", none);
  EXPECT_TRUE(silent.spans.empty());
  EXPECT_EQ(judge(silent).scenarios[0].verdict, Verdict::kPass);
  silent.environment.control.after_arrived = false;
  EXPECT_EQ(judge(silent).scenarios[0].verdict, Verdict::kUnknown);
}

TEST_F(RowS10, IdentityFailuresSayWhatWasExpectedAndWhatCame) {
  for (const char* mutant : {"other-service-name", "scope-presence", "scope-name", "tag-missing", "tag-wrong",
                             "mesh-span-kind", "resource-missing", "mesh-span-renamed", "app-span-renamed"}) {
    const sim::Mutated made = plant(mutant, make("checkout"), 5);
    const auto found = findings(judge(made.mesh));
    ASSERT_EQ(found.size(), 1u) << mutant;
    EXPECT_FALSE(found[0].expected.empty()) << mutant;
    EXPECT_FALSE(found[0].actual.empty()) << mutant;
    EXPECT_NE(found[0].expected, found[0].actual) << mutant;
  }
  for (const NamingMode mode : {NamingMode::kAppLabelAndNamespace, NamingMode::kCanonicalNameOnly,
                                NamingMode::kCanonicalNameAndNamespace, NamingMode::kOtelSemanticConventions}) {
    sim::Ground ground;
    ground.naming = mode;
    const sim::Mutated made = plant(std::string("stale-naming.") + to_string(mode), make("shop", ground));
    ASSERT_TRUE(made.planted.applies) << made.planted.reason;
    EXPECT_EQ(names(made.mesh), Names{"HOP0401 " + subject_key(made.planted.subject)}) << to_string(mode);
  }
}

// One service calls the other twice, under two paths: spans belong to the call whose path they tell, whichever came
// first.
class CallsByPath : public RowMesh {};
TEST_F(CallsByPath, AreToldApartWhateverTheirOrder) {
  Topology topology = load("checkout");
  Call second = topology.services[0].calls[0];
  second.path = "/quote";
  topology.services[0].calls.push_back(second);
  sim::Mesh mesh = make(topology, {});
  EXPECT_EQ(names(mesh), Names{});
  sim::Hand hand(mesh, arena_, rng_);
  for (uint32_t request = 0; request < mesh.tree_of.size(); ++request) {
    const auto calls = hand.calls_of(topology.find("frontend"), request);
    ASSERT_EQ(calls.size(), 2u);
    ASSERT_EQ(hand.node(calls[1]).path, "/quote");
    const uint64_t earlier = hand.span(calls[1]).start_unix_nanos - hand.span(calls[0]).start_unix_nanos + 100'000;
    for (size_t i : hand.subtree(calls[1])) {
      hand.span(i).start_unix_nanos -= earlier;
      hand.span(i).end_unix_nanos -= earlier;
    }
  }
  EXPECT_EQ(names(mesh), Names{});
  // A path that nobody expects is that of the call whose own path is nowhere else: one finding, at one span.
  const size_t client = hand.calls_of(topology.find("frontend"), 0)[0];
  hand.replace_attribute(client, "http.url", "http://checkout:8080/elsewhere");
  const auto found = findings(judge(mesh));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(row_name(found[0]), "HOP0504 service=frontend object=http.url");
  EXPECT_EQ(found[0].count, 1u);
  ASSERT_EQ(found[0].witnesses.size(), 1u);
  EXPECT_EQ(found[0].witnesses[0].span_id, hand.span(client).span_id);
}

}  // namespace
}  // namespace hopcheck::run
