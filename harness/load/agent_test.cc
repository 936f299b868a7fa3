#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <optional>

#include "load/agent_api.h"
#include "load/engine.h"
#include "load/loopback_server.h"
#include "plan/load_plan_json.h"

namespace hopcheck::load {
namespace {

constexpr std::string_view kToken = "secret-token";

LoadPlan plan_for(const LoopbackServer& server, uint64_t first_n, uint64_t count) {
  LoadPlan plan;
  plan.first_n = first_n;
  plan.count = count;
  plan.rate = 500;
  plan.base_url = server.url();
  plan.journeys = {{"home", 1, "GET", "/"}};
  return plan;
}

LoopbackServer::Script ok_after(int delay_ms) {
  return [delay_ms](const std::string&) {
    LoopbackServer::Reply reply = LoopbackServer::ok();
    reply.delay_ms = delay_ms;
    return reply;
  };
}

// Polls pages as a provider does, until the drive is finished.
std::vector<Outcome> all_outcomes(const std::function<ControlAnswer(const std::string&)>& get, uint64_t first_n) {
  std::vector<Outcome> all;
  for (int i = 0; i < 2000; ++i) {
    const ControlAnswer answer =
        get("/outcomes?first_n=" + std::to_string(first_n) + "&from=" + std::to_string(all.size()));
    EXPECT_EQ(answer.status, 200) << answer.body;
    const Result<plan::OutcomePage> page = plan::outcomes_from_json(answer.body);
    EXPECT_TRUE(page.has_value()) << answer.body;
    if (!page) break;
    EXPECT_LE(page->outcomes.size(), Drives::kPageSize);
    all.insert(all.end(), page->outcomes.begin(), page->outcomes.end());
    if (page->finished) return all;
    if (page->outcomes.empty()) ::poll(nullptr, 0, 10);
  }
  ADD_FAILURE() << "the drive did not finish";
  return all;
}

class AgentApi : public ::testing::Test {
 protected:
  ControlAnswer call(std::string_view method, const std::string& target, const std::string& body = "") {
    return answer(drives_, kToken, {method, target, kToken, body});
  }
  std::vector<Outcome> finish(uint64_t first_n) {
    return all_outcomes([this](const std::string& target) { return call("GET", target); }, first_n);
  }
  Drives drives_;
};

TEST_F(AgentApi, SequentialDrivesAreKeptApart) {
  LoopbackServer server(ok_after(0));
  EXPECT_EQ(call("POST", "/drive", plan::to_json(plan_for(server, 0, 20))).status, 202);
  EXPECT_EQ(finish(0).size(), 20u);
  EXPECT_EQ(call("POST", "/drive", plan::to_json(plan_for(server, 1000, 30))).status, 202);
  const std::vector<Outcome> second = finish(1000);
  EXPECT_EQ(second.size(), 30u);
  for (const Outcome& outcome : second) {
    EXPECT_EQ(outcome.kind, OutcomeKind::kOk);
    EXPECT_GE(outcome.n, 1000u);
  }
  EXPECT_EQ(finish(0).size(), 20u);
  EXPECT_EQ(server.heads().size(), 50u);
}

TEST_F(AgentApi, SamePlanTwiceDrivesOnce) {
  LoopbackServer server(ok_after(50));
  const std::string plan = plan::to_json(plan_for(server, 7, 10));
  EXPECT_EQ(call("POST", "/drive", plan).status, 202);
  EXPECT_EQ(call("POST", "/drive", plan).status, 200);
  EXPECT_EQ(call("POST", "/drive", plan::to_json(plan_for(server, 8, 10))).status, 409);
  EXPECT_EQ(finish(7).size(), 10u);
  EXPECT_EQ(call("POST", "/drive", plan).status, 200);
  EXPECT_EQ(server.heads().size(), 10u);
  // Another run may use the same numbers again.
  LoadPlan next = plan_for(server, 7, 5);
  next.tag.nonce = 99;
  EXPECT_EQ(call("POST", "/drive", plan::to_json(next)).status, 202);
  EXPECT_EQ(finish(7).size(), 5u);
}

TEST_F(AgentApi, LongDrivesComeInPages) {
  LoopbackServer server(ok_after(0));
  LoadPlan plan = plan_for(server, 0, 6000);
  plan.rate = 1e6;
  plan.max_in_flight = 1;
  plan.timeout_nanos = 1;  // every request but a few is unsent at once
  EXPECT_EQ(call("POST", "/drive", plan::to_json(plan)).status, 202);
  std::vector<Outcome> all = finish(0);
  ASSERT_EQ(all.size(), 6000u);
  std::sort(all.begin(), all.end(), [](const Outcome& a, const Outcome& b) { return a.n < b.n; });
  for (uint64_t i = 0; i < 6000; ++i) EXPECT_EQ(all[i].n, i);
  const Result<plan::OutcomePage> first = plan::outcomes_from_json(call("GET", "/outcomes?first_n=0&from=0").body);
  EXPECT_EQ(first->outcomes.size(), Drives::kPageSize);
  EXPECT_FALSE(first->finished);
}

TEST_F(AgentApi, RefusesBadRequests) {
  LoopbackServer server(ok_after(0));
  const std::string plan = plan::to_json(plan_for(server, 0, 1));
  EXPECT_EQ(call("POST", "/drive", "{").status, 400);
  EXPECT_EQ(call("POST", "/drive", "").status, 400);
  LoadPlan bad = plan_for(server, 0, 1);
  bad.base_url = "https://127.0.0.1";
  EXPECT_EQ(call("POST", "/drive", plan::to_json(bad)).status, 400);
  bad = plan_for(server, 0, Drives::kMaxOutcomes + 1);
  EXPECT_EQ(call("POST", "/drive", plan::to_json(bad)).status, 400);
  EXPECT_EQ(call("GET", "/drive", plan).status, 405);
  EXPECT_EQ(call("GET", "/outcomes?first_n=0&from=0").status, 404);
  EXPECT_EQ(call("GET", "/outcomes?first_n=0").status, 400);
  EXPECT_EQ(call("GET", "/outcomes?first_n=x&from=0").status, 400);
  EXPECT_EQ(call("GET", "/outcomes?first_n=-1&from=0").status, 400);
  EXPECT_EQ(call("GET", "/outcomes").status, 400);
  EXPECT_EQ(call("POST", "/outcomes?first_n=0&from=0").status, 405);
  EXPECT_EQ(call("GET", "/").status, 404);
  for (const char* token : {"", "secret-toke", "secret-token2", "Secret-token"}) {
    EXPECT_EQ(answer(drives_, kToken, {"POST", "/drive", token, plan}).status, 401) << token;
    EXPECT_EQ(answer(drives_, kToken, {"GET", "/healthz", token, ""}).status, 200);
  }
  EXPECT_EQ(answer(drives_, "", {"POST", "/drive", "", plan}).status, 401);
  EXPECT_EQ(server.heads().size(), 0u);
}

TEST_F(AgentApi, FailedDriveIsReported) {
  LoopbackServer server(ok_after(0));
  LoadPlan plan = plan_for(server, 0, 1);
  plan.base_url = "http://no-such-host.invalid";
  EXPECT_EQ(call("POST", "/drive", plan::to_json(plan)).status, 202);
  ControlAnswer last;
  for (int i = 0; i < 2000 && last.status != 502; ++i) {
    last = call("GET", "/outcomes?first_n=0&from=0");
    ::poll(nullptr, 0, 10);
  }
  EXPECT_EQ(last.status, 502);
  EXPECT_NE(last.body.find("no-such-host.invalid"), std::string::npos);
}

TEST_F(AgentApi, StopEndsTheDriveWithEveryRequestAccountedFor) {
  LoopbackServer server(ok_after(0));
  LoadPlan plan = plan_for(server, 0, 1000);
  plan.rate = 20;
  EXPECT_EQ(call("POST", "/drive", plan::to_json(plan)).status, 202);
  EXPECT_EQ(call("POST", "/stop").status, 202);
  EXPECT_EQ(finish(0).size(), 1000u);
}

// One request on a connection of its own, by hand.
std::string http(uint16_t port, const std::string& request) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  std::string reply;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char chunk[4096];
    for (ssize_t got; (got = ::recv(fd, chunk, sizeof chunk, 0)) > 0;) reply.append(chunk, static_cast<size_t>(got));
  }
  ::close(fd);
  return reply;
}

std::string get_text(const std::string& target, const std::string& token) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Hopcheck-Token: " + token + "\r\n\r\n";
}

// The running agent, stopped at the end of the test.
class Agent : public ::testing::Test {
 protected:
  void SetUp() override {
    std::promise<uint16_t> port;
    thread_ = std::thread([this, &port] {
      AgentOptions options{"127.0.0.1:0", std::string(kToken), [&port](const std::string& address) {
                             port.set_value(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
                           }};
      const Result<void> result = run_agent(options, stop_);
      EXPECT_TRUE(result.has_value()) << to_text(result.error());
    });
    port_ = port.get_future().get();
  }
  void TearDown() override {
    stop_ = true;
    thread_.join();
  }
  std::atomic<bool> stop_{false};
  std::thread thread_;
  uint16_t port_ = 0;
};

TEST_F(Agent, RoundTripOverTheWire) {
  LoopbackServer server(ok_after(0));
  const std::string body = plan::to_json(plan_for(server, 40, 100));
  EXPECT_EQ(http(port_, get_text("/healthz", "")).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(http(port_, get_text("/outcomes?first_n=40&from=0", "wrong")).substr(0, 12), "HTTP/1.1 401");
  const std::string post = "POST /drive HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Hopcheck-Token: secret-token\r\n"
                           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  EXPECT_EQ(http(port_, post).substr(0, 12), "HTTP/1.1 202");
  const std::vector<Outcome> all = all_outcomes(
      [this](const std::string& target) {
        const std::string reply = http(port_, get_text(target, "secret-token"));
        return ControlAnswer{std::stoi("0" + reply.substr(9, 3)), reply.substr(reply.find("\r\n\r\n") + 4)};
      },
      40);
  EXPECT_EQ(all.size(), 100u);
  for (const Outcome& outcome : all) EXPECT_EQ(outcome.kind, OutcomeKind::kOk);
  EXPECT_EQ(server.heads().size(), 100u);
}

TEST_F(Agent, RefusesMalformedAndOversizedRequests) {
  EXPECT_EQ(http(port_, "garbage\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(http(port_, "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n").substr(0, 12), "HTTP/1.1 431");
  EXPECT_EQ(http(port_, "POST /drive HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
  EXPECT_EQ(http(port_, get_text("/healthz", "")).substr(0, 12), "HTTP/1.1 200");
}

TEST(RunAgent, StopsWhileADriveRuns) {
  // A drive of hours must not keep the agent from ending.
  LoopbackServer server(ok_after(0));
  Drives drives;
  LoadPlan plan = plan_for(server, 0, 100'000);
  plan.rate = 1;
  EXPECT_EQ(*drives.start(plan), Drives::Start::kStarted);
}

TEST(RunAgent, BadOptionsAreErrors) {
  const std::atomic<bool> stop{true};
  EXPECT_EQ(run_agent({"127.0.0.1:0", "", nullptr}, stop).error().kind, ErrorKind::kUsage);
  for (const char* address : {"", "127.0.0.1", "nowhere:80", "127.0.0.1:99999", "127.0.0.1:x", ":80"}) {
    EXPECT_EQ(run_agent({address, "t", nullptr}, stop).error().kind, ErrorKind::kUsage) << address;
  }
  LoopbackServer taken(ok_after(0));
  const Result<void> result = run_agent({"127.0.0.1:" + std::to_string(taken.port()), "t", nullptr}, stop);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::kEnvironment);
  EXPECT_NE(result.error().what.find(std::to_string(taken.port())), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::load
