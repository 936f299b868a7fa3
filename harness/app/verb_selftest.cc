// selftest: the judge against every mutant, profile and topology; exit 0 only when each is reported by its own rule.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/selftest_report.h"
#include "app/verbs.h"
#include "base/text.h"
#include "check/catalogue.h"
#include "config/load.h"
#include "run/selftest_rows.h"
#include "store/proofs.h"

namespace hopcheck::app {
namespace {

constexpr uint64_t kSeeds = 5;
// The first kQuickTopologies with --quick.
constexpr std::array<const char*, 9> kTopologies = {"checkout", "bookinfo", "shop",     "chain", "names",
                                                    "redis",    "ports",    "ports-h2", "shop-sdk"};
constexpr size_t kQuickTopologies = 4;

struct SelftestOptions {
  bool quick = false;
  uint64_t seed = 1;
  uint64_t seeds = 0;  // 0: kSeeds, with --quick 1
  std::vector<std::string> without_rules, rules;
  std::string output;
};

Result<run::SelftestPlan> plan_of(const SelftestOptions& options, const Context& context) {
  run::SelftestPlan plan;
  const config::SearchPath search{context.share};
  auto profiles = config::load_profiles(search);
  if (!profiles) return fail(ErrorKind::kUsage, "the profiles are not valid\n" + config::to_text(profiles.error()));
  plan.profiles = std::move(*profiles);
  for (size_t i = 0; i < (options.quick ? kQuickTopologies : kTopologies.size()); ++i) {
    auto topology = config::load_topology(kTopologies[i], "", search);
    if (!topology) return fail(ErrorKind::kUsage, "a topology is not valid\n" + config::to_text(topology.error()));
    plan.topologies.push_back(std::move(*topology));
  }
  plan.first_seed = options.seed;
  plan.seeds = options.seeds > 0 ? options.seeds : options.quick ? 1 : kSeeds;
  plan.without_rules = options.without_rules;
  plan.only_rules = options.rules;
  for (const auto* list : {&options.without_rules, &options.rules}) {
    for (const std::string& code : *list) {
      const auto& rules = check::catalogue();
      const bool known =
          std::any_of(rules.begin(), rules.end(), [&](const check::RuleInfo& rule) { return code == rule.code; });
      if (!known) {
        return fail(ErrorKind::kUsage, fmt::format("no rule has the code {}", printable(code)), "",
                    "docs/rules/README.md lists them");
      }
    }
  }
  return plan;
}

// Blocks are independent: each thread takes the next one. Merged in block order, so that the report never depends on
// which thread was faster.
run::SelftestTally run_blocks(const run::SelftestPlan& plan) {
  std::vector<run::SelftestTally> tallies(plan.blocks());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t block = next++; block < tallies.size(); block = next++) tallies[block] = selftest_block(plan, block);
  };
  std::vector<std::thread> threads;
  const unsigned workers = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned i = 1; i < workers; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  run::SelftestTally all;
  for (const run::SelftestTally& tally : tallies) all.merge(tally);
  return all;
}

// Results about conformance rows (store/proofs.h says where, and whether).
Result<void> record(const run::SelftestPlan& plan, const run::SelftestTally& tally) {
  for (const Proof& proof : run::selftest_proofs(plan, tally)) {
    if (auto written = store::append_proof(proof); !written) return written;
  }
  return {};
}

void run_selftest(const SelftestOptions& options, Context& context) {
  const auto plan = plan_of(options, context);
  if (!plan) {
    context.exit_code = report_error(plan.error());
    return;
  }
  const run::SelftestTally tally = run_blocks(*plan);
  const run::SelftestSummary summary = run::summarise(*plan, tally);
  const std::string text =
      options.output == "json" ? selftest_json(*plan, tally, summary) : selftest_text(*plan, tally, summary);
  std::fputs(text.c_str(), stdout);
  if (auto recorded = record(*plan, tally); !recorded) {
    context.exit_code = report_error(recorded.error());
    return;
  }
  context.exit_code = summary.passed ? 0 : 1;
}

}  // namespace

void add_selftest(CLI::App& app, Context& context) {
  auto options = std::make_shared<SelftestOptions>();
  CLI::App* verb = app.add_subcommand("selftest", "Judge planted defects: each must be found by its own rule alone");
  verb->add_flag("--quick", options->quick, "four topologies, one seed");
  verb->add_option("--seed", options->seed, "the first seed");
  verb->add_option("--seeds", options->seeds, fmt::format("how many seeds (default {}, with --quick 1)", kSeeds))
      ->check(CLI::Range(1, 10'000));
  verb->add_option("--without-rule", options->without_rules, "judge as if this rule did not exist; repeatable");
  verb->add_option("--rule", options->rules, "plant the mutants of this rule alone; repeatable");
  verb->add_option("-o", options->output, "json")->check(CLI::IsMember({"json"}));
  verb->callback([options, &context] { run_selftest(*options, context); });
}

}  // namespace hopcheck::app
