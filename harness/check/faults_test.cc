// Declared faults pass, the same faults undeclared are named with rule and hop; clocks that differ by a constant are
// told from broken nesting; declared delays move the gaps they should. On synthesized runs of two journeys.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "check/judge.h"
#include "check/skew.h"
#include "check/span_info.h"
#include "config/load.h"
#include "plan/expand.h"
#include "plan/intent.h"
#include "sim/synthesize.h"

namespace hopcheck::check {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;
constexpr uint64_t kRequests = 12;

Fault fault(Fault::Kind kind, const std::string& at) {
  Fault out;
  out.kind = kind;
  out.at = at;
  return out;
}

using Edit = std::function<void(const Journey&, const ExpectedTree&, std::vector<Span>&)>;

class FaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles) << config::to_text(profiles.error());
    profiles_ = std::move(*profiles);
    auto scenario = config::load_scenario(kRoot + "/scenarios/core/checkout-gateway.yaml", {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    scenario_ = std::move(*scenario);
    // Each service calls with the path it was called by, so that a route can tell the journeys apart.
    for (Service& service : scenario_.topology.services) {
      for (Call& call : service.calls) call.path.clear();
    }
    scenario_.profile = "istio-1.30";
    scenario_.load.requests = kRequests;
    scenario_.load.journeys = {{"plain", 1, "GET", "/plain"}, {"held", 1, "GET", "/held"}};
    tag_.nonce = 0x0123456789abcdef;
  }

  // What the mesh leaves when it does what `played` says.
  void play(const Scenario& played, const Edit& edit = nullptr) {
    spans_.clear();
    ledger_.clear();
    const auto profile = std::find_if(profiles_.begin(), profiles_.end(),
                                      [](const MeshProfile& item) { return item.name == "istio-1.30"; });
    ASSERT_NE(profile, profiles_.end());
    plan::ProfileBinding binding;
    binding.fallback = &*profile;
    const auto expansion = plan::expand(played, binding);
    ASSERT_TRUE(expansion) << expansion.error().what;
    LoadPlan plan;
    plan.tag = tag_;
    plan.count = kRequests;
    plan.journeys = played.load.journeys;
    const plan::TagCipher cipher(tag_);
    Rng rng(7);
    for (uint64_t i = 0; i < kRequests; ++i) {
      LedgerEntry entry;
      entry.intent = plan::intent_at(plan, cipher, i);
      entry.intent.journey = static_cast<uint32_t>(i % played.load.journeys.size());
      entry.scenario = played.name;
      const Journey& journey = played.load.journeys[entry.intent.journey];
      entry.journey = journey.name;
      entry.outcome = {i, 1000, 2000, 3000, OutcomeKind::kOk, 200};
      const ExpectedTree& tree =
          expansion->trees[static_cast<size_t>(expansion->by_journey[entry.intent.journey].front())];
      sim::SynthesisInput synthesis;
      synthesis.tree = &tree;
      synthesis.trace_id = entry.intent.trace_id;
      synthesis.root_parent = entry.intent.span_id;
      synthesis.start_unix_nanos += i * 1'000'000'000;
      auto spans = sim::synthesize(synthesis, arena_, rng);
      if (edit) edit(journey, tree, spans);
      spans_.insert(spans_.end(), spans.begin(), spans.end());
      ledger_.push_back(std::move(entry));
    }
  }

  std::vector<std::string> found_by(const Scenario& claimed) {
    JudgeInput input;
    input.spans = &spans_;
    input.bodies = {1, 1, 0, 0};
    input.tag = tag_;
    input.profiles = &profiles_;
    ScenarioInput scenario;
    scenario.scenario = claimed;
    scenario.ledger = ledger_;
    input.scenarios.push_back(std::move(scenario));
    const auto result = judge(input);
    EXPECT_TRUE(result) << result.error().what;
    std::vector<std::string> out;
    if (!result) return out;
    for (const Finding& finding : result->scenarios[0].findings)
      out.push_back(finding.code + " " + subject_key(finding.subject));
    for (const SumCheck& sum : result->sums) EXPECT_TRUE(sum.holds) << sum.text;
    return out;
  }

  std::vector<MeshProfile> profiles_;
  Scenario scenario_;
  RunTag tag_;
  Arena arena_;
  std::vector<Span> spans_;
  std::vector<LedgerEntry> ledger_;
};

using Found = std::vector<std::string>;

TEST_F(FaultsTest, DeclaredTheyPassUndeclaredTheyAreNamed) {
  Fault abort = fault(Fault::Kind::kAbort, "payments");
  abort.status = 418;
  Fault held = fault(Fault::Kind::kWireDelay, "payments");
  held.delay_nanos = 20'000'000;  // too short for the gaps to be compared
  Fault slow = fault(Fault::Kind::kDelay, "payments");
  slow.delay_nanos = 2'000'000'000;
  Fault timeout = fault(Fault::Kind::kTimeout, "payments");
  timeout.delay_nanos = 500'000'000;
  Fault flaky = fault(Fault::Kind::kRetry, "payments");
  flaky.times = 2;
  const struct {
    std::vector<Fault> faults;
    Found undeclared;
  } cases[] = {
      {{abort}, {"HOP0506 service=payments"}},
      {{held}, {"HOP0509 hop=checkout->payments"}},
      {{slow, timeout}, {"HOP0506 service=payments"}},
      {{flaky}, {"HOP0302 service=payments hop=checkout->payments"}},
      {{fault(Fault::Kind::kAppDown, "payments")}, {"HOP0506 service=payments"}},
      {{fault(Fault::Kind::kNoEndpoint, "checkout")}, {"HOP0506 service=checkout"}},
  };
  for (const auto& item : cases) {
    Scenario faulty = scenario_;
    faulty.faults = item.faults;
    SCOPED_TRACE(to_string(item.faults.back().kind));
    play(faulty);
    EXPECT_EQ(found_by(faulty), Found{});
    EXPECT_EQ(found_by(scenario_), item.undeclared);
    // Declared and not done is no better.
    play(scenario_);
    EXPECT_FALSE(found_by(faulty).empty());
  }
}

TEST_F(FaultsTest, RouteOfOneJourneyIsNamedByItsPath) {
  Scenario faulty = scenario_;
  faulty.faults = {fault(Fault::Kind::kAbort, "frontend")};
  faulty.faults[0].journey = "held";
  play(faulty);
  EXPECT_EQ(found_by(faulty), Found{});
  const std::string route = fqdn(scenario_.topology.services[0]) + ":80";
  const auto named = [&](const std::string& name) {
    return std::count_if(spans_.begin(), spans_.end(), [&](const Span& span) { return span.name == name; });
  };
  EXPECT_EQ(named(route + "/held*"), 6);
  EXPECT_EQ(named(route + "/*"), 12);  // both sides of the other journey's hop
}

TEST_F(FaultsTest, UnknownHostIsOneSpanOfTheGateway) {
  Scenario stray = scenario_;
  stray.load.journeys[1].host = "nosuch.example";
  play(stray);
  EXPECT_EQ(found_by(stray), Found{});
  EXPECT_EQ(spans_.back().name, "egress nosuch.example");
  EXPECT_EQ(spans_.back().attributes.text("response_flags"), "NR");
  EXPECT_FALSE(found_by(scenario_).empty());
}

// Row O-73: two calls at the same time; whichever starts first, their spans overlap and the counts stay.
TEST_F(FaultsTest, ParallelCallsAreOrderFree) {
  const auto topology = config::load_topology("parallel", "", {kRoot});
  ASSERT_TRUE(topology) << config::to_text(topology.error());
  Scenario parallel = scenario_;
  parallel.topology = *topology;
  for (const char* first : {"checkout", "stock"}) {
    play(parallel, [&](const Journey&, const ExpectedTree& tree, std::vector<Span>& spans) {
      ASSERT_EQ(spans.size(), 7u);  // gateway 2, frontend 1, two for each call
      uint64_t earliest_end = UINT64_MAX, latest_start = 0;
      for (size_t i = 0; i < spans.size(); ++i) {
        const ExpectedSpan& node = tree.spans[i];
        if (node.role != ProxyRole::kOutbound) continue;
        if (topology->services[static_cast<size_t>(node.peer)].name == first) spans[i].start_unix_nanos -= 500'000;
        earliest_end = std::min(earliest_end, spans[i].end_unix_nanos);
        latest_start = std::max(latest_start, spans[i].start_unix_nanos);
      }
      EXPECT_LT(latest_start, earliest_end) << "the siblings overlap";
    });
    EXPECT_EQ(found_by(parallel), Found{}) << first;
  }
  // One of the two calls left out is missed.
  Scenario one = parallel;
  one.topology.services[0].calls.pop_back();
  play(one);
  EXPECT_EQ(found_by(parallel), Found{"HOP0301 service=frontend hop=frontend->stock"});
}

void move(Span& span, int64_t nanos) {
  span.start_unix_nanos += static_cast<uint64_t>(nanos);
  span.end_unix_nanos += static_cast<uint64_t>(nanos);
}

TEST_F(FaultsTest, ClocksThatDifferByAConstantAreSaidOnceBrokenNestingIsNot) {
  const auto shifted = [&](const std::function<int64_t()>& next) {
    play(scenario_, [&](const Journey&, const ExpectedTree& tree, std::vector<Span>& spans) {
      const int64_t by = next();
      for (size_t i = 0; i < spans.size(); ++i) {
        const int service = tree.spans[i].service;
        if (service >= 0 && scenario_.topology.services[static_cast<size_t>(service)].name == "payments")
          move(spans[i], by);
      }
    });
    return found_by(scenario_);
  };
  EXPECT_EQ(shifted([] { return int64_t{1'000'000}; }), Found{}) << "within what the pairs allow";
  for (const int64_t by : {int64_t{20'000'000}, int64_t{-20'000'000}}) {
    const Found found = shifted([by] { return by; });
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].substr(0, 12), "HOP0707 hop=");
    EXPECT_NE(found[0].find("payments"), std::string::npos);
  }
  int64_t sign = 1;
  const Found found = shifted([&sign] {
    sign = -sign;
    return sign * 20'000'000;
  });
  EXPECT_EQ(std::count_if(found.begin(), found.end(), [](const auto& f) { return f.substr(0, 7) == "HOP0707"; }), 0);
  EXPECT_NE(std::find(found.begin(), found.end(), "HOP0701 hop=checkout->payments"), found.end());
}

TEST(ClockSkew, IsTheIntersectionWhateverTheOrder) {
  const auto pair = [](SkewBook& book, uint64_t server_start, uint64_t server_end) {
    Resource client_pod, server_pod;
    client_pod.service_name = "a";
    server_pod.service_name = "b";
    Span client, server;
    client.resource = &client_pod;
    server.resource = &server_pod;
    client.start_unix_nanos = 100'000'000;
    client.end_unix_nanos = 200'000'000;
    server.start_unix_nanos = server_start;
    server.end_unix_nanos = server_end;
    book.add(client, {}, server, {});
  };
  SkewBook one, two, both;
  pair(one, 140'000'000, 220'000'000);
  pair(two, 150'000'000, 210'000'000);
  both.merge(two);
  both.merge(one);
  one.merge(two);
  for (const SkewBook* book : {&one, &both}) {
    const SkewInterval& clocks = book->all().begin()->second;
    EXPECT_EQ(clocks.low, -40'000'000);
    EXPECT_EQ(clocks.high, -20'000'000);
    EXPECT_EQ(clocks.pairs, 2u);
    EXPECT_FALSE(clocks.constant(1'000'000)) << "two pairs are too few";
  }
  for (int i = 0; i < 3; ++i) pair(one, 145'000'000, 215'000'000);
  EXPECT_TRUE(one.all().begin()->second.constant(1'000'000));
  EXPECT_FALSE(one.all().begin()->second.constant(20'000'000)) << "the tolerance covers it";
  pair(one, 90'000'000, 150'000'000);
  EXPECT_TRUE(one.all().begin()->second.empty());
}

// The spans of journey "held" that last longer when `at` is slow: those from the root down to the one that waits.
Edit lengthen(const std::function<bool(const ExpectedSpan&)>& waits, int64_t nanos) {
  return [waits, nanos](const Journey& journey, const ExpectedTree& tree, std::vector<Span>& spans) {
    if (journey.name != "held") return;
    for (size_t i = 0; i < spans.size(); ++i) {
      if (!waits(tree.spans[i])) continue;
      for (int up = static_cast<int>(i); up >= 0; up = tree.spans[static_cast<size_t>(up)].parent)
        spans[static_cast<size_t>(up)].end_unix_nanos += static_cast<uint64_t>(nanos);
      return;
    }
  };
}

TEST_F(FaultsTest, WireDelayMovesItsOwnWireGapAppDelayNone) {
  constexpr int64_t kDelay = 200'000'000;
  const int payments = scenario_.topology.find("payments");
  const auto wire = [&](const ExpectedSpan& span) {
    return span.role == ProxyRole::kOutbound && span.peer == payments;
  };
  const auto app = [&](const ExpectedSpan& span) { return span.role == ProxyRole::kNone && span.service == payments; };
  Scenario held = scenario_;
  held.faults = {fault(Fault::Kind::kWireDelay, "payments")};
  held.faults[0].journey = "held";
  held.faults[0].delay_nanos = kDelay;
  play(held, lengthen(wire, kDelay));
  EXPECT_EQ(found_by(held), Found{});
  play(held, lengthen(app, kDelay));
  EXPECT_EQ(found_by(held), Found{"HOP0708 hop=checkout->payments object=wire gap"});

  Scenario slow = held;
  slow.faults[0].kind = Fault::Kind::kDelay;
  play(slow, lengthen(app, kDelay));
  EXPECT_EQ(found_by(slow), Found{});
  play(slow, lengthen(wire, kDelay));
  EXPECT_EQ(found_by(slow), Found{"HOP0708 hop=checkout->payments object=wire gap"});

  // Nothing to compare with: every journey is slow.
  slow.faults[0].journey.clear();
  const auto all = [&](const Edit& edit) {
    return [edit](const Journey& journey, const ExpectedTree& tree, std::vector<Span>& spans) {
      Journey same = journey;
      same.name = "held";
      edit(same, tree, spans);
    };
  };
  play(slow, all(lengthen(app, kDelay)));
  EXPECT_EQ(found_by(slow), Found{});
  play(slow, all(lengthen(wire, kDelay)));
  EXPECT_EQ(found_by(slow), Found{"HOP0708 hop=checkout->payments object=wire gap"});
}

}  // namespace
}  // namespace hopcheck::check
