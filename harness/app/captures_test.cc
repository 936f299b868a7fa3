// The recorded captures of real meshes against the scenarios of their environments: the diagonal is
// fixtures/captures/expected.json, off it nothing passes that differs in profile, entry, naming, fault or journey.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "app/stored_run.h"

namespace hopcheck::app {
namespace {

using Json = nlohmann::json;
const std::string kRoot = HOPCHECK_SOURCE_DIR;
const std::string kCaptures = kRoot + "/fixtures/captures/";

Json expected_answers() {
  std::ifstream file(kCaptures + "expected.json");
  return Json::parse(file).at("captures");
}

Result<RunResult> judge(const std::string& capture, const std::string& scenario, const std::string& ledger) {
  BareCapture files;
  files.capture = kCaptures + capture + ".jsonl";
  files.scenario = kCaptures + "scenarios/" + scenario + ".yaml";
  if (!ledger.empty()) files.ledger = kCaptures + ledger;
  return judge_bare(files, {kRoot}, {});
}

TEST(Captures, EveryRecordedCaptureGetsItsAnswer) {
  size_t judged = 0;
  const Json answers = expected_answers();
  for (const auto& [name, answer] : answers.items()) {
    SCOPED_TRACE(name);
    const auto result = judge(name, name, answer.value("ledger", ""));
    ASSERT_TRUE(result) << result.error().what;
    EXPECT_EQ(to_string(result->verdict), answer.at("verdict").get<std::string>());
    for (const SumCheck& sum : result->sums) EXPECT_TRUE(sum.holds) << sum.text;
    ++judged;
    if (answer.contains("needs")) continue;  // rules that are not there yet: the verdict alone is fixed
    const ScenarioResult& scenario = result->scenarios.at(0);
    for (size_t i = 0; i < scenario.requests_by_class.size(); ++i) {
      EXPECT_EQ(scenario.requests_by_class[i],
                answer.at("requestsByClass").value(to_string(static_cast<RequestClass>(i)), uint64_t{0}))
          << to_string(static_cast<RequestClass>(i));
    }
    const Json by_class = answer.value("spansByClass", Json::object());
    for (const auto& [klass, count] : by_class.items()) {
      uint64_t got = 0;
      for (size_t i = 0; i < result->spans_by_class.size(); ++i) {
        if (klass == to_string(static_cast<SpanClass>(i))) got = result->spans_by_class[i];
      }
      EXPECT_EQ(got, count.get<uint64_t>()) << klass;
    }
    std::vector<std::string> found, wanted;
    for (const Finding& finding : scenario.findings) found.push_back(finding.code + " " + subject_key(finding.subject));
    for (const Finding& finding : result->findings) found.push_back(finding.code + " " + subject_key(finding.subject));
    for (const Json& item : answer.at("findings"))
      wanted.push_back(item.at("code").get<std::string>() + " " + item.at("subject").get<std::string>());
    EXPECT_EQ(found, wanted);
  }
  EXPECT_GE(judged, 30u);
}

bool differs(const Scenario& a, const Scenario& b) {
  const auto journeys = [](const Scenario& s) {
    std::vector<std::string> out;
    for (const Journey& journey : s.load.journeys) out.push_back(journey.method + " " + journey.path);
    return out;
  };
  return a.profile != b.profile || a.entry != b.entry || a.environment.naming != b.environment.naming ||
         a.environment.gateway_spawn != b.environment.gateway_spawn || a.topology.name != b.topology.name ||
         a.faults != b.faults || a.inject != b.inject || journeys(a) != journeys(b);
}

// Hundreds of pairs: in parts, so that they share the cores.
constexpr size_t kParts = 4;
class CapturesOffTheDiagonal : public ::testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Part, CapturesOffTheDiagonal, ::testing::Range(size_t{0}, kParts));

TEST_P(CapturesOffTheDiagonal, NothingForeignPasses) {
  const Json answers = expected_answers();
  std::map<std::string, Scenario> scenarios;
  for (const auto& [name, answer] : answers.items()) {
    auto scenario = config::load_scenario(kCaptures + "scenarios/" + name + ".yaml", {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    scenarios[name] = std::move(*scenario);
  }
  size_t pairs = 0, number = 0;
  for (const auto& [capture, answer] : answers.items()) {
    if (number++ % kParts != GetParam()) continue;
    for (const auto& [name, scenario] : scenarios) {
      if (name == capture || !differs(scenarios.at(capture), scenario)) continue;
      const auto result = judge(capture, name, "");
      ASSERT_TRUE(result) << result.error().what;
      EXPECT_NE(result->verdict, Verdict::kPass) << capture << " x " << name;
      ++pairs;
    }
  }
  EXPECT_GE(pairs, 400u / kParts);
}

}  // namespace
}  // namespace hopcheck::app
