#include "demo/trace_context.h"

#include <gtest/gtest.h>

namespace hopcheck::demo {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";
const std::string kGood = "00-" + kTrace + "-" + kSpan + "-01";

TEST(Traceparent, TakesAValidOneApartAndWritesItBack) {
  const auto context = parse_traceparent(kGood);
  ASSERT_TRUE(context);
  EXPECT_EQ(to_hex(context->trace_id), kTrace);
  EXPECT_EQ(to_hex(context->span_id), kSpan);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(traceparent_of(*context), kGood);
}

TEST(Traceparent, OnlyTheLowestFlagBitMeansSampled) {
  EXPECT_FALSE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-fe")->sampled);
  EXPECT_TRUE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-ff")->sampled);
  EXPECT_EQ(traceparent_of(*parse_traceparent("00-" + kTrace + "-" + kSpan + "-fe")).substr(53), "00");
}

TEST(Traceparent, RefusesEachKindOfDamage) {
  const std::vector<std::string> bad{
      "",
      kGood.substr(0, 54),
      kGood + "0",
      kGood + "-x",                                       // version 00 ends here
      "ff-" + kTrace + "-" + kSpan + "-01",               // version never valid
      "0g-" + kTrace + "-" + kSpan + "-01",
      "00_" + kTrace + "-" + kSpan + "-01",
      "00-" + kTrace + "_" + kSpan + "-01",
      "00-" + kTrace + "-" + kSpan + "_01",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kSpan + "-01",
      "00-" + kTrace + "-00F067AA0BA902B7-01",
      "00-" + kTrace + "-" + kSpan + "-0G",
      "00-" + std::string(32, '0') + "-" + kSpan + "-01",
      "00-" + kTrace + "-" + std::string(16, '0') + "-01",
      "01-" + kTrace + "-" + kSpan + "-01x",              // a later version must go on with '-'
  };
  for (const std::string& text : bad) EXPECT_FALSE(parse_traceparent(text)) << text;
}

TEST(Traceparent, ReadsTheKnownPartOfALaterVersion) {
  EXPECT_TRUE(parse_traceparent("01-" + kTrace + "-" + kSpan + "-01"));
  const auto context = parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01-what-comes-later");
  ASSERT_TRUE(context);
  EXPECT_EQ(traceparent_of(*context), kGood);
}

TEST(Tracestate, FollowsTheGrammar) {
  for (const char* good : {"", "a=1", "a=1,b=2", " a=1 ,\tb=2", "a=1,,b=2", "0tenant@vendor=x", "a_-*/9=!~ x"}) {
    EXPECT_TRUE(is_valid_tracestate(good)) << good;
  }
  for (const char* bad :
       {"a", "=1", "A=1", "1=1", "a=", "a=1=2", "a=1,a=2", "a@=1", "@b=1", "a@1=1", "a=\x01", "a b=1"}) {
    EXPECT_FALSE(is_valid_tracestate(bad)) << bad;
  }
}

TEST(Tracestate, HoldsAtMostThirtyTwoMembers) {
  std::string state;
  for (int i = 0; i < 32; ++i) state += (i ? ",k" : "k") + std::to_string(i) + "=v";
  EXPECT_TRUE(is_valid_tracestate(state));
  EXPECT_FALSE(is_valid_tracestate(state + ",one=more"));
}

TEST(Extract, JoinsStateHeadersAndIgnoresCaseOfNames) {
  const auto context = extract_context({{"TraceParent", kGood}, {"tracestate", "a=1"}, {"TRACESTATE", "b=2"}});
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_state, "a=1,b=2");
}

TEST(Extract, DropsABadStateButKeepsTheParent) {
  const auto context = extract_context({{"traceparent", kGood}, {"tracestate", "A=1"}});
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_state, "");
}

TEST(Extract, TakesNothingFromTwoParentsOrFromStateAlone) {
  EXPECT_FALSE(extract_context({{"traceparent", kGood}, {"traceparent", kGood}}));
  EXPECT_FALSE(extract_context({{"tracestate", "a=1"}}));
  EXPECT_FALSE(extract_context({}));
}

}  // namespace
}  // namespace hopcheck::demo
