#include "load/summary.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hopcheck::load {
namespace {

// 100 requests at 50/s, each sent 1 µs late and answered in 2 ms; `late` of them are sent 20 ms late.
Summary some_summary(int late) {
  Summary summary;
  summary.plan.count = 103;
  summary.plan.base_url = "http://127.0.0.1:30080";
  summary.plan.tag.nonce = 0xabc;
  for (int i = 0; i < 100; ++i) {
    Outcome outcome;
    outcome.due_unix_nanos = 1'000'000'000 + int64_t{i} * 20'000'000;
    outcome.sent_unix_nanos = outcome.due_unix_nanos + (i < late ? 20'000'000 : 1000);
    outcome.done_unix_nanos = outcome.sent_unix_nanos + 2'000'000;
    outcome.kind = i % 10 == 0 ? OutcomeKind::kFailed : OutcomeKind::kOk;
    outcome.status = i % 10 == 0 ? 503 : 200;
    summary.add(outcome);
  }
  Outcome outcome;
  summary.add(outcome);  // unsent
  summary.add(outcome);
  outcome.kind = OutcomeKind::kIndeterminate;
  outcome.due_unix_nanos = outcome.sent_unix_nanos = 1'500'000'000;
  summary.add(outcome);
  return summary;
}

TEST(Summary, JsonHoldsTheSumsAndBothLatencies) {
  const auto json = nlohmann::json::parse(to_json(some_summary(0)));
  EXPECT_EQ(json["planned"], 103);
  EXPECT_EQ(json["sent"], 101);
  EXPECT_EQ(json["outcomes"], (nlohmann::json{{"ok", 90}, {"failed", 10}, {"indeterminate", 1}, {"unsent", 2}}));
  EXPECT_EQ(json["statuses"], (nlohmann::json{{"200", 90}, {"503", 10}}));
  EXPECT_EQ(json["runNonce"], "0000000000000abc");
  EXPECT_EQ(json["latency"]["corrected"]["count"], 100);
  EXPECT_EQ(json["latency"]["corrected"]["max"], 2'001'000);
  EXPECT_EQ(json["latency"]["uncorrected"]["max"], 2'000'000);
  EXPECT_EQ(json["latency"]["sendLateness"]["p50"], 1000);
  EXPECT_EQ(json["keptSchedule"], true);
  EXPECT_NEAR(json["achievedRate"].get<double>(), 50.5, 0.01);
  uint64_t bucketed = 0;
  for (const auto& bucket : json["latency"]["corrected"]["buckets"]) bucketed += bucket["count"].get<uint64_t>();
  EXPECT_EQ(bucketed, 100u);
}

TEST(Summary, LateSendsAreSaid) {
  EXPECT_TRUE(kept_schedule(some_summary(1)));
  EXPECT_FALSE(kept_schedule(some_summary(2)));
  EXPECT_EQ(to_text(some_summary(1)).find("warning"), std::string::npos);
  EXPECT_NE(to_text(some_summary(2)).find("warning: 2.0 % of the requests were sent more than 10ms late"),
            std::string::npos);
}

TEST(Summary, TextNamesWhatWentWrongBesideTheOutcomes) {
  Summary summary = some_summary(0);
  summary.drive.overflowed = 7;
  summary.drive.connect_failures = 3;
  summary.drive.connect_error = "Connection refused";
  summary.interrupted = true;
  const std::string text = to_text(summary);
  EXPECT_NE(text.find("planned 103 at 50/s, sent 101 at 50.51/s, interrupted\n"), std::string::npos) << text;
  EXPECT_NE(text.find("outcomes: ok 90 failed 10 indeterminate 1 unsent 2; statuses: 200×90 503×10\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("7 requests waited because 256 were already out"), std::string::npos);
  EXPECT_NE(text.find("3 connection attempts failed: Connection refused"), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::load
