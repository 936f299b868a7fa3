#include "sink/answer_script.h"

#include <gtest/gtest.h>

namespace hopcheck::sink {
namespace {

AnswerStep step(int status) {
  AnswerStep out;
  out.answer.kind = Answer::Kind::kRefuse;
  out.answer.http_status = status;
  return out;
}

// The status that is refused with; 0 when it is accepted.
int status_of(const Answer& answer) { return answer.http_status.value_or(0); }

TEST(AnswerScript, WithoutAPlanEverythingIsAccepted) {
  AnswerScript script;
  EXPECT_EQ(script.next(0).kind, Answer::Kind::kOk);
  EXPECT_EQ(script.state().name, "");
}

TEST(AnswerScript, StepsByCountByTimeAndForGood) {
  AnswerPlan plan{"p", {step(503), step(429), step(401)}};
  plan.steps[0].requests = 2;
  plan.steps[1].nanos = 100;
  AnswerScript script;
  script.play(plan);
  EXPECT_EQ(status_of(script.next(0)), 503);
  EXPECT_EQ(status_of(script.next(1'000)), 503);
  EXPECT_EQ(script.state().step, 1u);
  EXPECT_EQ(status_of(script.next(5'000)), 429) << "its time runs from the first export that meets it";
  EXPECT_EQ(status_of(script.next(5'099)), 429);
  EXPECT_EQ(status_of(script.next(5'100)), 401);
  EXPECT_EQ(status_of(script.next(1'000'000)), 401) << "a step without an end has none";
  EXPECT_EQ(script.state().given, (std::vector<uint64_t>{2, 2, 2}));
}

TEST(AnswerScript, BehindTheLastStepEverythingIsAcceptedAndAPlanStartsAfresh) {
  AnswerPlan plan{"first", {step(503)}};
  plan.steps[0].requests = 1;
  AnswerScript script;
  script.play(plan);
  EXPECT_EQ(status_of(script.next(0)), 503);
  EXPECT_EQ(status_of(script.next(0)), 0);
  EXPECT_EQ(script.state().after, 1u);
  EXPECT_EQ(script.state().step, 1u);
  script.play(plan);
  EXPECT_EQ(status_of(script.next(0)), 503);
  script.play({});
  EXPECT_EQ(status_of(script.next(0)), 0);
}

}  // namespace
}  // namespace hopcheck::sink
