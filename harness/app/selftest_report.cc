#include "app/selftest_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "check/catalogue.h"
#include "sim/mutants.h"

namespace hopcheck::app {
namespace {

constexpr size_t kMaxFailures = 40;  // printed; json has all

uint64_t sum(const std::map<std::string, uint64_t>& counts) {
  uint64_t out = 0;
  for (const auto& [reason, count] : counts) out += count;
  return out;
}

std::string share(uint64_t part, uint64_t whole) { return whole == 0 ? "-" : fmt::format("{}/{}", part, whole); }

std::string table(const run::SelftestTally& tally) {
  std::string out = fmt::format("{:<8} {:<34} {:>8} {:>7} {:>14}   {:<18} {}\n", "rule", "mutant", "planted", "caught",
                                "not applicable", "some trace matches", "count >= n");
  const auto row = [&](const std::string& code, size_t index, const run::MutantTally& item) {
    out += fmt::format("{:<8} {:<34} {:>8} {:>7} {:>14}   {:<18} {}\n", code, sim::mutants()[index].name, item.planted,
                       item.caught, sum(item.not_applicable),
                       "passes " + share(item.any_match_passes, item.planted),
                       "passes " + share(item.count_passes, item.planted));
  };
  const auto rows_of = [&](const std::string& code) {
    for (const auto& [index, item] : tally.mutants) {
      if (sim::mutants()[index].code == code) row(code.empty() ? "(none)" : code, index, item);
    }
  };
  for (const check::RuleInfo& rule : check::catalogue()) rows_of(rule.code);
  rows_of("");
  return out;
}

std::string reasons(const run::SelftestTally& tally) {
  std::map<std::string, uint64_t> counts;
  for (const auto& [index, item] : tally.mutants) {
    for (const auto& [reason, count] : item.not_applicable) counts[reason] += count;
  }
  std::string out = counts.empty() ? "" : "\nnot applicable, because:\n";
  for (const auto& [reason, count] : counts) out += fmt::format("{:>8}  {}\n", count, reason);
  return out;
}

std::string failures(const run::SelftestTally& tally) {
  std::string out;
  for (size_t i = 0; i < tally.failures.size() && i < kMaxFailures; ++i) {
    const run::SelftestFailure& item = tally.failures[i];
    out += fmt::format("\n{} on {}, {}, seed {} ({})\n  wanted {}\n  got    {}\n",
                       item.mutant.empty() ? "clean mesh" : item.mutant, item.profile, item.topology, item.seed,
                       item.ground, item.wanted, item.got);
  }
  if (tally.failures.size() > kMaxFailures)
    out += fmt::format("\n… and {} more (-o json has all)\n", tally.failures.size() - kMaxFailures);
  return out;
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : " ") + item;
  return out.empty() ? "none" : out;
}

// By what stands behind each profile: a whole mesh of that version, its proxies alone, or its sources alone.
std::string proof_line(const run::SelftestPlan& plan) {
  std::vector<std::string> live, envoy, source;
  for (const MeshProfile& profile : plan.profiles) {
    auto& list = profile.proof == "live" || profile.proof == "capture" ? live
                 : profile.proof == "envoy"                            ? envoy
                                                                       : source;
    list.push_back(profile.istio_minor);
  }
  return fmt::format("profiles proven live: {}; by Envoy alone: {}; consistency only: {}", joined(live), joined(envoy),
                     joined(source));
}

}  // namespace

std::string selftest_text(const run::SelftestPlan& plan, const run::SelftestTally& tally,
                          const run::SelftestSummary& summary) {
  std::string out = table(tally) + reasons(tally) + failures(tally);
  if (!summary.rules_without_mutant.empty())
    out += fmt::format("\nrules without a mutant that was planted: {}\n", joined(summary.rules_without_mutant));
  if (!summary.rules_unnoticed.empty())
    out += fmt::format("\nrules that can be switched off unnoticed: {}\n", joined(summary.rules_unnoticed));
  if (!plan.without_rules.empty()) out += fmt::format("\njudged without {}\n", joined(plan.without_rules));
  out += fmt::format("\n{} profiles, {} topologies, {} seeds from {}; {} clean runs\n", plan.profiles.size(),
                     plan.topologies.size(), plan.seeds, plan.first_seed, summary.clean_runs);
  if (summary.rules_switched_off > 0) {
    out += fmt::format("rules switched off one by one {}, noticed {}\n", summary.rules_switched_off,
                       summary.rules_switched_off - summary.rules_unnoticed.size());
  }
  out += fmt::format("any-match missed {} / {}; count >= n missed {} / {}\n", summary.any_match_missed, summary.defects,
                     summary.count_missed, summary.defects);
  out += proof_line(plan) + "\n";
  out += fmt::format(
      "mutants caught by their own rule {} / {}, false findings on clean runs {}, rules without mutant {}\n",
      summary.caught, summary.planted, summary.false_findings, summary.rules_without_mutant.size());
  return out;
}

std::string selftest_json(const run::SelftestPlan& plan, const run::SelftestTally& tally,
                          const run::SelftestSummary& summary) {
  nlohmann::ordered_json out;
  out["passed"] = summary.passed;
  out["planted"] = summary.planted;
  out["caught"] = summary.caught;
  out["cleanRuns"] = summary.clean_runs;
  out["falseFindings"] = summary.false_findings;
  out["rulesWithoutMutant"] = summary.rules_without_mutant;
  out["rulesSwitchedOff"] = summary.rules_switched_off;
  out["rulesUnnoticed"] = summary.rules_unnoticed;
  out["defects"] = summary.defects;
  out["anyMatchMissed"] = summary.any_match_missed;
  out["countMissed"] = summary.count_missed;
  out["seed"] = plan.first_seed;
  out["seeds"] = plan.seeds;
  out["withoutRules"] = plan.without_rules;
  for (const MeshProfile& profile : plan.profiles)
    out["profiles"].push_back({{"name", profile.name}, {"proof", profile.proof}});
  for (const auto& [index, item] : tally.mutants) {
    const sim::Mutant& mutant = sim::mutants()[index];
    out["mutants"].push_back({{"name", mutant.name},
                              {"rule", mutant.code},
                              {"planted", item.planted},
                              {"caught", item.caught},
                              {"anyMatchPasses", item.any_match_passes},
                              {"countPasses", item.count_passes},
                              {"notApplicable", item.not_applicable}});
  }
  out["failures"] = nlohmann::ordered_json::array();
  for (const run::SelftestFailure& item : tally.failures) {
    out["failures"].push_back({{"mutant", item.mutant},
                               {"profile", item.profile},
                               {"topology", item.topology},
                               {"ground", item.ground},
                               {"seed", item.seed},
                               {"wanted", item.wanted},
                               {"got", item.got}});
  }
  return out.dump(2) + "\n";
}

}  // namespace hopcheck::app
