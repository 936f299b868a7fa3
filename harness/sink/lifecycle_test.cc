// Tokens, control API, time limits, drain, restart, full disk, kill.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "sink/test_sink.h"

namespace hopcheck::sink {
namespace {

TEST_F(SinkTest, TheExpectedHeaderIsAskedForBeforeTheBody) {
  options_.expect_header = "Authentication";
  options_.expect_value = Secret("secret-token-0815");
  start();
  const std::string body = recorded_protobuf(0);
  for (const std::string& fields :
       {std::string(), std::string("Authentication: wrong\r\n"), std::string("Authentication: secret-token-081\r\n"),
        std::string("Authorization: secret-token-0815\r\n"),
        std::string("Authentication: secret-token-0815\r\nAuthentication: secret-token-0815\r\n"),
        "Authentication: " + std::string(60'000, 'x') + "\r\n"}) {
    TestClient client(port());
    const std::string request = post(std::string(1 << 20, 'x'), fields);
    client.send(request.substr(0, request.size() - (1 << 20)));  // the body is never sent
    const Answer answer = client.receive();
    EXPECT_EQ(answer.status, 401) << fields.substr(0, 60);
    EXPECT_EQ(answer.body.substr(0, 2), "\x08\x10");  // UNAUTHENTICATED
    EXPECT_EQ(answer.body.find("secret-token"), std::string::npos);
  }
  TestClient client(port());
  EXPECT_EQ(client.ask(post(body)).status, 401);
  EXPECT_EQ(client.ask(post(body, "authentication: secret-token-0815\r\n")).status, 200);  // on the same connection
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.refused.at("unauthorized"), 7u);
  EXPECT_EQ(counts.bodies.accepted, 1u);
  EXPECT_EQ(capture_bytes().find("secret-token"), std::string::npos);
  EXPECT_EQ(summary_json(counts).find("secret-token"), std::string::npos);
}

TEST_F(SinkTest, AnExpectedHeaderIsNotStoredEvenWhenItsNameIsOnTheList) {
  options_.expect_header = "custom-header";
  options_.expect_value = Secret("secret-token-0815");
  start();
  EXPECT_EQ(ask(post("", "Custom-Header: secret-token-0815\r\nUser-Agent: kept\r\nCookie: not-kept\r\n")).status, 200);
  stop();
  const std::string bytes = capture_bytes();
  EXPECT_EQ(bytes.find("secret-token"), std::string::npos);
  EXPECT_EQ(bytes.find("not-kept"), std::string::npos);
  EXPECT_NE(bytes.find("kept"), std::string::npos);
}

TEST(Secrets, AreReadFromFilesAndEnvironmentOnly) {
  const std::string path = (std::filesystem::temp_directory_path() / "hopcheck-secret-test").string();
  std::ofstream(path) << "from-file\r\n";
  setenv("HOPCHECK_TEST_SECRET", "from-environment", 1);
  EXPECT_EQ(read_secret("@" + path).value(), "from-file");
  EXPECT_EQ(read_secret("env:HOPCHECK_TEST_SECRET").value(), "from-environment");
  EXPECT_FALSE(read_secret("plain"));
  EXPECT_FALSE(read_secret("env:HOPCHECK_TEST_SECRET_MISSING"));
  EXPECT_FALSE(read_secret("@" + path + ".missing"));
  std::ofstream(path) << "\n";
  EXPECT_FALSE(read_secret("@" + path));
  std::filesystem::remove(path);
}

TEST_F(SinkTest, ControlApi) {
  start();
  EXPECT_EQ(control("GET /status", "").status, 401);
  EXPECT_EQ(control("GET /status", "X-Hopcheck-Token: other\r\n").status, 401);
  EXPECT_EQ(control("GET /healthz", "").status, 200);
  EXPECT_EQ(control("GET /nothing").status, 404);
  EXPECT_EQ(control("GET /seal").status, 405);
  EXPECT_EQ(control("POST /status").status, 405);
  EXPECT_EQ(control("GET /capture?from=x").status, 400);
  EXPECT_EQ(control("GET /capture?from=65").status, 416);
  EXPECT_EQ(ask(post(recorded_protobuf(0))).status, 200);
  EXPECT_EQ(ask(post("\xff")).status, 400);
  const auto status = nlohmann::json::parse(control("GET /status").body);
  EXPECT_EQ(status["capture_bytes"], std::filesystem::file_size(dir_ + "/capture.hcl"));
  EXPECT_EQ(status["requests"], 2);
  EXPECT_EQ(status["spans"], 5);
  EXPECT_EQ(status["refused"], 1);
  EXPECT_EQ(status["aborted"], 0);
  EXPECT_EQ(status["sealed"], false);
  EXPECT_EQ(status["instance"].get<std::string>().size(), 16u);
  const auto sealed = nlohmann::json::parse(control("POST /seal").body);
  EXPECT_EQ(sealed["sealed"], true);
  EXPECT_EQ(control("POST /seal").status, 200);
  EXPECT_EQ(ask(post("")).status, 503);
  EXPECT_EQ(control("GET /capture").body, capture_bytes());
  EXPECT_TRUE(load().complete);
}

TEST_F(SinkTest, TheCaptureCanBeFollowedWhileItGrows) {
  start();
  const std::string body = recorded_protobuf(0);
  std::string followed;
  std::thread sender([&] {
    TestClient client(port());
    for (int i = 0; i < 40; ++i) {
      EXPECT_EQ(client.ask(post(body)).status, 200);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(control("POST /seal").status, 200);
  });
  store::CaptureParser parser;
  uint64_t frames = 0;
  int pieces = 0;
  while (!parser.sealed() && pieces < 1000) {
    const Answer answer = control("GET /capture?wait=5000&from=" + std::to_string(followed.size()));
    ASSERT_EQ(answer.status, 200);
    ASSERT_TRUE(parser.feed(answer.body, [&](const store::Frame&) { ++frames; }));
    ASSERT_EQ(parser.pending(), 0u) << "whole frames only";
    followed += answer.body;
    ++pieces;
  }
  sender.join();
  EXPECT_TRUE(parser.sealed());
  EXPECT_EQ(frames, 40u);
  EXPECT_LT(pieces, 45);
  EXPECT_EQ(followed, capture_bytes());
}

TEST_F(SinkTest, LongPollsEndInTime) {
  start();
  const auto before = std::chrono::steady_clock::now();
  const Answer answer = control("GET /capture?from=64&wait=300");
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_GE(took, std::chrono::milliseconds(300));
  EXPECT_LT(took, std::chrono::seconds(10));
}

TEST_F(SinkTest, AControlApiForOthersNeedsAToken) {
  options_.control = "0.0.0.0:0";
  options_.control_token = Secret();
  const auto open = Sink::start(options_);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().kind, ErrorKind::kUsage);
  options_.control = "127.0.0.1:0";
  EXPECT_TRUE(Sink::start(options_));
}

TEST_F(SinkTest, AddressesAndTheirErrors) {
  start();
  std::ifstream file(dir_ + "/sink.json");
  const auto json = nlohmann::json::parse(file);
  EXPECT_EQ(json["http"], "127.0.0.1:" + std::to_string(port()));
  EXPECT_EQ(json["control"], "127.0.0.1:" + std::to_string(sink_->control_port()));
  EXPECT_EQ(json["pid"], getpid());
  SinkOptions other = options_;
  other.out = dir_ + "/other/deep";
  other.http = "127.0.0.1:" + std::to_string(port());
  const auto taken = Sink::start(other);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, ErrorKind::kEnvironment);
  EXPECT_NE(taken.error().what.find(other.http), std::string::npos);
  for (const char* bad : {"nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "no.such.name:1"}) {
    other.http = bad;
    const auto refused = Sink::start(other);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
  }
  other.http = "[::1]:0";
  const auto v6 = Sink::start(other);
  EXPECT_TRUE(!v6 || (*v6)->http_port() != 0);
}

TEST_F(SinkTest, SlowSendersAreCutOff) {
  options_.limits.header_timeout_ms = 300;
  options_.limits.body_grace_ms = 300;
  options_.limits.idle_timeout_ms = 400;
  start();
  TestClient head(port()), body(port()), idle(port());
  head.send("POST /v1/traces HTTP/1.1\r\nHo");
  body.send(post_chunked("5\r\nxx"));
  EXPECT_EQ(head.receive().status, 408);
  EXPECT_EQ(body.receive().status, 408);
  EXPECT_TRUE(head.ended());
  EXPECT_TRUE(body.ended());
  EXPECT_TRUE(idle.ended());
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.refused.at("too-slow"), 1u);
  EXPECT_EQ(counts.strays, 1u);
  EXPECT_EQ(frame_statuses(), (std::map<int, int>{{408, 1}}));
}

TEST_F(SinkTest, ConnectionsCutAtEveryByteStoreNothing) {
  start();
  const std::string request = post_chunked(chunked(recorded_protobuf(0), 700));
  const size_t body_starts = request.find("\r\n\r\n") + 4;
  size_t cuts_in_body = 0;
  for (size_t size = 0; size < request.size(); size += size < body_starts + 20 ? 1 : 97) {
    TestClient client(port());
    ASSERT_TRUE(client.send(request.substr(0, size)));
    size % 2 == 0 ? client.reset() : client.disconnect();
    cuts_in_body += size >= body_starts;
  }
  EXPECT_EQ(ask(request).status, 200);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.bodies.accepted, 1u);
  EXPECT_EQ(counts.bodies.refused, 0u);
  EXPECT_LE(counts.bodies.aborted, cuts_in_body);
  EXPECT_GE(counts.bodies.aborted, cuts_in_body / 3);  // a reset may overtake the bytes before it
  const store::LoadedCapture loaded = load();
  EXPECT_EQ(loaded.spans.size(), 5u);
  EXPECT_EQ(loaded.bodies.aborted, counts.bodies.aborted);
}

TEST_F(SinkTest, StopFinishesWhatIsUnderWay) {
  start();
  const std::string body = recorded_protobuf(0);
  const std::string request = post(body);
  TestClient busy(port()), idle(port());
  busy.send(request.substr(0, request.size() - 100));
  EXPECT_EQ(idle.ask(post("")).status, 200);
  TallyCounts counts;
  std::thread stopper([&] { counts = stop(); });
  EXPECT_TRUE(idle.ended());
  for (int i = 0; i < 200 && TestClient(port()).connected(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  busy.send(request.substr(request.size() - 100));
  const Answer answer = busy.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.has("Connection: close"));
  stopper.join();
  EXPECT_EQ(counts.bodies.accepted, 2u);
  EXPECT_TRUE(load().complete);
}

TEST_F(SinkTest, AStuckRequestDoesNotHoldUpTheStop) {
  options_.drain_ms = 300;
  start();
  TestClient stuck(port());
  stuck.send(post_chunked("5\r\nxx"));
  for (int i = 0; i < 200 && sink_->counts().strays == 0; ++i) ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto before = std::chrono::steady_clock::now();
  const TallyCounts counts = stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(4));
  EXPECT_EQ(counts.bodies.aborted, 1u);
  EXPECT_TRUE(load().complete);
  EXPECT_EQ(load().bodies.aborted, 1u);
}

TEST_F(SinkTest, ARestartContinuesTheCaptureAndTheCounts) {
  start();
  EXPECT_EQ(ask(post(recorded_protobuf(0))).status, 200);
  EXPECT_EQ(ask(post("\xff")).status, 400);
  const std::string first = nlohmann::json::parse(control("GET /status").body)["instance"];
  sink_.reset();  // as a kill leaves it
  const std::string whole = capture_bytes();
  std::ofstream(dir_ + "/capture.hcl", std::ios::binary | std::ios::app) << whole.substr(64, 100);  // half a frame
  start();
  EXPECT_EQ(ask(post(recorded_protobuf(1))).status, 200);
  const auto status = nlohmann::json::parse(control("GET /status").body);
  EXPECT_EQ(status["requests"], 3);
  EXPECT_EQ(status["refused"], 1);
  EXPECT_NE(status["instance"], first);
  const TallyCounts counts = stop();
  const store::LoadedCapture loaded = load();
  EXPECT_TRUE(loaded.complete) << loaded.problem;
  EXPECT_EQ(loaded.bodies.received, 3u);
  EXPECT_EQ(loaded.spans.size(), counts.spans);
  sink_.reset();
  const auto again = Sink::start(options_);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().what.find("is sealed"), std::string::npos);
}

TEST_F(SinkTest, AFullDiskIsAnsweredWith503AndNothingIsHalfStored) {
  start();
  const std::string body = recorded_protobuf(0);
  EXPECT_EQ(ask(post(body)).status, 200);
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit small{std::filesystem::file_size(dir_ + "/capture.hcl") + 1000, old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Answer answer = ask(post(body));
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, old_action);
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.has("Retry-After: 1\r\n"));
  EXPECT_EQ(ask(post(body)).status, 200);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.refused.at("not-stored"), 1u);
  EXPECT_EQ(load().bodies.accepted, 2u);
  EXPECT_TRUE(load().complete);
}

TEST_F(SinkTest, SeveralThreadsAndSenders) {
  options_.limits.threads = 3;
  start();
  const std::string body = recorded_protobuf(0);
  std::vector<std::thread> senders;
  for (int t = 0; t < 8; ++t) {
    senders.emplace_back([&] {
      TestClient client(port());
      for (int i = 0; i < 50; ++i) EXPECT_EQ(client.ask(post_chunked(chunked(body, 1000))).status, 200);
    });
  }
  for (std::thread& sender : senders) sender.join();
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.bodies.accepted, 400u);
  EXPECT_EQ(counts.spans, 2000u);
  EXPECT_EQ(counts.duplicates, 1995u);
  EXPECT_EQ(load().spans.size(), 2000u);
}

TEST_F(SinkTest, TooManyBufferedBytesAreRefusedNotSwallowed) {
  options_.limits.max_buffered_bytes = 50'000;
  start();
  const std::string request = post(std::string(400'000, 'x'));
  TestClient client(port());
  client.send(request);
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 503);
  client.disconnect();
  EXPECT_EQ(ask(post("")).status, 200);
  EXPECT_EQ(stop().refused.at("overloaded"), 1u);
}

// Acknowledged means written: a kill at any moment loses nothing that was answered with 200.
TEST_F(SinkTest, EveryAcknowledgedExportSurvivesAKill) {
  const std::string body = recorded_protobuf(0);
  uint64_t acknowledged = 0, sent = 0;
  for (int round = 0; round < 15; ++round) {
    std::filesystem::remove(dir_ + "/sink.json");
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto sink = Sink::start(options_);
      if (!sink) _exit(1);
      while (true) pause();
    }
    for (int i = 0; i < 500 && !std::filesystem::exists(dir_ + "/sink.json"); ++i) usleep(10'000);
    std::ifstream file(dir_ + "/sink.json");
    const std::string http = nlohmann::json::parse(file)["http"];
    TestClient client(static_cast<uint16_t>(std::stoi(http.substr(http.rfind(':') + 1))));
    std::thread killer([&] {
      usleep(static_cast<useconds_t>(3000 + round * 1700));
      kill(child, SIGKILL);
    });
    while (true) {
      ++sent;
      const Answer answer = client.ask(post(body));
      if (answer.status != 200) break;
      ++acknowledged;
    }
    killer.join();
    waitpid(child, nullptr, 0);
  }
  ASSERT_GT(acknowledged, 15u);
  start();
  const TallyCounts counts = stop();
  EXPECT_GE(counts.bodies.accepted, acknowledged);
  EXPECT_LE(counts.bodies.accepted, sent);
  EXPECT_TRUE(load().complete) << load().problem;
  EXPECT_EQ(load().spans.size(), counts.bodies.accepted * 5);
}

}  // namespace
}  // namespace hopcheck::sink
