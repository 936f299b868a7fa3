#include "report/walkthrough.h"

#include <gtest/gtest.h>

#include "report/golden_test.h"

namespace hopcheck::report {
namespace {

struct Walked {
  Walkthrough guide;
  WalkthroughResult result;
};

Walked sample() {
  Walked out;
  out.guide.name = "managed";
  out.guide.file = "scenarios/walkthrough/managed.yaml";
  out.result.provider = "kind";
  out.result.istio = "1.30.4";
  out.result.kubernetes = "v1.34.4";
  out.result.notes = {"hopcheck-demo plays ratings: its official image is not at hand"};
  const auto add = [&](const char* name, const char* does, StepOutcome outcome) -> StepResult& {
    WalkStep step;
    step.name = name;
    step.does = does;
    out.guide.steps.push_back(step);
    StepResult result;
    result.outcome = outcome;
    result.tries = outcome == StepOutcome::kSkipped ? 0 : 1;
    result.took_nanos = outcome == StepOutcome::kSkipped ? 0 : 1'250'000'000;
    out.result.steps.push_back(result);
    return out.result.steps.back();
  };
  add("namespace", "Create namespace observability", StepOutcome::kHeld).seen = "Active";
  out.guide.steps.back().rows = {"M-35"};
  add("namespace-not-made", "A namespace that nobody made is missed", StepOutcome::kHeld).seen =
      "exit code 1: Error from server (NotFound): namespaces \"observability-of-nobody\" not found";
  out.guide.steps.back().rows = {"M-35"};
  out.guide.steps.back().must_fail = "NotFound";
  StepResult& failed = add("title", "Ask for the <title>", StepOutcome::kFailed);
  failed.expected = "\"<title>Simple Bookstore App</title>\"";
  failed.seen = "nothing was printed";
  failed.tries = 3;
  out.guide.steps.back().rows = {"M-94", "M-97"};
  out.guide.steps.back().fix = "see the routes\nand the \"gateway\"\n";
  add("requests", "Send 10 requests", StepOutcome::kSkipped).reason = "step title failed";
  return out;
}

TEST(WalkthroughReport, AsTextSaysWhatFailedAndHowToMendIt) {
  const Walked walked = sample();
  EXPECT_TRUE(matches_golden("walkthrough.txt", walkthrough_text(walked.guide, walked.result, Verdict::kFail)));
}

TEST(WalkthroughReport, AsJson) {
  const Walked walked = sample();
  EXPECT_TRUE(matches_golden("walkthrough.json", walkthrough_json(walked.guide, walked.result, Verdict::kFail)));
}

TEST(WalkthroughReport, AsJunit) {
  const Walked walked = sample();
  EXPECT_TRUE(matches_golden("walkthrough.junit.xml", walkthrough_junit(walked.guide, walked.result)));
}

TEST(WalkthroughReport, HostileOutputReachesNoTerminalAndNoMarkup) {
  Walked walked = sample();
  walked.result.steps[2].seen = "\x1b[31m</failure>\xff";
  const std::string text = walkthrough_text(walked.guide, walked.result, Verdict::kFail);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  const std::string junit = walkthrough_junit(walked.guide, walked.result);
  EXPECT_NE(junit.find("&lt;/failure&gt;"), std::string::npos);
  EXPECT_EQ(junit.find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::report
