// compare RUN RUN on recorded captures: what is the same, what the profiles predict, what they do not; and the verb.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/stored_run.h"
#include "preview/compare_runs.h"
#include "testing/claims.h"

namespace hopcheck::app {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;
const std::string kCaptures = kRoot + "/fixtures/captures/";
const std::string kGrpc = "1.30-1.38-grpc-app-gateway-plain", kHttp = "1.30-1.38-http-app-gateway-plain";
const std::string kSpawnOff = "1.30-1.38-grpc-app-gateway-spawnoff";
const std::string kStatus30 = "1.30-1.38-grpc-app-gateway-status", kStatus31 = "1.31-1.39-grpc-app-gateway-status";

// The run that this capture would be.
RunResult judged(const std::string& capture, const std::string& scenario) {
  BareCapture files;
  files.capture = capture;
  files.scenario = kCaptures + "scenarios/" + scenario + ".yaml";
  auto result = judge_bare(files, {kRoot}, {});
  EXPECT_TRUE(result) << (result ? "" : result.error().what);
  if (!result) return {};
  for (ScenarioResult& each : result->scenarios) each.name = "same";
  return std::move(*result);
}
RunResult recorded(const std::string& name) { return judged(kCaptures + name + ".jsonl", name); }

// The capture with some occurrences of one text replaced.
class Changed {
 public:
  Changed(const std::string& name, const std::string& from, const std::string& to, size_t times) : name_(name) {
    std::ifstream in(kCaptures + name + ".jsonl");
    std::string text(std::istreambuf_iterator<char>(in), {});
    size_t done = 0;
    for (size_t at = text.find(from); at != std::string::npos && done < times; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
      ++done;
    }
    EXPECT_GT(done, 0u) << from;
    std::ofstream(path_) << text;
  }
  ~Changed() { std::filesystem::remove(path_); }
  RunResult run() const { return judged(path_, name_); }

 private:
  const std::string name_;
  const std::string path_ = ::testing::TempDir() + "/changed-" + std::to_string(::getpid()) + ".jsonl";
};

std::vector<std::string> said(const preview::RunComparison& comparison) {
  std::vector<std::string> out;
  for (const preview::ScenarioComparison& scenario : comparison.scenarios) {
    for (const preview::RunDifference& d : scenario.differences) {
      const bool predicted = d.klass == preview::RunDifference::Class::kPredicted;
      out.push_back((predicted ? "predicted " : "unpredicted ") + d.what + ": " + d.first + " | " + d.second);
    }
  }
  return out;
}

TEST(CompareRuns, TheSameJourneysOverBothTransportsAreEqual) {
  proof::claim({"M-15"}, Polarity::kPositive, ProofKind::kCapture, {"1.30", "1.38"});
  const preview::RunComparison comparison = preview::compare_runs(recorded(kGrpc), recorded(kHttp));
  ASSERT_EQ(comparison.scenarios.size(), 1u);
  EXPECT_EQ(said(comparison), std::vector<std::string>{});
  EXPECT_EQ(comparison.scenarios[0].kinds, 7u);
  EXPECT_GT(comparison.scenarios[0].first_traces, 0u);
  const std::string text = preview::to_text(comparison, recorded(kGrpc), recorded(kHttp), {"a", "b"});
  EXPECT_TRUE(text.ends_with("\nsignatures equal\n")) << text;
}

TEST(CompareRuns, AMissingSpanAnAttributeAndANameAreUnpredicted) {
  proof::claim({"M-15"}, Polarity::kNegative, ProofKind::kCapture, {"1.30", "1.38"});
  const RunResult whole = recorded(kGrpc);
  const Changed lost(kGrpc, "\"key\":\"component\"", "\"key\":\"elsewhere\"", 1000000);
  const preview::RunComparison by_key = preview::compare_runs(whole, lost.run());
  EXPECT_EQ(by_key.predicted, 0u);
  EXPECT_GE(by_key.unpredicted, 2u * 4);
  bool gone = false, fresh = false;
  for (const std::string& line : said(by_key)) {
    gone = gone || line == "unpredicted attribute component:string: there | not there";
    fresh = fresh || line == "unpredicted attribute elsewhere:string: not there | there";
  }
  EXPECT_TRUE(gone && fresh);

  const Changed renamed(kGrpc, "payments.", "payment5.", 3);
  const preview::RunComparison by_name = preview::compare_runs(whole, renamed.run());
  EXPECT_EQ(by_name.predicted, 0u);
  EXPECT_GT(by_name.unpredicted, 0u);
}

// Istio 1.30 and 1.31 leave the same for the same journey; a gateway without spawned spans leaves one less, which both
// claims say.
TEST(CompareRuns, OnlyWhatTheProfilesPredictDiffersBetweenTwoGoodRuns) {
  const preview::RunComparison upgrade = preview::compare_runs(recorded(kStatus30), recorded(kStatus31));
  ASSERT_EQ(upgrade.scenarios.size(), 1u);
  EXPECT_GT(upgrade.scenarios[0].kinds, 3u);
  EXPECT_EQ(said(upgrade), std::vector<std::string>{});

  const preview::RunComparison spawn = preview::compare_runs(recorded(kGrpc), recorded(kSpawnOff));
  EXPECT_EQ(spawn.unpredicted, 0u);
  EXPECT_GT(spawn.predicted, 0u);
  for (const std::string& line : said(spawn)) EXPECT_EQ(line.rfind("predicted span: ", 0), 0u) << line;
}

TEST(CompareRuns, ScenariosAreTakenByNameAndTwoSingleOnesWhateverTheirNames) {
  RunResult one = recorded(kGrpc), other = recorded(kHttp);
  other.scenarios[0].name = "another";
  EXPECT_EQ(preview::compare_runs(one, other).scenarios.size(), 1u);
  one.scenarios.push_back(one.scenarios[0]);
  one.scenarios[1].name = "second";
  const preview::RunComparison comparison = preview::compare_runs(one, other);
  EXPECT_TRUE(comparison.scenarios.empty());
  EXPECT_EQ(comparison.only_first, (std::vector<std::string>{"same", "second"}));
  EXPECT_EQ(comparison.only_second, std::vector<std::string>{"another"});
}

// Lines by hand: where only some requests have a span, chance decides.
RunResult by_hand(std::vector<SignatureLine> lines) {
  RunResult out;
  ScenarioResult scenario;
  scenario.name = "same";
  scenario.verdict = Verdict::kPass;
  scenario.signature = std::move(lines);
  out.scenarios.push_back(std::move(scenario));
  return out;
}
SignatureLine line(const char* path, uint64_t count, uint64_t traces, const char* expected) {
  SignatureLine out;
  out.journey = "j";
  out.path = path;
  out.count = count;
  out.traces = traces;
  out.expected = expected;
  return out;
}

TEST(CompareRuns, LengthOfTheRunIsNoDifferenceAndNumberAndShareAre) {
  const RunResult ten = by_hand({line("a", 10, 10, "always"), line("a > b", 20, 10, "always")});
  EXPECT_TRUE(said(preview::compare_runs(ten, by_hand({line("a", 50, 50, "always"), line("a > b", 100, 50, "always")})))
                  .empty());
  EXPECT_EQ(said(preview::compare_runs(ten, by_hand({line("a", 10, 10, "always"), line("a > b", 18, 9, "always")}))),
            std::vector<std::string>{"unpredicted share: 10 of 10 traces | 9 of 10 traces"});
  EXPECT_EQ(said(preview::compare_runs(ten, by_hand({line("a", 10, 10, "always"), line("a > b", 21, 10, "always")}))),
            std::vector<std::string>{"unpredicted number: 20 spans in 10 traces | 21 spans in 10 traces"});
}

TEST(CompareRuns, WhatChanceLeavesOutIsANoteAndWhatABothRunsLackIsNot) {
  const RunResult with = by_hand({line("a", 10, 10, "always"), line("a > v2", 4, 4, "sometimes")});
  const RunResult without = by_hand({line("a", 10, 10, "always"), line("a > v2", 0, 0, "sometimes")});
  const preview::RunComparison chance = preview::compare_runs(with, without);
  EXPECT_TRUE(said(chance).empty());
  EXPECT_EQ(chance.scenarios[0].notes, std::vector<std::string>{"j left out by chance in the second run: a > v2"});
  const RunResult broken = by_hand({line("a", 10, 10, "always"), line("a > b", 0, 0, "always")});
  EXPECT_EQ(said(preview::compare_runs(broken, broken)),
            std::vector<std::string>{"unpredicted span: expected and not seen | expected and not seen"});
}

TEST(CompareRuns, ASubtreeThatOneSideLacksIsOneDifference) {
  const RunResult whole = by_hand(
      {line("a", 9, 9, "always"), line("a > b", 9, 9, "always"), line("a > b > c", 9, 9, "always")});
  const preview::RunComparison comparison = preview::compare_runs(whole, by_hand({line("a", 9, 9, "always")}));
  ASSERT_EQ(comparison.scenarios[0].differences.size(), 1u);
  EXPECT_EQ(comparison.scenarios[0].differences[0].path, "a > b");
  EXPECT_EQ(comparison.scenarios[0].differences[0].below, 1u);
  EXPECT_EQ(comparison.predicted, 2u);  // asked for by the first's profile alone
}

}  // namespace
}  // namespace hopcheck::app
