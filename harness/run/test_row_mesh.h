// For the tests of rows S and O (otlp-and-faults.md, section 2): a computed mesh, and what the judge says of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "check/judge.h"
#include "config/load.h"
#include "report/json.h"
#include "run/expectation_check.h"
#include "sim/mutants.h"

namespace hopcheck::run {

inline std::string row_name(const Finding& finding) {
  const std::string key = subject_key(finding.subject);
  return key.empty() ? finding.code : finding.code + " " + key;
}

class RowMesh : public testing::Test {
 protected:
  using Names = std::vector<std::string>;

  void SetUp() override {
    auto profiles = config::load_profiles({HOPCHECK_SOURCE_DIR});
    ASSERT_TRUE(profiles) << config::to_text(profiles.error());
    profiles_ = std::move(*profiles);
  }

  // Gateway, our traceparent, service names of the default mode, unless the ground says otherwise.
  sim::Mesh make(const std::string& topology, const sim::Ground& ground = {}, uint64_t seed = 1) {
    return make(load(topology), ground, seed);
  }
  static Topology load(const std::string& name) {
    auto loaded = config::load_topology(name, "", {HOPCHECK_SOURCE_DIR});
    EXPECT_TRUE(loaded) << config::to_text(loaded.error());
    return std::move(*loaded);
  }
  sim::Mesh make(const Topology& topology, sim::Ground ground, uint64_t seed = 1) {
    const auto profile = std::find_if(profiles_.begin(), profiles_.end(),
                                      [](const MeshProfile& item) { return item.name == "istio-1.30"; });
    if (!ground.entry) ground.entry = Entry::kGateway;
    if (!ground.traceparent) ground.traceparent = TraceparentMode::kSampled;
    if (!ground.naming) ground.naming = NamingMode::kAppLabelAndNamespace;
    if (!ground.gateway_spawn) ground.gateway_spawn = true;
    auto mesh = sim::simulate(topology, *profile, ground, seed, arena_);
    EXPECT_TRUE(mesh) << mesh.error().what;
    return std::move(*mesh);
  }

  // The clean mesh with the mutant of that name planted.
  sim::Mutated plant(const std::string& name, const sim::Mesh& clean, uint64_t seed = 1) {
    for (const sim::Mutant& mutant : sim::mutants()) {
      if (mutant.name == name) return sim::apply(mutant, clean, seed, arena_);
    }
    ADD_FAILURE() << "no mutant " << name;
    return {clean, {}};
  }

  check::JudgeInput input_of(const sim::Mesh& mesh) {
    check::JudgeInput input;
    input.spans = &mesh.spans;
    input.bodies = mesh.bodies;
    input.environment = mesh.environment;
    if (mesh.has_ledger) input.tag = mesh.tag;
    input.profiles = &profiles_;
    check::ScenarioInput scenario;
    scenario.scenario = mesh.scenario;
    scenario.has_ledger = mesh.has_ledger;
    if (mesh.has_ledger) scenario.ledger = mesh.ledger;
    input.scenarios.push_back(std::move(scenario));
    return input;
  }

  check::JudgeResult judge(const sim::Mesh& mesh) {
    auto result = check::judge(input_of(mesh));
    EXPECT_TRUE(result) << result.error().what;
    return std::move(*result);
  }

  static std::vector<Finding> findings(const check::JudgeResult& result) {
    std::vector<Finding> out = result.scenarios[0].findings;
    out.insert(out.end(), result.findings.begin(), result.findings.end());
    return out;
  }

  Names names(const check::JudgeResult& result) {
    Names out;
    for (const Finding& finding : findings(result)) out.push_back(row_name(finding));
    return out;
  }
  Names names(const sim::Mesh& mesh) { return names(judge(mesh)); }

  // run.json of what was judged: everything a report can say.
  std::string run_json(const sim::Mesh& mesh) {
    const check::JudgeResult judged = judge(mesh);
    RunResult result;
    result.environment = mesh.environment;
    result.bodies = mesh.bodies;
    result.scenarios = judged.scenarios;
    result.findings = judged.findings;
    result.sums = judged.sums;
    result.spans_by_class = judged.spans_by_class;
    result.spans_stored = judged.spans_stored;
    settle_run(result);
    return report::to_json(result);
  }

  // One request's span by what it is for: "checkout" and the role, or the app span's name.
  static size_t find(sim::Hand& hand, const std::string& service, ProxyRole role, uint32_t request = 0) {
    const auto found = hand.all([&](size_t i) {
      return hand.mesh().origin[i].request == request && hand.node(i).role == role &&
             hand.label(hand.node(i).service) == service;
    });
    EXPECT_FALSE(found.empty()) << service;
    return found.empty() ? 0 : found.front();
  }

  Arena arena_;
  Rng rng_{7};
  std::vector<MeshProfile> profiles_;
};

}  // namespace hopcheck::run
