// Rows O1 to O5 of otlp-and-faults.md, section 2.5, as far as evidence alone shows them: arrival, late spans, times.
// What needs a running process (O2: drain; O4: clocks that are stepped; O5: a generator that is stopped) is tested
// where that runs.
#include "run/test_row_mesh.h"

namespace hopcheck::run {
namespace {

constexpr uint64_t kSecond = 1'000'000'000, kMs = 1'000'000, kUs = 1'000;

class OrderRow : public RowMesh {
 protected:
  void shuffle(sim::Mesh& mesh, uint64_t seed) {
    Rng rng(seed);
    for (size_t i = mesh.spans.size(); i > 1; --i) {
      const size_t other = rng.below(i);
      std::swap(mesh.spans[i - 1], mesh.spans[other]);
      std::swap(mesh.origin[i - 1], mesh.origin[other]);
    }
    // Arrival and frame say when and in which batch a span came: one by one, all at once, minutes apart.
    for (size_t i = 0; i < mesh.spans.size(); ++i) {
      mesh.spans[i].frame_sequence = rng.below(mesh.spans.size());
      mesh.spans[i].arrival_unix_nanos = mesh.spans[i].start_unix_nanos + rng.below(60 * kSecond);
    }
  }

  // The proxy's span of one hop moved by `by` at its end.
  sim::Mesh with_end(int64_t by_nanos) {
    sim::Mesh mesh = make("checkout");
    sim::Hand hand(mesh, arena_, rng_);
    const size_t child = find(hand, "payments", ProxyRole::kInbound);
    hand.span(child).end_unix_nanos = hand.span(*hand.parent(child)).end_unix_nanos + static_cast<uint64_t>(by_nanos);
    return mesh;
  }
};
class RowO1 : public OrderRow {};
class RowO2 : public OrderRow {};
class RowO3 : public OrderRow {};
class RowO4 : public OrderRow {};
class RowO5 : public OrderRow {};

TEST_F(RowO1, TheVerdictDoesNotHangOnTheOrderOfArrival) {
  for (const sim::Mutant& mutant : sim::mutants()) {
    if (mutant.ground.mixed) continue;  // the selftest alone knows the second profile
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      sim::Ground ground = mutant.ground;
      if (!ground.traceparent && seed == 2) ground.traceparent = TraceparentMode::kNone;
      sim::Mesh mesh = plant(mutant.name, make("checkout", ground, seed), seed).mesh;
      // At least once is what OTLP promises: every third span comes twice.
      const size_t own = mesh.spans.size();
      for (size_t i = 0; i < own; i += 3) {
        mesh.spans.push_back(mesh.spans[i]);
        mesh.origin.push_back(mesh.origin[i]);
      }
      const std::string first = run_json(mesh);
      for (uint64_t round = 1; round <= 4; ++round) {
        shuffle(mesh, seed * 100 + round);
        ASSERT_EQ(run_json(mesh), first) << mutant.name << " seed " << seed << " round " << round;
      }
    }
  }
}

TEST_F(RowO2, LateSpansMendTheVerdictAndThoseOfAnotherRunAreForeign) {
  const sim::Mesh whole = make("checkout");
  sim::Mesh early = plant("drop-inbound", whole).mesh;
  EXPECT_EQ(judge(early).scenarios[0].verdict, Verdict::kFail);
  // The same evidence with what arrived later, judged again.
  EXPECT_EQ(judge(whole).scenarios[0].verdict, Verdict::kPass);
  sim::Ground headerless;
  headerless.traceparent = TraceparentMode::kNone;
  for (const sim::Ground& ground : {sim::Ground{}, headerless}) {
    sim::Mesh now = make("checkout", ground, 2);
    const sim::Mesh before = make("checkout", ground, 1);
    // A trace without one tagged span cannot be told from this run's: all of these carry tags in their proxies' spans.
    now.spans.insert(now.spans.end(), before.spans.begin(), before.spans.end());
    for (ProxyFact& proxy : now.environment.proxies) proxy.sent_before = proxy.sent_after = std::nullopt;
    const check::JudgeResult result = judge(now);
    EXPECT_EQ(names(result), Names{});
    EXPECT_EQ(result.spans_by_class[static_cast<size_t>(SpanClass::kForeign)], before.spans.size());
  }
}

TEST_F(RowO3, ContainmentHasItsTolerances) {
  for (const int64_t inside : {0l, 1l * static_cast<int64_t>(kUs), static_cast<int64_t>(kMs)})
    EXPECT_EQ(names(with_end(inside)), Names{}) << inside;
  EXPECT_EQ(names(with_end(static_cast<int64_t>(10 * kSecond))), Names{"HOP0702 hop=checkout->payments"});
  for (const uint64_t early : {kUs, kMs}) {
    sim::Mesh mesh = make("checkout");
    sim::Hand hand(mesh, arena_, rng_);
    const size_t child = find(hand, "payments", ProxyRole::kInbound);
    hand.span(child).start_unix_nanos = hand.span(*hand.parent(child)).start_unix_nanos - early;
    EXPECT_EQ(names(mesh), Names{}) << early;
    hand.span(child).start_unix_nanos -= 10 * kSecond;
    EXPECT_EQ(names(mesh), Names{"HOP0701 hop=checkout->payments"});
  }
}

TEST_F(RowO3, OddTimesAreFindingsAndNoneOverflows) {
  const auto with = [&](uint64_t start, uint64_t end) {
    sim::Mesh mesh = make("chain");
    sim::Hand hand(mesh, arena_, rng_);
    const auto leaves = hand.all([&](size_t i) { return mesh.origin[i].request == 0 && hand.children(i).empty(); });
    hand.span(leaves.back()).start_unix_nanos = start;
    hand.span(leaves.back()).end_unix_nanos = end;
    return mesh;
  };
  sim::Mesh zero = make("checkout");
  sim::Hand hand(zero, arena_, rng_);
  const size_t leaf = hand.all([&](size_t i) { return hand.children(i).empty(); }).front();
  hand.span(leaf).end_unix_nanos = hand.span(leaf).start_unix_nanos;
  EXPECT_EQ(names(zero), Names{}) << "zero duration is one";
  for (const auto& [start, end] : {std::pair<uint64_t, uint64_t>{0, 0}, {0, UINT64_MAX}, {UINT64_MAX, UINT64_MAX},
                                   {UINT64_MAX, 0}, {5, 1}}) {
    const auto found = names(with(start, end));
    ASSERT_FALSE(found.empty()) << start << " " << end;
    for (const std::string& name : found) EXPECT_EQ(name.rfind("HOP07", 0), 0u) << start << " " << end << " " << name;
  }
}

TEST_F(RowO3, AWrongUnitIsSaid) {
  for (const auto& [factor, word] : {std::pair<uint64_t, std::string>{kUs, "microseconds"}, {kMs, "milliseconds"},
                                     {kSecond, "seconds"}}) {
    sim::Mesh mesh = make("checkout");
    sim::Hand hand(mesh, arena_, rng_);
    const auto leaves = hand.all([&](size_t i) { return mesh.origin[i].request == 0 && hand.children(i).empty(); });
    Span& span = hand.span(leaves.back());
    span.start_unix_nanos /= factor;
    span.end_unix_nanos /= factor;
    const auto found = findings(judge(mesh));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].code, "HOP0701");
    EXPECT_NE(found[0].actual.find("in " + word), std::string::npos) << found[0].actual;
  }
}

// A wall clock that is stepped between two requests moves whole requests: nothing is compared across them.
TEST_F(RowO4, AWallClockStepBetweenRequestsIsNoFinding) {
  for (const int64_t hours : {-1, 1}) {
    sim::Mesh mesh = make("checkout");
    const auto by = static_cast<uint64_t>(hours * 3600 * static_cast<int64_t>(kSecond));
    for (size_t i = 0; i < mesh.spans.size(); ++i) {
      if (mesh.origin[i].request < 2) continue;
      mesh.spans[i].start_unix_nanos += by;
      mesh.spans[i].end_unix_nanos += by;
    }
    EXPECT_EQ(names(mesh), Names{}) << hours;
  }
}

TEST_F(RowO5, LateSendsAreNotedAndStructureStands) {
  sim::Mesh mesh = make("checkout");
  for (LedgerEntry& entry : mesh.ledger) {
    entry.outcome.sent_unix_nanos = entry.outcome.due_unix_nanos + 20 * static_cast<int64_t>(kMs);
    entry.outcome.done_unix_nanos = entry.outcome.sent_unix_nanos + 5 * static_cast<int64_t>(kMs);
  }
  const check::JudgeResult result = judge(mesh);
  EXPECT_EQ(names(result), Names{});
  const auto& notes = result.scenarios[0].notes;
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
    return note.find("4 of 4 requests went out more than 10 ms late") != std::string::npos;
  }));
  const sim::Mutated missing = plant("drop-inbound", mesh);
  EXPECT_EQ(names(missing.mesh), Names{"HOP0301 " + subject_key(missing.planted.subject)});
}

}  // namespace
}  // namespace hopcheck::run
