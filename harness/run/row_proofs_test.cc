// Which records a result leaves about conformance rows.
#include "run/row_proofs.h"

#include <gtest/gtest.h>

namespace hopcheck::run {
namespace {

ScenarioResult scenario(const std::string& name, Verdict verdict, const std::string& expected, bool as_expected) {
  ScenarioResult out;
  out.name = name;
  out.verdict = verdict;
  out.expected_verdict = expected;
  out.as_expected = as_expected;
  out.rows = {"O-60", "O-61"};
  return out;
}

RunResult suite_on_kind() {
  RunResult out;
  out.suite = "e2e";
  out.provider = "kind";
  out.environment.istio = "1.30.4-dev";
  for (const char* version : {"0ebf/1.38.3/Modified/RELEASE/BoringSSL", "77aa/1.39.3/Clean/RELEASE/BoringSSL", ""}) {
    out.environment.proxies.emplace_back();
    out.environment.proxies.back().envoy_version = version;
  }
  out.scenarios = {scenario("sound", Verdict::kPass, "pass", true), scenario("canary", Verdict::kFail, "fail", true),
                   scenario("broken", Verdict::kFail, "pass", false), scenario("missed", Verdict::kPass, "fail", false),
                   scenario("random", Verdict::kFail, "drawn", true)};
  out.scenarios.push_back(scenario("skipped", Verdict::kPass, "pass", true));
  out.scenarios.back().verdict.reset();
  return out;
}

std::vector<std::string> told(const RunResult& result, ProofSource source, RuleSelection rules) {
  std::vector<std::string> out;
  for (const Proof& proof : row_proofs(result, source, rules)) {
    if (proof.row != "O-60") continue;
    out.push_back(proof.result + " " + to_string(proof.polarity) + " " + to_string(proof.kind) +
                  (proof.held ? " held" : " not"));
  }
  return out;
}

using Told = std::vector<std::string>;

TEST(RowProofs, ASuiteTellsOfEveryJudgedScenario) {
  const RunResult result = suite_on_kind();
  EXPECT_EQ(told(result, ProofSource::kRun, RuleSelection::kAll),
            (Told{"run sound positive live held", "run canary negative live held", "run broken positive live not",
                  "run missed negative live not"}));
  const std::vector<Proof> proofs = row_proofs(result, ProofSource::kRun, RuleSelection::kAll);
  ASSERT_EQ(proofs.size(), 8u);
  EXPECT_EQ(proofs[1].row, "O-61");
  EXPECT_EQ(proofs[0].provider, "kind");
  EXPECT_EQ(proofs[0].istio, "1.30.4-dev");
  EXPECT_EQ(proofs[0].envoy, "1.38.3+1.39.3");
  EXPECT_EQ(proofs[0].commit, "");
  EXPECT_EQ(proofs[2].verdict, "fail");
}

TEST(RowProofs, FewerRulesProveNothingButMayFail) {
  EXPECT_EQ(told(suite_on_kind(), ProofSource::kRun, RuleSelection::kSome),
            (Told{"run broken positive live not", "run missed negative live not"}));
}

TEST(RowProofs, StoredEvidenceTellsOnlyOfWhatHeld) {
  RunResult result = suite_on_kind();
  EXPECT_EQ(told(result, ProofSource::kCheck, RuleSelection::kAll),
            (Told{"check sound positive capture held", "check canary negative capture held"}));
  result.provider = "local";
  EXPECT_EQ(told(result, ProofSource::kCheck, RuleSelection::kAll)[0], "check sound positive local held");
}

TEST(RowProofs, AScenarioRunAloneTellsOnlyOfAPass) {
  RunResult result = suite_on_kind();
  result.suite.clear();
  for (ScenarioResult& one : result.scenarios) one.expected_verdict = "pass";
  result.scenarios[0].verdict = Verdict::kFail;
  EXPECT_EQ(told(result, ProofSource::kRun, RuleSelection::kAll), Told{"run missed positive live held"});
}

TEST(RowProofs, InterruptedRunsTellNothing) {
  RunResult result = suite_on_kind();
  result.interrupted = true;
  EXPECT_EQ(told(result, ProofSource::kRun, RuleSelection::kAll), Told{});
}

}  // namespace
}  // namespace hopcheck::run
