#include "stats/latency.h"

#include <gtest/gtest.h>

namespace hopcheck::stats {
namespace {

Outcome outcome_at(int64_t due, int64_t sent, int64_t done, OutcomeKind kind) {
  Outcome outcome;
  outcome.due_unix_nanos = due;
  outcome.sent_unix_nanos = sent;
  outcome.done_unix_nanos = done;
  outcome.kind = kind;
  return outcome;
}

TEST(LatencyRecorder, CountsFromTheDueTimeAndOnlyWhatWasAnswered) {
  LatencyRecorder recorder;
  recorder.add(outcome_at(1000, 1010, 1500, OutcomeKind::kOk));
  recorder.add(outcome_at(2000, 2000, 2300, OutcomeKind::kFailed));
  recorder.add(outcome_at(3000, 3900, 9999, OutcomeKind::kIndeterminate));
  recorder.add(outcome_at(4000, 0, 9999, OutcomeKind::kUnsent));
  EXPECT_EQ(recorder.corrected().count(), 2u);
  EXPECT_EQ(recorder.corrected().max(), 500);
  EXPECT_EQ(recorder.uncorrected().max(), 490);
  EXPECT_EQ(recorder.lateness().count(), 3u);
  EXPECT_EQ(recorder.lateness().max(), 900);
  EXPECT_EQ(recorder.outcomes(), (std::array<uint64_t, 4>{1, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(recorder.share_later_than(10), 1.0 / 3);
  EXPECT_EQ(recorder.result().send_lateness.count, 3u);
}

TEST(LatencyRecorder, AchievedRateIsFromFirstToLastSend) {
  LatencyRecorder recorder;
  EXPECT_EQ(recorder.achieved_rate(), 0);
  EXPECT_EQ(recorder.share_later_than(0), 0);
  for (int64_t i = 0; i < 11; ++i) {
    const int64_t sent = 1'000'000'000 + i * 20'000'000;
    recorder.add(outcome_at(sent, sent, sent + 1, OutcomeKind::kOk));
  }
  EXPECT_DOUBLE_EQ(recorder.achieved_rate(), 50);
}

TEST(LatencyRecorder, MergeEqualsTheWhole) {
  LatencyRecorder whole, even, odd;
  for (int64_t i = 0; i < 100; ++i) {
    const Outcome outcome = outcome_at(i * 1000 + 1, i * 1000 + i, i * 1000 + 7 * i, OutcomeKind::kOk);
    whole.add(outcome);
    (i % 2 ? odd : even).add(outcome);
  }
  odd.merge(even);
  odd.merge(LatencyRecorder());
  EXPECT_TRUE(odd.corrected() == whole.corrected());
  EXPECT_TRUE(odd.lateness() == whole.lateness());
  EXPECT_EQ(odd.achieved_rate(), whole.achieved_rate());
  EXPECT_EQ(odd.outcomes(), whole.outcomes());
}

}  // namespace
}  // namespace hopcheck::stats
