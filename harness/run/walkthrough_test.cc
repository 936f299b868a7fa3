// Ordering and judging of a walkthrough's steps, with everything outside faked.
#include "run/walkthrough.h"

#include <gtest/gtest.h>

namespace hopcheck::run {
namespace {

WalkStep step(const std::string& name, const std::vector<std::string>& needs = {}) {
  WalkStep out;
  out.name = out.does = name;
  out.needs = needs;
  out.expect.is = "ok";
  out.rows = {"M-93"};
  return out;
}

WalkStep counter_test(const std::string& name, const std::string& must_fail) {
  WalkStep out = step(name);
  out.must_fail = must_fail;
  return out;
}

StepSeen printed(const std::string& out, int exit_code = 0) {
  StepSeen seen;
  seen.out = out;
  seen.exit_code = exit_code;
  return seen;
}

// Answers of the steps by name, one after the other, the last for ever; time passes only by waiting.
struct FakeWorld {
  std::map<std::string, std::vector<StepSeen>> answers;
  std::map<std::string, size_t> asked;
  std::map<std::string, Variables> told;
  int64_t now = 0;
  std::string stop_at;
  bool stopped = false;

  WalkActions actions() {
    WalkActions out;
    out.perform = [this](const WalkStep& one, const Variables& variables) {
      told[one.name] = variables;
      if (one.name == stop_at) stopped = true;
      const std::vector<StepSeen>& list = answers.at(one.name);
      return list[std::min(asked[one.name]++, list.size() - 1)];
    };
    out.now_nanos = [this] { return now; };
    out.wait = [this](int64_t nanos) { now += nanos; };
    out.stopped = [this] { return stopped; };
    return out;
  }
};

std::vector<std::string> outcomes(const std::vector<StepResult>& results) {
  std::vector<std::string> out;
  for (const StepResult& one : results)
    out.push_back(std::string(to_string(one.outcome)) + (one.reason.empty() ? "" : ": " + one.reason));
  return out;
}
using Texts = std::vector<std::string>;

TEST(Walk, AFailedStepSkipsWhatNeedsItAndNothingElse) {
  Walkthrough guide;
  guide.steps = {step("install"), step("label", {"install"}), step("deploy", {"label"}), step("other")};
  FakeWorld world;
  world.answers = {{"install", {printed("no")}}, {"other", {printed("ok")}}};
  WalkthroughResult result;
  result.steps = walk(guide, {}, world.actions());
  EXPECT_EQ(outcomes(result.steps),
            (Texts{"failed", "skipped: step install failed", "skipped: step label was skipped", "held"}));
  EXPECT_EQ(result.steps[0].expected, "\"ok\"");
  EXPECT_EQ(result.steps[0].seen, "no");
  EXPECT_EQ(verdict_of(guide, result), Verdict::kFail);
}

TEST(Walk, AStepIsTriedAgainUntilItHoldsOrItsTimeIsOver) {
  Walkthrough guide;
  guide.steps = {step("slow"), step("never")};
  guide.steps[0].within_nanos = guide.steps[1].within_nanos = 4 * kPauseNanos;
  FakeWorld world;
  world.answers = {{"slow", {printed("no"), printed("no"), printed("ok\n")}}, {"never", {printed("no")}}};
  const auto results = walk(guide, {}, world.actions());
  EXPECT_EQ(outcomes(results), (Texts{"held", "failed"}));
  EXPECT_EQ(results[0].tries, 3);
  EXPECT_EQ(results[0].took_nanos, 2 * kPauseNanos);
  EXPECT_EQ(results[1].tries, 5);
}

TEST(Walk, WhatAStepPrintedIsTheLaterOnesVariable) {
  Walkthrough guide;
  guide.steps = {step("address"), step("ask", {"address"})};
  guide.steps[0].expect = {};
  guide.steps[0].keep_as = "GATEWAY_URL";
  FakeWorld world;
  world.answers = {{"address", {printed(" 127.0.0.1:80\n")}}, {"ask", {printed("ok")}}};
  EXPECT_EQ(outcomes(walk(guide, {}, world.actions())), (Texts{"held", "held"}));
  EXPECT_TRUE(world.told["address"].empty());
  EXPECT_EQ(world.told["ask"], (Variables{{"GATEWAY_URL", "127.0.0.1:80"}}));
}

TEST(Walk, WhatThisMachineLacksIsSkippedAndCountsForNothing) {
  Walkthrough guide;
  guide.steps = {step("old"), step("new")};
  guide.steps[0].requires_capabilities = {"collector054"};
  FakeWorld world;
  world.answers = {{"old", {printed("ok")}}, {"new", {printed("ok")}}};
  WalkthroughResult result;
  result.steps = walk(guide, {}, world.actions());
  EXPECT_EQ(outcomes(result.steps), (Texts{"skipped: needs capability collector054", "held"}));
  EXPECT_EQ(verdict_of(guide, result), Verdict::kPass);
  result.steps = walk(guide, {"collector054"}, world.actions());
  EXPECT_EQ(outcomes(result.steps), (Texts{"held", "held"}));
}

TEST(Walk, AnInterruptionLeavesTheRestSkippedAndProvesNothing) {
  Walkthrough guide;
  guide.steps = {step("one"), step("two"), step("three")};
  FakeWorld world;
  world.answers = {{"one", {printed("ok")}}, {"two", {printed("no")}}, {"three", {printed("ok")}}};
  world.stop_at = "two";
  WalkthroughResult result;
  result.steps = walk(guide, {}, world.actions());
  result.interrupted = true;
  EXPECT_EQ(outcomes(result.steps), (Texts{"held", "skipped: interrupted", "skipped: interrupted"}));
  EXPECT_EQ(verdict_of(guide, result), Verdict::kUnknown);
  EXPECT_TRUE(walkthrough_proofs(guide, result).empty());
}

TEST(WalkJudge, EveryPartOfAnExpectationIsAskedFor) {
  StepExpectation expect;
  expect.contains = {"title", "store"};
  expect.lacks = {"error"};
  expect.something = true;
  EXPECT_FALSE(unmet(expect, printed("the title of a store")).any());
  EXPECT_EQ(unmet(expect, printed("the title")).expected, "\"store\" in the output");
  EXPECT_EQ(unmet(expect, printed("title store error")).expected, "no \"error\" in the output");
  EXPECT_EQ(unmet(expect, printed("title store", 7)).expected, "exit code 0");
  expect = {};
  expect.something = true;
  EXPECT_EQ(unmet(expect, printed(" \n")).expected, "some output");
  expect = {};
  expect.exit_code = 7;
  EXPECT_FALSE(unmet(expect, printed("", 7)).any());
  StepSeen late = printed("so far");
  late.timed_out = true;
  EXPECT_EQ(unmet({}, late).seen, "it was still running: so far");
  StepSeen impossible;
  impossible.problem = "cannot start /bin/sh";
  EXPECT_EQ(unmet({}, impossible).seen, "cannot start /bin/sh");
}

TEST(WalkJudge, ACounterTestHoldsOnlyWhenItFailsForItsReason) {
  const WalkStep test = counter_test("wrong-name", "NotFound");
  EXPECT_EQ(judge_step(test, printed("NotFound", 1)).outcome, StepOutcome::kHeld);
  const StepResult held = judge_step(test, printed("ok"));
  EXPECT_EQ(held.outcome, StepOutcome::kFailed);
  EXPECT_EQ(held.seen, "it held: ok");
  const StepResult otherwise = judge_step(test, printed("no such tool", 127));
  EXPECT_EQ(otherwise.outcome, StepOutcome::kFailed);
  EXPECT_EQ(otherwise.seen, "it failed otherwise: exit code 127: no such tool");
  StepSeen late = printed("NotFound");
  late.timed_out = true;
  EXPECT_EQ(judge_step(test, late).outcome, StepOutcome::kFailed);
}

TEST(WalkJudge, LongAndHostileOutputIsShownInOneSafeLine) {
  WalkStep one = step("noisy");
  const StepResult result = judge_step(one, printed(std::string(5000, 'x') + "\nlast \x1b[31mline"));
  EXPECT_LT(result.seen.size(), 800u);
  EXPECT_EQ(result.seen.find('\x1b'), std::string::npos);
  EXPECT_EQ(result.seen.find('\n'), std::string::npos);
  EXPECT_NE(result.seen.find("line"), std::string::npos);
}

TEST(WalkProofs, StepsTellOfTheirRows) {
  Walkthrough guide;
  guide.name = "managed";
  guide.steps = {step("good"), step("bad"), counter_test("counter", "NotFound"), counter_test("blind", "NotFound"),
                 step("left-out")};
  guide.steps[4].requires_capabilities = {"other"};
  FakeWorld world;
  world.answers = {{"good", {printed("ok")}},
                   {"bad", {printed("no")}},
                   {"counter", {printed("NotFound", 1)}},
                   {"blind", {printed("ok")}}};
  WalkthroughResult result;
  result.provider = "kind";
  result.istio = "1.30.4";
  result.steps = walk(guide, {}, world.actions());
  Texts told;
  for (const Proof& proof : walkthrough_proofs(guide, result)) {
    EXPECT_EQ(proof.kind, ProofKind::kLive);
    EXPECT_EQ(proof.istio, "1.30.4");
    told.push_back(proof.result + " " + proof.row + " " + to_string(proof.polarity) + " " + proof.verdict +
                   (proof.held ? " held" : " not"));
  }
  EXPECT_EQ(told, (Texts{"walkthrough managed/good M-93 positive pass held",
                         "walkthrough managed/bad M-93 positive fail not",
                         "walkthrough managed/counter M-93 negative fail held",
                         "walkthrough managed/blind M-93 negative pass not"}));
}

TEST(WalkTraces, AreCountedOncePerTraceByServicePathAndTime) {
  Resource productpage, details;
  productpage.service_name = "productpage.default";
  details.service_name = "details.default";
  const auto url = [](std::string_view text) {
    Attribute out;
    out.key = "http.url";
    out.value.type = AnyValue::Type::kString;
    out.value.text = text;
    return out;
  };
  const Attribute page = url("http://127.0.0.1:80/productpage?u=1"), other = url("http://127.0.0.1:80/details");
  std::vector<Span> spans;
  const auto add = [&](uint8_t trace, const Resource& resource, const Attribute& attribute, uint64_t start,
                       SpanKind kind = SpanKind::kServer) {
    Span span;
    span.trace_id.bytes[15] = trace;
    span.kind = kind;
    span.resource = &resource;
    span.attributes = {&attribute, 1};
    span.start_unix_nanos = start;
    spans.push_back(span);
  };
  add(1, productpage, page, 100);
  add(1, productpage, page, 101);
  add(2, productpage, page, 100);
  add(3, productpage, page, 99);                      // earlier
  add(4, productpage, other, 100);                    // another page
  add(5, details, page, 100);                         // another service
  add(6, productpage, page, 100, SpanKind::kClient);  // a call it made
  EXPECT_EQ(count_traces(spans, {"productpage.default", "/productpage", 2, {}}, 100), 2u);
  EXPECT_EQ(count_traces(spans, {"productpage.default", "/productpage", 2, {}}, 0), 3u);
  EXPECT_EQ(count_traces({}, {"productpage.default", "/productpage", 0, {}}, 0), 0u);
  Attribute team;
  team.key = "team";
  team.value.type = AnyValue::Type::kString;
  team.value.text = "books";
  productpage.attributes = {&team, 1};
  EXPECT_EQ(count_traces(spans, {"productpage.default", "/productpage", 2, {{"team", "books"}}}, 100), 2u);
  EXPECT_EQ(count_traces(spans, {"productpage.default", "/productpage", 0, {{"team", "toys"}}}, 100), 0u);
}

}  // namespace
}  // namespace hopcheck::run
