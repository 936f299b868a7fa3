#include "demo/switches.h"

#include <gtest/gtest.h>

namespace hopcheck::demo {
namespace {

TEST(Switches, JsonReadsBackWhatItWrote) {
  const std::string all =
      R"({"drop":["traceparent","tracestate","x-request-id"],"delayMs":7,)"
      R"("failPercent":20,"failStatus":500,"failAttempts":2,"callTwice":true})";
  const Result<Switches> switches = parse_switches(all);
  ASSERT_TRUE(switches);
  EXPECT_TRUE(switches->drop_traceparent && switches->drop_tracestate && switches->drop_request_id);
  EXPECT_EQ(switches->delay_ms, 7);
  EXPECT_EQ(to_json(*switches), all);
}

TEST(Switches, AbsentFieldsHaveTheirDefaults) {
  const Result<Switches> switches = parse_switches("{}");
  ASSERT_TRUE(switches);
  EXPECT_EQ(to_json(*switches),
            R"({"drop":[],"delayMs":0,"failPercent":0,"failStatus":503,"failAttempts":0,"callTwice":false})");
}

TEST(Switches, RefusesWhatItDoesNotUnderstand) {
  for (const char* bad : {"", "[]", "{", R"({"dorp":[]})", R"({"drop":"traceparent"})", R"({"drop":["cookie"]})",
                          R"({"drop":[1]})", R"({"delayMs":-1})", R"({"delayMs":30001})", R"({"delayMs":1.5})",
                          R"({"delayMs":18446744073709551615})", R"({"failPercent":101})", R"({"failPercent":"5"})",
                          R"({"failStatus":200})", R"({"failAttempts":11})", R"({"callTwice":1})"}) {
    EXPECT_FALSE(parse_switches(bad)) << bad;
  }
}

TEST(Switchboard, FailsExactlyTheGivenShareOfAHundred) {
  for (const int percent : {0, 1, 7, 33, 50, 99, 100}) {
    Switchboard board;
    Switches switches;
    switches.fail_percent = percent;
    board.set(switches);
    int failed = 0;
    for (int i = 0; i < 300; ++i) failed += board.decide().fail ? 1 : 0;
    EXPECT_EQ(failed, 3 * percent);
  }
}

}  // namespace
}  // namespace hopcheck::demo
