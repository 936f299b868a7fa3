// The judge's own test, tested: every rule has a mutant, and no rule can be switched off without selftest noticing.
// That the whole of it holds is the test Selftest.Quick, which runs the program.
#include "run/selftest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "check/catalogue.h"
#include "config/load.h"
#include "run/selftest_rows.h"
#include "sim/mutants.h"

namespace hopcheck::run {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

SelftestPlan small_plan() {
  SelftestPlan plan;
  auto profiles = config::load_profiles({kRoot});
  EXPECT_TRUE(profiles) << config::to_text(profiles.error());
  for (const MeshProfile& profile : *profiles) {
    if (profile.name == "istio-1.30" || profile.name == "istio-1.31") plan.profiles.push_back(profile);
  }
  for (const char* name : {"checkout", "shop"}) {
    auto topology = config::load_topology(name, "", {kRoot});
    EXPECT_TRUE(topology) << config::to_text(topology.error());
    plan.topologies.push_back(std::move(*topology));
  }
  plan.seeds = 2;
  return plan;
}

SelftestSummary run_plan(const SelftestPlan& plan, SelftestTally& tally) {
  for (size_t block = 0; block < plan.blocks(); ++block) tally.merge(selftest_block(plan, block));
  return summarise(plan, tally);
}

TEST(Selftest, EveryRuleOfTheCatalogueHasAMutant) { EXPECT_EQ(rules_without_mutant(), std::vector<std::string>{}); }

TEST(Selftest, MutantsNameRulesOfTheCatalogueAndHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const sim::Mutant& mutant : sim::mutants()) {
    EXPECT_TRUE(names.insert(mutant.name).second) << mutant.name;
    std::vector<std::string> codes = mutant.consequences;
    if (!mutant.code.empty()) codes.push_back(mutant.code);
    for (const std::string& code : codes) {
      EXPECT_TRUE(std::any_of(check::catalogue().begin(), check::catalogue().end(),
                              [&](const check::RuleInfo& rule) { return code == rule.code; }))
          << mutant.name << " " << code;
    }
  }
}

// Planting a rule's mutants alone is part of what the whole selftest does: when that part fails, so does the whole.
TEST(Selftest, NoRuleCanBeSwitchedOffUnnoticed) {
  for (const check::RuleInfo& rule : check::catalogue()) {
    SelftestPlan plan = small_plan();
    plan.only_rules = {rule.code};
    SelftestTally with, without;
    EXPECT_TRUE(run_plan(plan, with).passed)
        << rule.code << (with.failures.empty() ? "" : ": got " + with.failures[0].got);
    plan.without_rules = {rule.code};
    const SelftestSummary summary = run_plan(plan, without);
    EXPECT_FALSE(summary.passed) << rule.code;
    EXPECT_LT(summary.caught, summary.planted) << rule.code;
  }
}

TEST(Selftest, AnAccusedCleanMeshFailsTheWhole) {
  SelftestPlan plan = small_plan();
  plan.only_rules = {"HOP0101"};
  SelftestTally tally;
  ASSERT_TRUE(run_plan(plan, tally).passed);
  SelftestTally accused;
  accused.false_findings = 1;
  accused.failures.push_back({"", "istio-1.30", "checkout", "", 1, "no finding", "HOP0301"});
  tally.merge(accused);
  EXPECT_FALSE(summarise(plan, tally).passed);
}

TEST(Selftest, ARuleThatNobodyMissesFailsTheWhole) {
  SelftestPlan plan = small_plan();
  plan.only_rules = {"HOP0301"};
  SelftestTally tally;
  ASSERT_TRUE(run_plan(plan, tally).passed);
  ASSERT_GT(tally.switched_off["HOP0301"].tried, 0u);
  EXPECT_EQ(tally.switched_off["HOP0301"].noticed, tally.switched_off["HOP0301"].tried);
  --tally.switched_off["HOP0301"].noticed;
  const SelftestSummary summary = summarise(plan, tally);
  EXPECT_FALSE(summary.passed);
  EXPECT_EQ(summary.rules_unnoticed, std::vector<std::string>{"HOP0301"});
}

TEST(Selftest, TheSameSeedPlantsTheSame) {
  SelftestPlan plan = small_plan();
  plan.topologies.resize(1);
  plan.seeds = 1;
  SelftestTally first, second;
  const SelftestSummary a = run_plan(plan, first), b = run_plan(plan, second);
  EXPECT_EQ(a.planted, b.planted);
  EXPECT_EQ(a.any_match_missed, b.any_match_missed);
  EXPECT_EQ(a.count_missed, b.count_missed);
  EXPECT_GT(a.any_match_missed, 0u);
}

TEST(Selftest, ARuleThatIsSwitchedOffTakesItsRowsWithIt) {
  SelftestPlan plan = small_plan();
  plan.topologies.resize(1);
  const auto told = [&] {
    SelftestTally tally;
    run_plan(plan, tally);
    std::vector<std::string> out;
    for (const Proof& proof : selftest_proofs(plan, tally)) {
      EXPECT_EQ(proof.kind, ProofKind::kSimulated);
      out.push_back(proof.row + " " + to_string(proof.polarity) + (proof.held ? " held" : " did not hold"));
    }
    return out;
  };
  const auto all = told();
  EXPECT_EQ(std::count(all.begin(), all.end(), "M-83 positive held"), 1);
  EXPECT_EQ(std::count(all.begin(), all.end(), "M-83 negative held"), 1);
  EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](const std::string& line) { return line.ends_with(" held"); }));
  plan.without_rules = {"HOP0601"};
  EXPECT_EQ(told(), (std::vector<std::string>{"M-80 negative did not hold", "M-83 negative did not hold"}));
  plan.without_rules.clear();
  plan.only_rules = {"HOP0601"};
  EXPECT_EQ(told(), std::vector<std::string>{});
}

}  // namespace
}  // namespace hopcheck::run
