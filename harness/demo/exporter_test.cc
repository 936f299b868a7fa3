#include "demo/exporter.h"

#include <gtest/gtest.h>

#include <thread>

#include "demo/demo_support.h"

namespace hopcheck::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

SpanRecord record(const std::string& name) {
  SpanRecord span;
  span.trace_id.bytes[0] = 1;
  span.span_id.bytes[7] = 2;
  span.name = name;
  span.start_unix_nanos = 1'000;
  span.end_unix_nanos = 2'000;
  return span;
}

ExporterOptions quick(const std::string& url) {
  ExporterOptions options;
  options.url = url;
  options.resource = {{"service.name", "payments"}};
  options.flush_ms = 20;
  options.first_backoff_ms = 5;
  return options;
}

// Waits at most ten seconds.
template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 1'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(Exporter, SendsEveryFieldOfASpan) {
  OtlpReceiver receiver;
  Exporter exporter(quick(receiver.url()));
  SpanRecord span = record("INSERT txn");
  span.parent_id.bytes[7] = 9;
  span.kind = SpanKind::kClient;
  span.status = StatusCode::kError;
  span.flags = 0x301;
  span.trace_state = "a=1";
  span.attributes = {{"text", std::string("value")}, {"number", int64_t{503}}};
  exporter.add({span});
  const std::vector<ReceivedSpan> spans = receiver.wait_for(1);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(receiver.content_type(), "application/x-protobuf");
  const ReceivedSpan& got = spans[0];
  EXPECT_EQ(got.service, "payments");
  EXPECT_EQ(got.scope, "hopcheck-demo");
  EXPECT_EQ(got.name, "INSERT txn");
  EXPECT_EQ(got.kind, SpanKind::kClient);
  EXPECT_EQ(got.status, StatusCode::kError);
  EXPECT_EQ(got.flags, 0x301u);
  EXPECT_EQ(got.trace_id, "01" + std::string(30, '0'));
  EXPECT_EQ(got.span_id, std::string(14, '0') + "02");
  EXPECT_EQ(got.parent_id, std::string(14, '0') + "09");
  EXPECT_EQ(got.trace_state, "a=1");
  EXPECT_EQ(got.start, 1'000u);
  EXPECT_EQ(got.end, 2'000u);
  EXPECT_EQ(got.attributes, (std::map<std::string, std::string>{{"text", "value"}, {"number", "503"}}));
}

TEST(Exporter, SendsAFullBatchBeforeTheFlushInterval) {
  OtlpReceiver receiver;
  ExporterOptions options = quick(receiver.url());
  options.flush_ms = 60'000;
  options.batch = 16;
  Exporter exporter(options);
  for (int i = 0; i < 16; ++i) exporter.add({record("s")});
  EXPECT_EQ(receiver.wait_for(16).size(), 16u);
  EXPECT_EQ(receiver.requests(), 1);
}

TEST(Exporter, TriesAgainAfterRetryableAnswers) {
  OtlpReceiver receiver;
  receiver.answer_with({503, 429, 502, 504});
  Exporter exporter(quick(receiver.url()));
  exporter.add({record("a"), record("b")});
  EXPECT_EQ(receiver.wait_for(2).size(), 2u);
  EXPECT_TRUE(eventually([&] { return exporter.counters().exported == 2; }));
  const ExporterCounters counters = exporter.counters();
  EXPECT_EQ(counters.requests, 5u);
  EXPECT_EQ(counters.retries, 4u);
  EXPECT_EQ(counters.queued, 0u);
}

TEST(Exporter, GivesUpAtOnceOnOtherAnswers) {
  OtlpReceiver receiver;
  receiver.answer_with({400});
  Exporter exporter(quick(receiver.url()));
  exporter.add({record("a")});
  EXPECT_TRUE(eventually([&] { return exporter.counters().failed == 1; }));
  EXPECT_EQ(exporter.counters().requests, 1u);
  EXPECT_EQ(receiver.wait_for(0).size(), 0u);
}

TEST(Exporter, GivesUpAfterItsAttempts) {
  OtlpReceiver receiver;
  receiver.answer_with({503, 503, 503, 503});
  ExporterOptions options = quick(receiver.url());
  options.max_attempts = 3;
  Exporter exporter(options);
  exporter.add({record("a")});
  EXPECT_TRUE(eventually([&] { return exporter.counters().failed == 1; }));
  EXPECT_EQ(exporter.counters().requests, 3u);
}

TEST(Exporter, CountsWhatFindsTheQueueFull) {
  OtlpReceiver receiver;
  receiver.answer_with({503, 503, 503, 503, 503, 503, 503});
  ExporterOptions options = quick(receiver.url());
  options.max_queue = 10;
  options.first_backoff_ms = 50;
  Exporter exporter(options);
  exporter.add(std::vector<SpanRecord>(25, record("s")));
  EXPECT_EQ(exporter.counters().dropped, 15u);
  EXPECT_EQ(exporter.counters().queued, 10u);
}

TEST(Exporter, FlushesAtShutdownAndTakesNothingAfterwards) {
  OtlpReceiver receiver;
  ExporterOptions options = quick(receiver.url());
  options.flush_ms = 60'000;
  options.batch = 4;
  Exporter exporter(options);
  exporter.add(std::vector<SpanRecord>(3, record("s")));
  exporter.shutdown(milliseconds(2'000));
  EXPECT_EQ(exporter.counters().exported, 3u);
  exporter.add({record("late")});
  EXPECT_EQ(exporter.counters().dropped, 1u);
}

TEST(Exporter, ShutdownKeepsItsLimitWithADeadReceiver) {
  std::string url;
  {
    const Recorder gone;
    url = gone.url();
  }
  ExporterOptions options = quick(url);
  options.first_backoff_ms = 5'000;
  Exporter exporter(options);
  exporter.add(std::vector<SpanRecord>(300, record("s")));
  const auto start = steady_clock::now();
  exporter.shutdown(milliseconds(300));
  EXPECT_LT(steady_clock::now() - start, milliseconds(2'000));
  EXPECT_EQ(exporter.counters().failed, 300u);
  EXPECT_EQ(exporter.counters().queued, 0u);
}

}  // namespace
}  // namespace hopcheck::demo
