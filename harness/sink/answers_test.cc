// Scripted answers over real sockets: both transports say what the script says, spans of refused exports are counted as
// refused by us and never stored.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "config/answers.h"
#include "h2/grpc.h"
#include "otlp/json_text.h"
#include "otlp/status_body.h"
#include "sink/test_grpc.h"
#include "sink/test_sink.h"

namespace hopcheck::sink {
namespace {

std::string answers(const std::string& steps) {
  return "apiVersion: hopcheck.dev/v1alpha1\nkind: Answers\nmetadata: {name: test}\nspec:\n  steps:\n" + steps;
}

class AnswersTest : public SinkTest {
 protected:
  void SetUp() override {
    SinkTest::SetUp();
    options_.grpc = "127.0.0.1:0";
    message_ = recorded_protobuf(0);  // five spans
  }
  void start_with(const std::string& steps) {
    auto plan = config::parse_answers(answers(steps), "test");
    ASSERT_TRUE(plan) << config::to_text(plan.error());
    options_.answers = *plan;
    start();
  }
  Answer over_http() { return ask(post(message_)); }
  h2::TestAnswer over_grpc() { return GrpcClient(sink_->grpc_port()).call(h2::grpc_frame(message_)); }
  // A control request with a body.
  Answer set(const std::string& body) {
    return TestClient(sink_->control_port())
        .ask("POST /answers HTTP/1.1\r\nHost: sink\r\nX-Hopcheck-Token: control-token\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  std::string message_;
};

TEST_F(AnswersTest, RefusalsOfBothTransportsThenRecovery) {
  start_with(
      "    - {for: 2 requests, answer: {status: 503, retryAfter: 1500ms, message: maintenance}}\n"
      "    - {for: 2 requests, answer: {status: 429}}\n"
      "    - {for: 2 requests, answer: {grpc: RESOURCE_EXHAUSTED, retryAfter: 250ms}}\n"
      "    - {for: 2 requests, answer: {status: 401}}\n");
  const Answer down = over_http();
  EXPECT_EQ(down.status, 503);
  EXPECT_TRUE(down.has("Retry-After: 2\r\n")) << "never sooner than is asked for: " << down.head;
  EXPECT_NE(down.body.find("maintenance"), std::string::npos);
  const h2::TestAnswer grpc_down = over_grpc();
  EXPECT_EQ(grpc_down.field("grpc-status"), "14");
  EXPECT_EQ(grpc_down.field("grpc-message"), "maintenance");
  EXPECT_EQ(grpc_down.field("grpc-status-details-bin"), otlp::grpc_status_details(14, "maintenance", 1'500'000'000));
  const Answer many = over_http();
  EXPECT_EQ(many.status, 429);
  EXPECT_FALSE(many.has("Retry-After"));
  const h2::TestAnswer grpc_many = over_grpc();
  EXPECT_EQ(grpc_many.field("grpc-status"), "8");
  EXPECT_EQ(grpc_many.field("grpc-status-details-bin"), "") << "so it is not to be tried again";
  EXPECT_EQ(over_http().status, 429) << "what RESOURCE_EXHAUSTED is over HTTP";
  EXPECT_NE(over_grpc().field("grpc-status-details-bin"), "");
  EXPECT_EQ(over_http().status, 401);
  EXPECT_EQ(over_grpc().field("grpc-status"), "16");
  EXPECT_EQ(over_http().status, 200);
  EXPECT_EQ(over_grpc().field("grpc-status"), "0");
  const auto status = nlohmann::json::parse(control("GET /status").body);
  EXPECT_EQ(status["refused_spans"], 40);
  EXPECT_EQ(status["spans"], 10);
  EXPECT_EQ(status["refused_by_reason"],
            (nlohmann::json{
                {"scripted-401", 2}, {"scripted-429", 2}, {"scripted-503", 2}, {"scripted-RESOURCE_EXHAUSTED", 2}}));
  const auto state = nlohmann::json::parse(control("GET /answers").body);
  EXPECT_EQ(state["given"], (nlohmann::json{2, 2, 2, 2}));
  EXPECT_EQ(state["after"], 2);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.duplicates, 5u) << "refused spans were never seen";
  EXPECT_EQ(frame_statuses(), (std::map<int, int>{{200, 2}, {401, 2}, {429, 4}, {503, 2}}));
  EXPECT_EQ(load().spans.size(), 10u);
}

TEST_F(AnswersTest, PartialSuccessLeavesTheLastSpansOut) {
  start_with(
      "    - {for: 2 requests, answer: {rejected: 2, message: too old}}\n"
      "    - {for: 1 request, answer: {rejected: 99}}\n"
      "    - {for: 1 request, answer: {rejected: 0, message: slow down}}\n");
  EXPECT_EQ(over_http().body, otlp::partial_body(otlp::Encoding::kProtobuf, 2, "too old"));
  const h2::TestAnswer grpc = over_grpc();
  EXPECT_EQ(grpc.field("grpc-status"), "0");
  EXPECT_EQ(grpc.body, h2::grpc_frame(otlp::partial_body(otlp::Encoding::kProtobuf, 2, "too old")));
  const Answer all = ask(post(recorded_json()[0], "", "application/json"));
  EXPECT_EQ(nlohmann::json::parse(all.body)["partialSuccess"]["rejectedSpans"], "5");
  EXPECT_EQ(over_http().body, otlp::partial_body(otlp::Encoding::kProtobuf, 0, "slow down"));
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.spans, 3u + 3u + 0u + 5u);
  EXPECT_EQ(counts.rejected_spans, 2u + 2u + 5u);
  EXPECT_EQ(counts.refused_spans, 0u);
  const store::LoadedCapture loaded = load();
  EXPECT_EQ(loaded.spans.size(), 11u);
  EXPECT_EQ(loaded.rejected_spans, 9u);
  EXPECT_EQ(loaded.spans[0].span_id, loaded.spans[3].span_id);
  EXPECT_TRUE(loaded.complete);
  EXPECT_EQ(nlohmann::json::parse(summary_json(counts))["rejected"], (nlohmann::json{{"partial-success", 9}}));
}

TEST_F(AnswersTest, NoSenderCanClaimThatItsSpansWereRejected) {
  start();
  EXPECT_EQ(ask(post(message_, "hopcheck-rejected-spans: 3\r\n")).status, 200);
  stop();
  EXPECT_EQ(load().spans.size(), 5u);
}

TEST_F(AnswersTest, ADelayComesBeforeAnythingIsStored) {
  start_with("    - {for: 2 requests, delay: 300ms}\n");
  for (const bool grpc : {false, true}) {
    const auto began = std::chrono::steady_clock::now();
    if (grpc) {
      EXPECT_EQ(over_grpc().field("grpc-status"), "0");
    } else {
      EXPECT_EQ(over_http().status, 200);
    }
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(300));
  }
  EXPECT_EQ(stop().spans, 10u);
}

TEST_F(AnswersTest, WhoDoesNotWaitForTheAnswerLosesTheExport) {
  start_with("    - {delay: 60s}\n");
  {
    TestClient impatient(port());
    impatient.send(post(message_));
    GrpcClient other(sink_->grpc_port());
    const int32_t stream = other.begin(h2::grpc_frame(message_));
    other.flush();
    usleep(200'000);
    other.reset_stream(stream);
    other.flush();
    usleep(200'000);
  }
  for (int i = 0; i < 500 && sink_->counts().bodies.refused < 2; ++i) usleep(10'000);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.refused, (std::map<std::string, uint64_t>{{"too-late", 2}}));
  EXPECT_EQ(counts.refused_spans, 10u);
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_EQ(load().spans.size(), 0u);
}

TEST_F(AnswersTest, AResetEndsTheConnectionWithoutAnAnswer) {
  start_with("    - {for: 2 requests, answer: reset}\n");
  TestClient client(port());
  EXPECT_EQ(client.ask(post(message_)).status, 0);
  EXPECT_TRUE(client.ended());
  GrpcClient grpc(sink_->grpc_port());
  const int32_t stream = grpc.begin(h2::grpc_frame(message_));
  EXPECT_EQ(grpc.wait(stream).field("grpc-status"), "");
  EXPECT_EQ(over_grpc().field("grpc-status"), "0");
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.refused.at("scripted-reset"), 2u);
  EXPECT_EQ(counts.refused_spans, 10u);
  EXPECT_EQ(frame_statuses(), (std::map<int, int>{{200, 1}, {444, 2}}));
}

TEST_F(AnswersTest, ATokenThatIsWrongUsesUpNoStep) {
  options_.expect_header = "Authentication";
  options_.expect_value = Secret("secret");
  start_with("    - {for: 1 request, answer: {status: 503}}\n");
  EXPECT_EQ(over_http().status, 401);
  EXPECT_EQ(ask(post(message_, "Authentication: secret\r\n")).status, 503);
  EXPECT_EQ(ask(post(message_, "Authentication: secret\r\n")).status, 200);
}

TEST_F(AnswersTest, TheControlApiSetsThemWhileItServes) {
  start();
  EXPECT_EQ(over_http().status, 200);
  EXPECT_EQ(set(answers("    - answer: {grpc: UNAVAILABLE}\n")).status, 200);
  EXPECT_EQ(over_http().status, 503);
  const Answer wrong = set(answers("    - {for: 0 requests, answer: nothing}\n"));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_NE(wrong.body.find("answers:6:13: spec.steps[0].for"), std::string::npos) << wrong.body;
  EXPECT_EQ(over_http().status, 503) << "what is wrong changes nothing";
  EXPECT_EQ(set(answers("    []\n")).status, 200);
  EXPECT_EQ(over_http().status, 200);
  EXPECT_EQ(control("GET /answers", "").status, 401);
  EXPECT_EQ(control("PUT /answers").status, 405);
}

TEST_F(AnswersTest, AWrongPathIsNamedOnce) {
  std::mutex mutex;
  std::vector<std::string> lines;
  options_.log = [&](const std::string& line) {
    const std::lock_guard<std::mutex> lock(mutex);
    lines.push_back(line);
  };
  start();
  for (int i = 0; i < 3; ++i) ask("POST /api/traces?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(stop().mismatches.at("wrong-path"), 3u);
  EXPECT_EQ(lines, std::vector<std::string>{
                       "127.0.0.1 posts to /api/traces, which is not served: OTLP/HTTP has /v1/traces"});
}

TEST_F(AnswersTest, ARestartCountsWhatWasRejected) {
  start_with("    - {for: 1 request, answer: {rejected: 2}}\n");
  EXPECT_EQ(over_http().status, 200);
  sink_.reset();
  options_.answers = {};
  start();
  EXPECT_EQ(sink_->counts().spans, 3u);
  EXPECT_EQ(sink_->counts().rejected_spans, 2u);
}

}  // namespace
}  // namespace hopcheck::sink
