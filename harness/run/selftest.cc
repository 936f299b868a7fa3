#include "run/selftest.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "check/catalogue.h"
#include "check/hits.h"
#include "check/judge.h"
#include "sim/mutants.h"
#include "sim/peer_checks.h"

namespace hopcheck::run {
namespace {

// How many different grounds the drawn parts of a mutant's ground take within a block.
constexpr uint64_t kDraws = 6;

struct CleanMesh {
  sim::Ground ground;
  sim::Mesh mesh;
};

std::string ground_text(const sim::Ground& ground) {
  return fmt::format("entry {}, traceparent {}, {}, spawn {}, sampling {:g} %{}{}{}", to_string(*ground.entry),
                     to_string(*ground.traceparent), to_string(*ground.naming), *ground.gateway_spawn ? "on" : "off",
                     ground.sampling, ground.ledger ? "" : ", no ledger", ground.pinned_profile ? "" : ", profile auto",
                     ground.faults.empty() ? "" : fmt::format(", {} at {}", to_string(ground.faults[0].kind),
                                                              ground.faults[0].at));
}

struct Judged {
  std::vector<Finding> findings;
  Verdict verdict = Verdict::kPass;
  uint64_t duplicates = 0;
  std::string error;
};

class Block {
 public:
  Block(const SelftestPlan& plan, size_t block)
      : plan_(plan),
        profile_(plan.profiles[block % plan.profiles.size()]),
        topology_(plan.topologies[block / plan.profiles.size() % plan.topologies.size()]),
        seed_(plan.first_seed + block / plan.profiles.size() / plan.topologies.size()) {}

  SelftestTally run() {
    const auto& all = sim::mutants();
    for (size_t i = 0; i < all.size(); ++i) {
      const bool wanted = plan_.only_rules.empty() || std::find(plan_.only_rules.begin(), plan_.only_rules.end(),
                                                                all[i].code) != plan_.only_rules.end();
      if (wanted) plant(i, all[i]);
    }
    if (plan_.only_rules.empty()) {
      for (const sim::Ground& ground : clean_grounds()) clean(ground);
    }
    return std::move(tally_);
  }

 private:
  // Declared faults and drawn grounds beside those that mutants stand on.
  std::vector<sim::Ground> clean_grounds() const {
    std::vector<sim::Ground> out;
    for (uint64_t entry = 0; entry < 4; ++entry) {
      sim::Ground ground;
      ground.entry = static_cast<Entry>(entry);
      ground.pinned_profile = entry % 2 == 0;
      out.push_back(sim::settle(ground, profile_, seed_ + entry));
      ground.traceparent = TraceparentMode::kUnsampled;
      out.push_back(sim::settle(ground, profile_, seed_ + entry));
      const auto kinds = {Fault::Kind::kFail, Fault::Kind::kAbort, Fault::Kind::kRetry, Fault::Kind::kCallTwice,
                          Fault::Kind::kDrop};
      Fault fault;
      fault.kind = *(kinds.begin() + static_cast<std::ptrdiff_t>((seed_ + entry) % kinds.size()));
      fault.at = topology_.services[(seed_ + entry) % topology_.services.size()].name;
      fault.header = entry % 2 == 0 ? "tracestate" : "x-request-id";
      ground.traceparent = TraceparentMode::kSampled;
      ground.faults = {fault};
      out.push_back(sim::settle(ground, profile_, seed_ + entry));
    }
    return out;
  }

  // Made and judged once for each ground; null when it cannot be made.
  const sim::Mesh* clean(const sim::Ground& ground) {
    for (const CleanMesh& item : cleans_) {
      if (item.ground == ground) return &item.mesh;
    }
    auto mesh = sim::simulate(topology_, profile_, ground, seed_, arena_);
    if (!mesh) {
      failed("", ground, "a mesh", mesh.error().what);
      return nullptr;
    }
    cleans_.push_back({ground, std::move(*mesh)});
    const Judged judged = judge(cleans_.back().mesh, plan_.without_rules);
    ++tally_.clean_runs;
    tally_.false_findings += judged.findings.size();
    if (!judged.findings.empty() || !judged.error.empty()) failed("", ground, "no finding", text_of(judged));
    return &cleans_.back().mesh;
  }

  // A mesh half way of an upgrade: the sidecars of one service follow the first version whose proxies draw by
  // themselves. Says why not, where that is no mixture.
  std::string mix(sim::Ground& ground) const {
    if (!ground.mixed) return "";
    if (!profile_.parent_decides_sampling) return "this version's proxies draw by themselves, too";
    const auto newer = std::find_if(plan_.profiles.begin(), plan_.profiles.end(),
                                    [](const MeshProfile& item) { return !item.parent_decides_sampling; });
    if (newer == plan_.profiles.end()) return "no version's proxies draw by themselves";
    std::vector<std::string> meshed;
    for (const Service& service : topology_.services) {
      if (service.meshed) meshed.push_back(service.name);
    }
    if (meshed.empty()) return "no service has a proxy";
    ground.newer = &*newer;
    ground.newer_at = meshed[seed_ % meshed.size()];
    return "";
  }

  void plant(size_t index, const sim::Mutant& mutant) {
    if (mutant.ground.naming && profile_.naming.count(*mutant.ground.naming) == 0) {
      ++tally_.mutants[index].not_applicable[fmt::format("the version lacks {}", to_string(*mutant.ground.naming))];
      return;
    }
    sim::Ground ground = sim::settle(mutant.ground, profile_, seed_ * kDraws + index % kDraws);
    if (const std::string reason = mix(ground); !reason.empty()) {
      ++tally_.mutants[index].not_applicable[reason];
      return;
    }
    const sim::Mesh* clean_mesh = clean(ground);
    if (clean_mesh == nullptr) return;
    MutantTally& tally = tally_.mutants[index];
    const sim::Mutated mutated = sim::apply(mutant, *clean_mesh, seed_ + index, arena_);
    if (!mutated.planted.applies) {
      ++tally.not_applicable[mutated.planted.reason];
      return;
    }
    ++tally.planted;
    if (sim::any_trace_matches(mutated.mesh)) ++tally.any_match_passes;
    if (sim::counts_suffice(mutated.mesh, *clean_mesh)) ++tally.count_passes;
    const Judged judged = judge(mutated.mesh, plan_.without_rules);
    const std::string wanted = mutant.code.empty() ? "no finding" : name(mutant.code, mutated.planted.subject);
    if (!as_wanted(mutant, mutated, judged)) return failed(mutant.name, ground, wanted, text_of(judged));
    ++tally.caught;
    switch_off(mutant, mutated);
  }

  // Without its rule no mutant may be caught. Once for each rule and block of the first seed.
  void switch_off(const sim::Mutant& mutant, const sim::Mutated& mutated) {
    if (mutant.code.empty() || seed_ != plan_.first_seed || !plan_.without_rules.empty()) return;
    SwitchedOff& rule = tally_.switched_off[mutant.code];
    if (rule.tried > 0) return;
    ++rule.tried;
    if (!as_wanted(mutant, mutated, judge(mutated.mesh, {mutant.code}))) ++rule.noticed;
  }

  static bool as_wanted(const sim::Mutant& mutant, const sim::Mutated& mutated, const Judged& judged) {
    const auto copies = std::count_if(mutated.mesh.origin.begin(), mutated.mesh.origin.end(), [](const auto& origin) {
      return origin.kind == sim::Origin::Kind::kCopy;
    });
    if (!judged.error.empty() || judged.duplicates != static_cast<uint64_t>(copies)) return false;
    if (mutant.code.empty()) return judged.findings.empty() && judged.verdict == Verdict::kPass;
    if (judged.findings.size() != 1 || judged.verdict == Verdict::kPass) return false;
    const Finding& finding = judged.findings[0];
    if (finding.code != mutant.code || finding.subject != mutated.planted.subject) return false;
    return std::all_of(finding.consequences.begin(), finding.consequences.end(), [&](const Consequence& item) {
      return std::find(mutant.consequences.begin(), mutant.consequences.end(), item.code) != mutant.consequences.end();
    });
  }

  Judged judge(const sim::Mesh& mesh, const std::vector<std::string>& without_rules) const {
    check::JudgeInput input;
    input.spans = &mesh.spans;
    input.bodies = mesh.bodies;
    input.environment = mesh.environment;
    if (mesh.has_ledger) input.tag = mesh.tag;
    input.profiles = &plan_.profiles;
    input.without_rules = without_rules;
    input.signatures = check::JudgeInput::Signatures::kSkip;
    input.patterns = &patterns_;
    check::ScenarioInput scenario;
    scenario.scenario = mesh.scenario;
    scenario.has_ledger = mesh.has_ledger;
    if (mesh.has_ledger) scenario.ledger = mesh.ledger;
    input.scenarios.push_back(std::move(scenario));
    auto result = check::judge(input);
    Judged out;
    if (!result) {
      out.error = result.error().what;
      return out;
    }
    ScenarioResult& first = result->scenarios[0];
    const check::CanaryOutcome canary{"remove", mesh.canary.reported, true, ""};
    check::judge_canary_outcome(canary, without_rules, first);
    out.findings = first.findings;
    out.findings.insert(out.findings.end(), result->findings.begin(), result->findings.end());
    for (const Finding& finding : out.findings) out.verdict = worst(out.verdict, finding.severity);
    out.duplicates = result->spans_by_class[static_cast<size_t>(SpanClass::kDuplicate)];
    return out;
  }

  static std::string name(const std::string& code, const Subject& subject) {
    const std::string key = subject_key(subject);
    return key.empty() ? code : code + " " + key;
  }

  static std::string text_of(const Judged& judged) {
    if (!judged.error.empty()) return judged.error;
    std::string out;
    for (const Finding& finding : judged.findings) {
      out += (out.empty() ? "" : "; ") + name(finding.code, finding.subject);
      for (const Consequence& item : finding.consequences) out += fmt::format(" > {} {}", item.code, item.subject);
    }
    return out.empty() ? "no finding" : out;
  }

  void failed(const std::string& mutant, const sim::Ground& ground, std::string wanted, std::string got) {
    tally_.failures.push_back(
        {mutant, profile_.name, topology_.name, ground_text(ground), seed_, std::move(wanted), std::move(got)});
  }

  const SelftestPlan& plan_;
  const MeshProfile& profile_;
  const Topology& topology_;
  const uint64_t seed_;
  Arena arena_;
  mutable check::PatternCache patterns_;  // what it remembers changes no judgement
  std::deque<CleanMesh> cleans_;  // references stay valid as it grows
  SelftestTally tally_;
};

}  // namespace

void SelftestTally::merge(const SelftestTally& other) {
  for (const auto& [index, theirs] : other.mutants) {
    MutantTally& ours = mutants[index];
    ours.planted += theirs.planted;
    ours.caught += theirs.caught;
    ours.any_match_passes += theirs.any_match_passes;
    ours.count_passes += theirs.count_passes;
    for (const auto& [reason, count] : theirs.not_applicable) ours.not_applicable[reason] += count;
  }
  clean_runs += other.clean_runs;
  false_findings += other.false_findings;
  for (const auto& [code, theirs] : other.switched_off) {
    switched_off[code].tried += theirs.tried;
    switched_off[code].noticed += theirs.noticed;
  }
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

SelftestTally selftest_block(const SelftestPlan& plan, size_t block) { return Block(plan, block).run(); }

std::vector<std::string> rules_without_mutant() {
  std::vector<std::string> out;
  for (const check::RuleInfo& rule : check::catalogue()) {
    const auto& all = sim::mutants();
    if (std::none_of(all.begin(), all.end(), [&](const sim::Mutant& mutant) { return mutant.code == rule.code; }))
      out.emplace_back(rule.code);
  }
  return out;
}

SelftestSummary summarise(const SelftestPlan& plan, const SelftestTally& tally) {
  SelftestSummary out;
  out.clean_runs = tally.clean_runs;
  out.false_findings = tally.false_findings;
  std::set<std::string> planted;
  for (const auto& [index, item] : tally.mutants) {
    const sim::Mutant& mutant = sim::mutants()[index];
    out.planted += item.planted;
    out.caught += item.caught;
    if (item.planted > 0) planted.insert(mutant.code);
    if (mutant.code.empty()) continue;
    out.defects += item.planted;
    out.any_match_missed += item.any_match_passes;
    out.count_missed += item.count_passes;
  }
  for (const check::RuleInfo& rule : check::catalogue()) {
    const bool asked = plan.only_rules.empty() || std::find(plan.only_rules.begin(), plan.only_rules.end(),
                                                            rule.code) != plan.only_rules.end();
    if (asked && planted.count(rule.code) == 0) out.rules_without_mutant.emplace_back(rule.code);
  }
  for (const auto& [code, rule] : tally.switched_off) {
    ++out.rules_switched_off;
    if (rule.noticed < rule.tried) out.rules_unnoticed.push_back(code);
  }
  out.passed = tally.failures.empty() && out.caught == out.planted && out.rules_without_mutant.empty() &&
               out.rules_unnoticed.empty() && out.planted > 0;
  return out;
}

}  // namespace hopcheck::run
