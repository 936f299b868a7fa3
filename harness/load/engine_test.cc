#include "load/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/clock.h"
#include "load/loopback_server.h"
#include "plan/intent.h"
#include "stats/histogram.h"

namespace hopcheck::load {
namespace {

using Then = LoopbackServer::Reply::Then;
constexpr int64_t kMilli = 1'000'000;

const std::atomic<bool> kNeverStop{false};

LoadPlan plan_for(const LoopbackServer& server, uint64_t count, double rate) {
  LoadPlan plan;
  plan.tag.nonce = 0xabcdef0123456789;
  plan.first_n = 100;
  plan.count = count;
  plan.rate = rate;
  plan.base_url = server.url();
  plan.journeys = {{"home", 1, "GET", "/"}};
  plan.timeout_nanos = 2000 * kMilli;
  return plan;
}

struct Driven {
  std::vector<Outcome> outcomes;  // sorted by n
  DriveStats stats;
  int64_t wall_nanos = 0;
  uint64_t of(OutcomeKind kind) const {
    return static_cast<uint64_t>(
        std::count_if(outcomes.begin(), outcomes.end(), [kind](const Outcome& o) { return o.kind == kind; }));
  }
};

// Runs the plan and checks what holds for every run: each n once, times in order, status exactly where there was an
// answer.
Driven drive(const LoadPlan& plan, const std::atomic<bool>& stop = kNeverStop) {
  Driven result;
  const int64_t start = system_clock().monotonic_nanos();
  const Result<DriveStats> stats =
      run_with_stats(plan, [&result](const Outcome& outcome) { result.outcomes.push_back(outcome); }, stop);
  result.wall_nanos = system_clock().monotonic_nanos() - start;
  EXPECT_TRUE(stats.has_value()) << to_text(stats.error());
  if (stats) result.stats = *stats;
  std::sort(result.outcomes.begin(), result.outcomes.end(),
            [](const Outcome& a, const Outcome& b) { return a.n < b.n; });
  EXPECT_EQ(result.outcomes.size(), plan.count);
  for (uint64_t i = 0; i < result.outcomes.size(); ++i) {
    const Outcome& o = result.outcomes[i];
    EXPECT_EQ(o.n, plan.first_n + i);
    const bool answered = o.kind == OutcomeKind::kOk || o.kind == OutcomeKind::kFailed;
    EXPECT_EQ(o.status != 0, answered);
    EXPECT_EQ(o.sent_unix_nanos == 0, o.kind == OutcomeKind::kUnsent);
    if (o.kind != OutcomeKind::kUnsent) {
      EXPECT_GE(o.sent_unix_nanos, o.due_unix_nanos);
      EXPECT_GE(o.done_unix_nanos, o.sent_unix_nanos);
    }
  }
  return result;
}

LoopbackServer::Script always(LoopbackServer::Reply reply) {
  return [reply](const std::string&) { return reply; };
}

int64_t late_at(const Driven& result, double quantile) {
  stats::Histogram histogram;
  for (const Outcome& o : result.outcomes) {
    if (o.kind != OutcomeKind::kUnsent) histogram.add(o.sent_unix_nanos - o.due_unix_nanos);
  }
  return histogram.quantile(quantile);
}

TEST(Engine, SendsEveryPlannedRequestOnceWithItsOwnTag) {
  LoopbackServer server(always(LoopbackServer::ok()));
  const LoadPlan plan = plan_for(server, 200, 1000);
  const Driven result = drive(plan);
  EXPECT_EQ(result.of(OutcomeKind::kOk), 200u);
  const plan::TagCipher cipher(plan.tag);
  std::set<uint64_t> by_hop;
  std::set<std::string> traceparents;
  for (const std::string& head : server.heads()) {
    const std::optional<plan::HopTag> tag = plan::parse_hop(head.substr(0, head.find(" HTTP/1.1")), cipher.run8());
    ASSERT_TRUE(tag.has_value()) << head;
    by_hop.insert(tag->n);
    const size_t at = head.find("traceparent: ");
    ASSERT_NE(at, std::string::npos) << head;
    const std::string traceparent = head.substr(at + 13, 55);
    EXPECT_EQ(cipher.request_of(*id_from_hex<TraceId>(traceparent.substr(3, 32))), tag->n);
    traceparents.insert(traceparent);
  }
  EXPECT_EQ(server.heads().size(), 200u);
  EXPECT_EQ(by_hop.size(), 200u);
  EXPECT_EQ(*by_hop.begin(), 100u);
  EXPECT_EQ(traceparents.size(), 200u);
}

TEST(Engine, ConnectsFromTheGivenAddress) {
  LoopbackServer server(always(LoopbackServer::ok()));
  const LoadPlan plan = plan_for(server, 3, 100);
  int good = 0;
  const auto count = [&](const Outcome& outcome) { good += outcome.kind == OutcomeKind::kOk ? 1 : 0; };
  ASSERT_TRUE(run(plan, count, kNeverStop, "127.0.0.77").has_value());
  EXPECT_EQ(good, 3);
  EXPECT_EQ(server.last_peer(), "127.0.0.77");
}

TEST(Engine, HeaderlessModeSendsNoneOfOurHeaders) {
  LoopbackServer server(always(LoopbackServer::ok()));
  LoadPlan plan = plan_for(server, 5, 500);
  plan.traceparent = TraceparentMode::kNone;
  plan.host_header = "checkout.hopcheck.test";
  drive(plan);
  for (const std::string& head : server.heads()) {
    EXPECT_EQ(head.find("traceparent"), std::string::npos);
    EXPECT_EQ(head.find("x-request-id"), std::string::npos);
    EXPECT_NE(head.find("Host: checkout.hopcheck.test\r\n"), std::string::npos);
  }
}

TEST(Engine, KeepsThePaceAndReusesConnections) {
  LoopbackServer server(always(LoopbackServer::ok()));
  const Driven result = drive(plan_for(server, 100, 200));
  EXPECT_EQ(result.of(OutcomeKind::kOk), 100u);
  EXPECT_LT(late_at(result, 0.5), 2 * kMilli);
  for (size_t i = 0; i < result.outcomes.size(); ++i) {
    EXPECT_EQ(result.outcomes[i].due_unix_nanos - result.outcomes[0].due_unix_nanos,
              static_cast<int64_t>(i) * 5 * kMilli);
  }
  EXPECT_EQ(result.stats.connections, 44u);  // 200 × 0.2 + 4, all before the start
  EXPECT_EQ(server.connections(), 44);
  EXPECT_EQ(result.stats.connect_failures, 0u);
}

TEST(Engine, TwoThousandRequestsInASecond) {
  LoopbackServer server(always(LoopbackServer::ok()));
  const Driven result = drive(plan_for(server, 2000, 2000));
  EXPECT_EQ(result.of(OutcomeKind::kOk), 2000u);
  EXPECT_EQ(server.heads().size(), 2000u);
  EXPECT_GE(result.wall_nanos, 999 * kMilli);
  EXPECT_LT(result.wall_nanos, 3000 * kMilli);
}

TEST(Engine, OpenLoopDoesNotWaitForSlowAnswers) {
  LoopbackServer::Reply slow = LoopbackServer::ok();
  slow.delay_ms = 300;
  LoopbackServer server(always(slow));
  const Driven result = drive(plan_for(server, 20, 100));
  EXPECT_EQ(result.of(OutcomeKind::kOk), 20u);
  EXPECT_LT(late_at(result, 0.5), 5 * kMilli);
  EXPECT_LT(result.wall_nanos, 1500 * kMilli);  // one after the other would take six seconds
}

TEST(Engine, MaxInFlightDelaysButKeepsTheDueTime) {
  LoopbackServer::Reply slow = LoopbackServer::ok();
  slow.delay_ms = 50;
  LoopbackServer server(always(slow));
  LoadPlan plan = plan_for(server, 20, 1000);
  plan.max_in_flight = 2;
  const Driven result = drive(plan);
  EXPECT_EQ(result.of(OutcomeKind::kOk), 20u);
  EXPECT_LE(server.connections(), 2);
  EXPECT_GE(result.stats.overflowed, 16u);
  EXPECT_LE(result.stats.overflowed, 18u);
  // The last pair can start only after nine pairs of 50 ms, and is due 19 ms after the start.
  EXPECT_GT(result.outcomes[19].sent_unix_nanos - result.outcomes[19].due_unix_nanos, 400 * kMilli);
}

TEST(Engine, StatusDecidesOkOrFailed) {
  std::atomic<int> turn{0};
  const std::vector<int> statuses = {200, 204, 302, 404, 503};
  LoopbackServer server([&](const std::string&) {
    const int status = statuses[static_cast<size_t>(turn++) % statuses.size()];
    const std::string length = status == 204 ? "" : "Content-Length: 0\r\n";
    return LoopbackServer::Reply{"HTTP/1.1 " + std::to_string(status) + " X\r\n" + length + "\r\n"};
  });
  const Driven result = drive(plan_for(server, 10, 50));
  std::map<int, int> seen;
  for (const Outcome& o : result.outcomes) {
    ++seen[o.status];
    EXPECT_EQ(o.kind, o.status < 400 ? OutcomeKind::kOk : OutcomeKind::kFailed);
  }
  EXPECT_EQ(seen, (std::map<int, int>{{200, 2}, {204, 2}, {302, 2}, {404, 2}, {503, 2}}));
}

TEST(Engine, HeadAnswersHaveNoBody) {
  LoopbackServer server(always({"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}));
  LoadPlan plan = plan_for(server, 10, 500);
  plan.journeys[0].method = "HEAD";
  EXPECT_EQ(drive(plan).of(OutcomeKind::kOk), 10u);
}

TEST(Engine, ConnectionClosePerAnswerIsNoFailure) {
  for (const char* bytes : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
                            "HTTP/1.1 200 OK\r\n\r\nuntil close"}) {
    LoopbackServer server(always({bytes, Then::kClose}));
    EXPECT_EQ(drive(plan_for(server, 20, 200)).of(OutcomeKind::kOk), 20u);
    EXPECT_EQ(server.heads().size(), 20u);
  }
}

TEST(Engine, BrokenAnswersAreIndeterminateAndNeverSentAgain) {
  const std::vector<LoopbackServer::Reply> replies = {
      {"", Then::kClose},
      {"", Then::kReset},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Then::kClose},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Then::kReset},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::kKeep},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", Then::kKeep},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n", Then::kKeep},
  };
  for (const LoopbackServer::Reply& reply : replies) {
    LoopbackServer server(always(reply));
    const Driven result = drive(plan_for(server, 10, 200));
    EXPECT_EQ(result.of(OutcomeKind::kIndeterminate), 10u) << reply.bytes.substr(0, 60);
    EXPECT_EQ(server.heads().size(), 10u) << reply.bytes.substr(0, 60);
  }
}

TEST(Engine, NoAnswerTimesOutAndTheDriveEnds) {
  LoopbackServer server(always({"", Then::kSilence}));
  LoadPlan plan = plan_for(server, 10, 100);
  plan.timeout_nanos = 200 * kMilli;
  const Driven result = drive(plan);
  EXPECT_EQ(result.of(OutcomeKind::kIndeterminate), 10u);
  for (const Outcome& o : result.outcomes) EXPECT_GE(o.done_unix_nanos - o.sent_unix_nanos, 200 * kMilli);
  EXPECT_LT(result.wall_nanos, 2000 * kMilli);
}

TEST(Engine, RequestsThatNeverGetAPlaceAreUnsent) {
  LoopbackServer server(always({"", Then::kSilence}));
  LoadPlan plan = plan_for(server, 10, 100);
  plan.timeout_nanos = 300 * kMilli;
  plan.max_in_flight = 1;
  const Driven result = drive(plan);
  // Request 0 holds the only place for 300 ms; then one other is sent, and the rest wait too long.
  EXPECT_GE(result.of(OutcomeKind::kIndeterminate), 1u);
  EXPECT_EQ(result.of(OutcomeKind::kIndeterminate) + result.of(OutcomeKind::kUnsent), 10u);
  EXPECT_GE(result.of(OutcomeKind::kUnsent), 7u);
  EXPECT_EQ(server.heads().size(), result.of(OutcomeKind::kIndeterminate));
  EXPECT_LT(result.wall_nanos, 2000 * kMilli);
}

TEST(Engine, TrailingGarbageIsNeverTheNextAnswer) {
  LoopbackServer server(
      always({"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}));
  const Driven result = drive(plan_for(server, 20, 200));
  for (const Outcome& o : result.outcomes) EXPECT_EQ(o.status, 404);
}

TEST(Engine, StaleKeepAliveConnectionsAreNoticedBeforeSending) {
  LoopbackServer::Reply reply = LoopbackServer::ok();  // promises keep-alive …
  reply.then = Then::kClose;                           // … and closes all the same
  LoopbackServer server(always(reply));
  const Driven result = drive(plan_for(server, 40, 100));
  EXPECT_EQ(result.of(OutcomeKind::kOk), 40u);
  EXPECT_EQ(server.heads().size(), 40u);
  EXPECT_GE(result.stats.idle_closed, 15u);
}

TEST(Engine, RefusedConnectionsLeaveRequestsUnsent) {
  std::string url;
  {
    LoopbackServer gone(always(LoopbackServer::ok()));
    url = gone.url();
  }
  LoadPlan plan;
  plan.count = 10;
  plan.rate = 200;
  plan.base_url = url;
  plan.journeys = {{"home", 1, "GET", "/"}};
  const Driven result = drive(plan);
  EXPECT_EQ(result.of(OutcomeKind::kUnsent), 10u);
  EXPECT_EQ(result.stats.connections, 0u);
  EXPECT_EQ(result.stats.connect_error, "Connection refused");
  EXPECT_EQ(result.stats.connect_failures, 10u + 20u);  // ahead of the start, then two attempts each
}

TEST(Engine, StopLeavesTheRestUnsentAndGivesGraceToWhatIsOut) {
  std::atomic<bool> stop{false};
  std::atomic<int> seen{0};
  LoopbackServer server([&](const std::string&) {
    const int turn = ++seen;
    if (turn == 10) stop = true;
    LoopbackServer::Reply reply = LoopbackServer::ok();
    reply.delay_ms = 100;
    return reply;
  });
  LoadPlan plan = plan_for(server, 10'000, 100);
  const Driven result = drive(plan, stop);
  EXPECT_EQ(result.of(OutcomeKind::kOk), server.heads().size());
  EXPECT_GE(result.of(OutcomeKind::kOk), 10u);
  EXPECT_LT(result.of(OutcomeKind::kOk), 60u);
  EXPECT_EQ(result.of(OutcomeKind::kOk) + result.of(OutcomeKind::kUnsent), 10'000u);
  EXPECT_LT(result.wall_nanos, 3000 * kMilli);
}

TEST(Engine, StopDoesNotWaitForEverForSilentServers) {
  std::atomic<bool> stop{false};
  LoopbackServer server([&](const std::string&) {
    stop = true;
    return LoopbackServer::Reply{"", Then::kSilence};
  });
  LoadPlan plan = plan_for(server, 1000, 50);
  plan.timeout_nanos = 60'000 * kMilli;
  const Driven result = drive(plan, stop);
  EXPECT_GE(result.of(OutcomeKind::kIndeterminate), 1u);
  EXPECT_LT(result.wall_nanos, 4000 * kMilli);
}

TEST(Engine, StoppedBeforeItStarts) {
  const std::atomic<bool> stop{true};
  LoopbackServer server(always(LoopbackServer::ok()));
  EXPECT_EQ(drive(plan_for(server, 100, 100), stop).of(OutcomeKind::kUnsent), 100u);
  EXPECT_EQ(server.heads().size(), 0u);
}

TEST(Engine, UnusablePlansAreErrorsAndTheSinkIsNotCalled) {
  const OutcomeSink never = [](const Outcome&) { ADD_FAILURE(); };
  LoadPlan plan;
  plan.count = 1;
  plan.journeys = {{"home", 1, "GET", "/"}};
  plan.base_url = "https://127.0.0.1";
  EXPECT_EQ(run(plan, never, kNeverStop).error().kind, ErrorKind::kUsage);
  plan.base_url = "http://no-such-host.invalid";
  EXPECT_EQ(run(plan, never, kNeverStop).error().kind, ErrorKind::kEnvironment);
  plan.base_url = "http://127.0.0.1:1";
  plan.count = 0;
  EXPECT_TRUE(run(plan, never, kNeverStop).has_value());
}

}  // namespace
}  // namespace hopcheck::load
