#include "plan/load_plan_json.h"

#include <gtest/gtest.h>

namespace hopcheck::plan {
namespace {

LoadPlan full_plan() {
  LoadPlan plan;
  plan.tag.key = {0, 1, 2, 255, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  plan.tag.nonce = 0xffffffffffffffff;
  plan.first_n = 1ull << 63;
  plan.count = 12345678901;
  plan.warmup = true;
  plan.rate = 0.1;
  plan.traceparent = TraceparentMode::kUnsampled;
  plan.tag_mode = TagMode::kUserAgent;
  plan.trace_state = "a=\"{n}\"";
  plan.journeys = {{"one", 3, "POST", "/a?b=ü"}, {"two", 0, "GET", "/"}};
  plan.base_url = "http://127.0.0.1:30080";
  plan.host_header = "checkout.hopcheck.test";
  plan.timeout_nanos = 1;
  plan.max_in_flight = 7;
  return plan;
}

TEST(LoadPlanJson, RoundTripsEveryField) {
  const LoadPlan plan = full_plan();
  const Result<LoadPlan> back = load_plan_from_json(to_json(plan));
  ASSERT_TRUE(back.has_value()) << to_text(back.error());
  EXPECT_EQ(back->tag.key, plan.tag.key);
  EXPECT_EQ(back->tag.nonce, plan.tag.nonce);
  EXPECT_EQ(back->first_n, plan.first_n);
  EXPECT_EQ(back->count, plan.count);
  EXPECT_EQ(back->warmup, plan.warmup);
  EXPECT_EQ(back->rate, plan.rate);
  EXPECT_EQ(back->traceparent, plan.traceparent);
  EXPECT_EQ(back->tag_mode, plan.tag_mode);
  EXPECT_EQ(back->trace_state, plan.trace_state);
  ASSERT_EQ(back->journeys.size(), 2u);
  EXPECT_EQ(back->journeys[0].name, "one");
  EXPECT_EQ(back->journeys[0].weight, 3);
  EXPECT_EQ(back->journeys[0].method, "POST");
  EXPECT_EQ(back->journeys[0].path, "/a?b=ü");
  EXPECT_EQ(back->base_url, plan.base_url);
  EXPECT_EQ(back->host_header, plan.host_header);
  EXPECT_EQ(back->timeout_nanos, plan.timeout_nanos);
  EXPECT_EQ(back->max_in_flight, plan.max_in_flight);
  EXPECT_EQ(to_json(*back), to_json(plan));
}

TEST(LoadPlanJson, UnknownKeysAreIgnored) {
  std::string text = to_json(full_plan());
  text.insert(1, "\"new\":[1,{}],");
  EXPECT_TRUE(load_plan_from_json(text).has_value());
}

TEST(LoadPlanJson, BadTextIsAnErrorThatNamesTheField) {
  const std::string good = to_json(full_plan());
  const auto swap = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const auto why = [](const std::string& text) {
    const Result<LoadPlan> plan = load_plan_from_json(text);
    return plan ? std::string("accepted") : plan.error().why;
  };
  EXPECT_EQ(why(swap("\"rate\":0.1", "\"rate\":\"x\"")), "rate: not a number");
  EXPECT_EQ(why(swap("\"count\":12345678901", "\"count\":-1")), "count: too small");
  EXPECT_EQ(why(swap("\"maxInFlight\":7", "\"maxInFlight\":3000000000")), "maxInFlight: too large");
  EXPECT_EQ(why(swap("\"maxInFlight\":7", "\"maxInFlight\":7.5")), "maxInFlight: not an integer");
  EXPECT_EQ(why(swap("\"unsampled\"", "\"maybe\"")), "traceparent: unknown value \"maybe\"");
  EXPECT_EQ(why(swap("000102", "00010x")), "key: not 32 hex digits");
  EXPECT_EQ(why(swap("\"firstN\"", "\"first\"")), "firstN: missing");
  EXPECT_EQ(why("[]"), "not an object");
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(load_plan_from_json(good.substr(0, size)).has_value());
}

TEST(OutcomesJson, RoundTrips) {
  const std::vector<Outcome> outcomes = {
      {~0ull, 1'785'000'000'000'000'001, 1'785'000'000'000'000'002, 1'785'000'000'000'000'003, OutcomeKind::kFailed,
       503},
      {0, 0, 0, 0, OutcomeKind::kUnsent, 0},
      {1, -1, 2, 3, OutcomeKind::kIndeterminate, 0},
      {2, 1, 2, 3, OutcomeKind::kOk, 204}};
  const Result<OutcomePage> page = outcomes_from_json(outcomes_to_json(outcomes, true));
  ASSERT_TRUE(page.has_value()) << to_text(page.error());
  EXPECT_TRUE(page->finished);
  ASSERT_EQ(page->outcomes.size(), outcomes.size());
  for (size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(page->outcomes[i].n, outcomes[i].n);
    EXPECT_EQ(page->outcomes[i].due_unix_nanos, outcomes[i].due_unix_nanos);
    EXPECT_EQ(page->outcomes[i].sent_unix_nanos, outcomes[i].sent_unix_nanos);
    EXPECT_EQ(page->outcomes[i].done_unix_nanos, outcomes[i].done_unix_nanos);
    EXPECT_EQ(page->outcomes[i].kind, outcomes[i].kind);
    EXPECT_EQ(page->outcomes[i].status, outcomes[i].status);
  }
  EXPECT_FALSE(outcomes_from_json(outcomes_to_json({}, false))->finished);
}

TEST(OutcomesJson, BadTextIsAnError) {
  for (const char* text : {"", "{}", "[]", R"({"finished":1,"outcomes":[]})", R"({"finished":true})",
                           R"({"finished":true,"outcomes":[[1,2,3,4,"ok"]]})",
                           R"({"finished":true,"outcomes":[[1,2,3,4,"fine",200]]})",
                           R"({"finished":true,"outcomes":[[-1,2,3,4,"ok",200]]})",
                           R"({"finished":true,"outcomes":[[1,2,3,4,"ok",70000]]})",
                           R"({"finished":true,"outcomes":[7]})"}) {
    EXPECT_FALSE(outcomes_from_json(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace hopcheck::plan
