// Switches, load and shutdown of a running service.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "demo/demo_support.h"

namespace hopcheck::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSampled = "00-" + kTrace + "-00f067aa0ba902b7-01";

class SwitchesTest : public ::testing::Test {
 protected:
  SwitchesTest() {
    DemoOptions options = loopback("checkout", receiver_.url());
    options.resolve_service["payments"] = payments_.url();
    service_ = start_or_die(checkout_topology(), options);
  }
  void put(const std::string& json) {
    EXPECT_EQ(send(service_->control_port(), "PUT", "/switches", {}, json).status, 200);
  }
  Reply request() {
    return send(service_->port(), "POST", "/checkout",
                {{"traceparent", kSampled}, {"tracestate", "a=1"}, {"x-request-id", "id"}});
  }
  // Which of the three headers the newest call carried.
  std::string carried() {
    std::string out;
    const HttpRequest last = payments_.seen().back();
    for (const char* name : {"traceparent", "tracestate", "x-request-id"}) {
      if (!values_of(last.headers, name).empty()) out += std::string(out.empty() ? "" : " ") + name;
    }
    return out;
  }

  OtlpReceiver receiver_;
  Recorder payments_;
  std::unique_ptr<DemoService> service_;
};

TEST_F(SwitchesTest, DropTakesEachHeaderAway) {
  request();
  EXPECT_EQ(carried(), "traceparent tracestate x-request-id");
  put(R"({"drop":["traceparent"]})");
  request();
  EXPECT_EQ(carried(), "tracestate x-request-id");
  put(R"({"drop":["tracestate"]})");
  request();
  EXPECT_EQ(carried(), "traceparent x-request-id");
  put(R"({"drop":["x-request-id","traceparent"]})");
  request();
  EXPECT_EQ(carried(), "tracestate");
  EXPECT_EQ(send(service_->control_port(), "DELETE", "/switches").status, 200);
  request();
  EXPECT_EQ(carried(), "traceparent tracestate x-request-id");
}

TEST_F(SwitchesTest, DroppedContextStillLeavesOwnSpansInTheirTrace) {
  put(R"({"drop":["traceparent"]})");
  request();
  const std::vector<ReceivedSpan> spans = receiver_.wait_for(2);
  ASSERT_EQ(spans.size(), 2u);
  for (const ReceivedSpan& span : spans) EXPECT_EQ(span.trace_id, kTrace);
}

TEST_F(SwitchesTest, FailAnswersAtOnceWithTheServerSpanAlone) {
  put(R"({"failPercent":100,"failStatus":500,"delayMs":20000})");
  const auto start = steady_clock::now();
  EXPECT_EQ(request().status, 500);
  EXPECT_LT(steady_clock::now() - start, milliseconds(5'000));
  const std::vector<ReceivedSpan> spans = receiver_.wait_for(1);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].name, "POST /checkout");
  EXPECT_EQ(spans[0].status, StatusCode::kError);
  EXPECT_EQ(spans[0].attributes.at("http.response.status_code"), "500");
  EXPECT_EQ(payments_.seen().size(), 0u);
}

TEST_F(SwitchesTest, FailTakesItsShare) {
  put(R"({"failPercent":25})");
  int failed = 0;
  for (int i = 0; i < 40; ++i) failed += request().status == 503 ? 1 : 0;
  EXPECT_EQ(failed, 10);
  EXPECT_EQ(payments_.seen().size(), 30u);
}

TEST_F(SwitchesTest, DelayIsInsideTheServerSpan) {
  put(R"({"delayMs":150})");
  request();
  const std::vector<ReceivedSpan> spans = receiver_.wait_for(2);
  ASSERT_EQ(spans.size(), 2u);
  const auto is_server = [](const ReceivedSpan& span) { return span.kind == SpanKind::kServer; };
  const auto server = std::find_if(spans.begin(), spans.end(), is_server);
  ASSERT_NE(server, spans.end());
  EXPECT_GE(server->end - server->start, 150'000'000u);
}

TEST_F(SwitchesTest, CallTwiceCallsTwice) {
  put(R"({"callTwice":true})");
  const Reply reply = request();
  EXPECT_EQ(payments_.seen().size(), 2u);
  const nlohmann::json one{{"to", "payments"}, {"status", 200}};
  EXPECT_EQ(nlohmann::json::parse(reply.body)["calls"], nlohmann::json::array({one, one}));
}

TEST_F(SwitchesTest, ControlPortRefusesAndReports) {
  const uint16_t control = service_->control_port();
  EXPECT_EQ(send(control, "GET", "/healthz").status, 200);
  put(R"({"delayMs":1})");
  EXPECT_EQ(send(control, "PUT", "/switches", {}, R"({"delay":5})").status, 400);
  EXPECT_EQ(send(control, "PUT", "/switches").status, 400);
  EXPECT_EQ(send(control, "GET", "/elsewhere").status, 404);
  request();
  receiver_.wait_for(2);
  const Reply reply = send(control, "GET", "/state");
  ASSERT_EQ(reply.status, 200);
  const nlohmann::json state = nlohmann::json::parse(reply.body);
  EXPECT_EQ(state["service"], "checkout");
  EXPECT_EQ(state["version"], "v1");
  EXPECT_EQ(state["instrumentation"], "sdk");
  EXPECT_EQ(state["switches"]["delayMs"], 1);
  EXPECT_EQ(state["counters"]["requests"], 1);
  EXPECT_EQ(state["counters"]["calls"], 1);
  EXPECT_EQ(state["counters"]["answers"]["2xx"], 1);
  EXPECT_EQ(state["counters"]["spans"]["sampled"], 2);
  EXPECT_EQ(state["counters"]["export"]["exported"], 2);
}

TEST(Behaviour, TwoHundredRequestsOnOneConnection) {
  OtlpReceiver receiver;
  const CheckoutChain chain = start_chain(checkout_topology(), receiver.url());
  RawClient client(chain.frontend->port());
  for (int i = 0; i < 200; ++i) {
    client.write("POST /checkout HTTP/1.1\r\nHost: frontend\r\nContent-Length: 2\r\n\r\n{}");
    const std::string answer = client.read_until("]}\n");
    ASSERT_EQ(answer.substr(0, 12), "HTTP/1.1 200") << i;
    ASSERT_EQ(answer.find("Connection: close"), std::string::npos) << i;
  }
  EXPECT_EQ(receiver.wait_for(1'000).size(), 1'000u);
}

TEST(Behaviour, SixtyFourRequestsAtOnce) {
  OtlpReceiver receiver;
  const CheckoutChain chain = start_chain(checkout_topology(), receiver.url());
  Switches slow;
  slow.delay_ms = 400;
  chain.payments->set_switches(slow);
  std::vector<int> statuses(64);
  std::vector<std::thread> threads;
  const auto start = steady_clock::now();
  for (size_t i = 0; i < statuses.size(); ++i) {
    threads.emplace_back([&, i] { statuses[i] = send(chain.frontend->port(), "POST", "/checkout").status; });
  }
  for (std::thread& thread : threads) thread.join();
  // One after the other they would take 25 s.
  EXPECT_LT(steady_clock::now() - start, milliseconds(8'000));
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 200), 64);
  const std::vector<ReceivedSpan> spans = receiver.wait_for(320);
  EXPECT_EQ(spans.size(), 320u);
  std::map<std::string, int> per_trace;
  for (const ReceivedSpan& span : spans) ++per_trace[span.trace_id];
  EXPECT_EQ(per_trace.size(), 64u);
  for (const auto& entry : per_trace) EXPECT_EQ(entry.second, 5);
}

TEST(Behaviour, StopFinishesFlushesAndKeepsItsLimit) {
  OtlpReceiver receiver;
  CheckoutChain chain = start_chain(checkout_topology(), receiver.url());
  Switches slow;
  slow.delay_ms = 30'000;
  chain.payments->set_switches(slow);
  Reply reply;
  std::thread stuck([&] { reply = send(chain.frontend->port(), "POST", "/checkout"); });
  for (int i = 0; i < 500 && chain.payments->state_json().find("\"requests\":1") == std::string::npos; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  const auto start = steady_clock::now();
  chain.frontend->stop();
  EXPECT_LT(steady_clock::now() - start, milliseconds(3'000));
  stuck.join();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(chain.frontend->export_counters().exported, 1u);
  EXPECT_EQ(chain.frontend->export_counters().queued, 0u);
  EXPECT_EQ(send(chain.frontend->port(), "GET", "/ready").status, 0);
}

TEST(Behaviour, StopWaitsForAShortRequest) {
  OtlpReceiver receiver;
  CheckoutChain chain = start_chain(checkout_topology(), receiver.url());
  Switches slow;
  slow.delay_ms = 300;
  chain.frontend->set_switches(slow);
  Reply reply;
  std::thread client([&] { reply = send(chain.frontend->port(), "POST", "/checkout"); });
  for (int i = 0; i < 500 && chain.frontend->state_json().find("\"requests\":1") == std::string::npos; ++i) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  chain.frontend->stop();
  client.join();
  EXPECT_EQ(reply.status, 200);
}

}  // namespace
}  // namespace hopcheck::demo
