// The command line of suites of injected causes, as far as it goes without a mesh: what cannot be meant is refused
// before anything is made.
#include "app/injections.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "app/cli.h"
#include "app/injections_junit.h"

namespace hopcheck::app {
namespace {

constexpr const char* kSuite = "fixtures/config/valid-injection-suite.yaml";

struct Said {
  int code = 0;
  std::string err;
};

Said run(std::vector<std::string> words) {
  words.insert(words.begin(), {"hopcheck", "run"});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  testing::internal::CaptureStderr();
  Said said;
  said.code = run_cli(static_cast<int>(argv.size()), argv.data());
  said.err = testing::internal::GetCapturedStderr();
  return said;
}

TEST(InjectionsVerb, WhatCannotBeMeantIsRefused) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--provider", "local"}, "injected causes need Kubernetes"},
      {{"--dry-run"}, "--dry-run is not for a suite of injected causes"},
      {{"--requests", "5"}, "--requests, --rate is not for"},
      {{"--without-rule", "HOP0601"}, "--without-rule is not for"},
      {{"--report", "junit"}, "--report is not for"},
      {{"--keep", "always"}, "--keep is not for"},
      {{"--timeout", "10m"}, "--timeout is not for"},
      {{kSuite}, "runs by itself"},
      {{"--only", "telemetry-mising"}, "--only telemetry-mising: the suite injects no such cause"},
  };
  for (const auto& [flags, message] : cases) {
    std::vector<std::string> words = {kSuite};
    words.insert(words.end(), flags.begin(), flags.end());
    const Said said = run(words);
    EXPECT_EQ(said.code, 4) << message;
    EXPECT_NE(said.err.find(message), std::string::npos) << said.err;
  }
  const Said elsewhere = run({"scenarios/core/checkout-gateway.yaml", "--only", "telemetry-missing"});
  EXPECT_EQ(elsewhere.code, 4);
  EXPECT_NE(elsewhere.err.find("--only is for a suite of injected causes"), std::string::npos) << elsewhere.err;
}

TEST(InjectionsVerb, ACauseThatTheDoctorDoesNotKnowIsNamed) {
  const std::string path = testing::TempDir() + "unknown-cause.yaml";
  std::ofstream(path) << "apiVersion: hopcheck.dev/v1alpha1\nkind: InjectionSuite\nmetadata: {name: one}\nspec:\n"
                         "  scenario: scenarios/core/checkout-gateway.yaml\n  namespace: hop-checkout\n  injections:\n"
                         "    - {cause: telemetry-mising, touches: [telemetry], inject: [\"true\"]}\n";
  const Said said = run({path});
  EXPECT_EQ(said.code, 4);
  EXPECT_NE(said.err.find("did you mean telemetry-missing?"), std::string::npos) << said.err;
}

TEST(InjectionsJunit, EachTrialIsACaseAndWhatIsWrongAFailure) {
  doctor::Trial right, wrong;
  right.injected = right.diagnosed = {"telemetry-missing"};
  right.exit_after = 0;
  right.seconds = 1.5;
  right.fixes = {"kubectl apply -f <file>"};
  wrong = right;
  wrong.injected = {"collector-missing", "export-tls"};
  EXPECT_EQ(injections_junit("faults", {right, wrong}),
            R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="faults" tests="2" failures="1" errors="0" time="3.000">
  <testsuite name="faults" tests="2" failures="1" errors="0" time="3.000">
    <testcase classname="hopcheck.faults" name="telemetry-missing" time="1.500"><system-out>kubectl apply -f &lt;file&gt;</system-out></testcase>
    <testcase classname="hopcheck.faults" name="collector-missing + export-tls" time="1.500"><failure message="diagnosed telemetry-missing"/><system-out>kubectl apply -f &lt;file&gt;</system-out></testcase>
  </testsuite>
</testsuites>
)");
}

}  // namespace
}  // namespace hopcheck::app
