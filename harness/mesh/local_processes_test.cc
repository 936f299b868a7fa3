#include "mesh/local_processes.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "mesh/local_leftovers.h"
#include "mesh/loopback.h"
#include "mesh/process_groups.h"

namespace hopcheck::mesh {
namespace {

using std::chrono::milliseconds;
const std::atomic<bool> kNever{false};

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class Condition>
bool within(milliseconds most, const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

class LocalProcessesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/local-processes-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  ChildSpec shell(const std::string& name, const std::string& script) const {
    return {name, {"/bin/sh", "-c", script}, {}, dir_ + "/" + name + ".log", ""};
  }
  std::string log(const std::string& name) const { return read_file(dir_ + "/" + name + ".log"); }
  std::string dir_;
};

TEST_F(LocalProcessesTest, EachChildLeadsAGroupAndWritesItsOwnLog) {
  LocalProcesses processes;
  const Result<pid_t> one = processes.start(shell("one", "echo out; echo err >&2; exec sleep 600"));
  const Result<pid_t> two = processes.start(shell("two", "pwd; exec sleep 600"));
  ASSERT_TRUE(one && two);
  EXPECT_EQ(::getpgid(*one), *one);
  EXPECT_EQ(::getpgid(*two), *two);
  EXPECT_TRUE(within(milliseconds(5'000), [&] { return log("one") == "out\nerr\n"; })) << log("one");
  EXPECT_EQ(processes.names(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(processes.pid("two"), *two);
  EXPECT_EQ(processes.pid("three"), std::nullopt);
  EXPECT_FALSE(processes.start(shell("one", "exit 0")).has_value()) << "the name is taken";
  struct stat info {};
  ASSERT_EQ(::stat((dir_ + "/one.log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(LocalProcessesTest, EnvironmentAndFolderAreTheChilds) {
  ::setenv("KUBECONFIG", "/nowhere/config", 1);
  LocalProcesses processes;
  ChildSpec spec = shell("env", "echo \"${KUBECONFIG-none} $NO_PROXY $ADDED $PWD\"; exec sleep 600");
  spec.env = {{"ADDED", "yes"}};
  spec.cwd = "/";
  ASSERT_TRUE(processes.start(spec));
  ::unsetenv("KUBECONFIG");
  EXPECT_TRUE(within(milliseconds(5'000), [&] { return log("env") == "none * yes /\n"; })) << log("env");
}

TEST_F(LocalProcessesTest, WhatCannotStartIsAnEnvironmentError) {
  LocalProcesses processes;
  ChildSpec spec = shell("bad", "");
  spec.argv = {"/nonexistent/envoy"};
  Result<pid_t> started = processes.start(spec);
  ASSERT_FALSE(started);
  EXPECT_EQ(to_text(started.error()),
            "error: cannot start bad (/nonexistent/envoy)\n  why: No such file or directory\n"
            "  fix: check that it is installed and executable\n");
  spec = shell("bad", "");
  spec.cwd = "/nonexistent";
  EXPECT_FALSE(processes.start(spec).has_value());
  spec = shell("bad", "");
  spec.log_path = "/nonexistent/log";
  started = processes.start(spec);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().what, "cannot write the log /nonexistent/log");
  EXPECT_TRUE(processes.names().empty());
}

TEST_F(LocalProcessesTest, ACrashHasNameEndAndLastLines) {
  LocalProcesses processes;
  ASSERT_TRUE(processes.start(shell("fine", "exec sleep 600")));
  ASSERT_TRUE(processes.start(shell("gone", "echo starting; echo '[critical] bad config'; echo exiting; exit 3")));
  std::optional<Crash> crash;
  ASSERT_TRUE(within(milliseconds(5'000), [&] { return (crash = processes.crashed()).has_value(); }));
  EXPECT_EQ(crash->name, "gone");
  EXPECT_EQ(crash->exit_code, 3);
  EXPECT_EQ(crash->signal, 0);
  EXPECT_EQ(to_text(*crash),
            "gone ended by itself: exit code 3: [critical] bad config (log: " + dir_ + "/gone.log)");
  EXPECT_TRUE(processes.stop({"gone"}));
  EXPECT_FALSE(processes.crashed()) << "what was stopped is no crash any more";
  ASSERT_TRUE(processes.start(shell("killed", "kill -9 $$")));
  ASSERT_TRUE(within(milliseconds(5'000), [&] { return (crash = processes.crashed()).has_value(); }));
  EXPECT_EQ(crash->signal, SIGKILL);
  EXPECT_EQ(crash->exit_code, -1);
}

TEST_F(LocalProcessesTest, StopEndsWholeGroupsInOrderOfGentleness) {
  std::vector<std::pair<pid_t, bool>> seen;
  LocalProcesses processes([&](pid_t group, bool started) { seen.emplace_back(group, started); });
  const Result<pid_t> gentle =
      processes.start(shell("gentle", "trap 'echo bye; exit 0' TERM; echo up; while :; do :; done"));
  const Result<pid_t> stubborn = processes.start(shell("stubborn", "trap '' TERM; sleep 600 & echo up; wait; wait"));
  ASSERT_TRUE(gentle && stubborn);
  ASSERT_TRUE(within(milliseconds(5'000), [&] { return log("gentle") == "up\n" && log("stubborn") == "up\n"; }));
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(processes.stop_all());
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, milliseconds(1'900)) << "two seconds of grace";
  EXPECT_LE(took, milliseconds(3'500));
  EXPECT_EQ(log("gentle"), "up\nbye\n");
  EXPECT_FALSE(group_alive(*gentle));
  EXPECT_FALSE(group_alive(*stubborn));
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_TRUE(processes.names().empty());
  EXPECT_TRUE(processes.stop_all()) << "nothing left to stop";
}

TEST_F(LocalProcessesTest, DestructionStopsAll) {
  pid_t pid = -1;
  {
    LocalProcesses processes;
    pid = processes.start(shell("one", "exec sleep 600")).value_or(-1);
  }
  ASSERT_GT(pid, 1);
  EXPECT_EQ(start_ticks(pid), 0u);
}

TEST_F(LocalProcessesTest, ChildrenOutliveTheThreadThatAskedForThem) {
  LocalProcesses processes;
  pid_t pid = -1;
  std::thread asking([&] { pid = processes.start(shell("one", "exec sleep 600")).value_or(-1); });
  asking.join();
  std::this_thread::sleep_for(milliseconds(100));
  ASSERT_GT(pid, 1);
  EXPECT_TRUE(group_alive(pid));
  EXPECT_FALSE(processes.crashed());
}

// Answers every connection with `status` until it is destroyed.
class TinyServer {
 public:
  explicit TinyServer(const std::string& status) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/ready";
    thread_ = std::thread([this, answer = "HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nok"] {
      while (true) {
        const int connection = ::accept(fd_, nullptr, nullptr);
        if (connection < 0) return;
        char buffer[4096];
        if (::read(connection, buffer, sizeof buffer) > 0) {
          EXPECT_EQ(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL), ssize_t(answer.size()));
        }
        ::close(connection);
      }
    });
  }
  ~TinyServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  const std::string& url() const { return url_; }

 private:
  int fd_;
  std::string url_;
  std::thread thread_;
};

TEST_F(LocalProcessesTest, ReadyWhenEveryCheckAnswers200) {
  const TinyServer one("200 OK"), two("200 OK");
  LocalProcesses processes;
  ASSERT_TRUE(processes.start(shell("one", "exec sleep 600")));
  const Result<void> ready = processes.wait_ready({{"one", one.url()}, {"two", two.url()}}, 5'000, kNever);
  EXPECT_TRUE(ready) << to_text(ready.error());
}

TEST_F(LocalProcessesTest, NotReadyInTimeIsNamed) {
  const TinyServer fine("200 OK"), busy("503 Service Unavailable");
  LocalProcesses processes;
  ASSERT_TRUE(processes.start(shell("busy", "exec sleep 600")));
  const Result<void> ready = processes.wait_ready({{"fine", fine.url()}, {"busy", busy.url()}}, 300, kNever);
  ASSERT_FALSE(ready);
  EXPECT_EQ(to_text(ready.error()), "error: not ready within 300ms: busy\n  why: " + busy.url() +
                                        " last said: status 503\n  fix: read the log: " + dir_ + "/busy.log\n");
}

TEST_F(LocalProcessesTest, AnEndedChildEndsTheWaitAtOnce) {
  const Result<uint16_t> port = free_port("127.0.0.1");
  ASSERT_TRUE(port);
  const std::string url = "http://127.0.0.1:" + std::to_string(*port) + "/ready";
  LocalProcesses processes;
  ASSERT_TRUE(processes.start(shell("envoy a", "echo '[critical] error initializing configuration'; exit 1")));
  const Result<void> ready = processes.wait_ready({{"envoy a", url}}, 20'000, kNever);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(to_text(ready.error()),
            "error: envoy a ended instead of becoming ready\n"
            "  why: envoy a ended by itself: exit code 1: [critical] error initializing configuration (log: " +
                dir_ + "/envoy a.log)\n  fix: read the log: " + dir_ + "/envoy a.log\n");
}

TEST_F(LocalProcessesTest, StopFlagEndsTheWait) {
  const TinyServer busy("503 Service Unavailable");
  std::atomic<bool> stop{false};
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop = true;
  });
  LocalProcesses processes;
  const Result<void> ready = processes.wait_ready({{"busy", busy.url()}}, 20'000, stop);
  stopper.join();
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().kind, ErrorKind::kInterrupted);
}

TEST_F(LocalProcessesTest, TellingLinesPreferTheOnesWithAnError) {
  const std::string path = dir_ + "/x.log";
  std::ofstream(path) << "[info] a\n[critical] b\n[info] c\nFatal d\n[info] e\n";
  EXPECT_EQ(telling_lines(path), "[critical] b | Fatal d");
  std::ofstream(path) << "a\nb\nc\nd\n";
  EXPECT_EQ(telling_lines(path), "b | c | d");
  std::ofstream(path) << "[info] a\nError: these:\n\nunknown type\nmore\n";
  EXPECT_EQ(telling_lines(path), "Error: these: | unknown type");
  EXPECT_EQ(telling_lines(dir_ + "/none"), "");
  EXPECT_EQ(telling_lines(""), "");
}

// No reaper here: PR_SET_PDEATHSIG alone.
TEST_F(LocalProcessesTest, ChildrenDieWithAKilledParent) {
  const std::string record = dir_ + "/" + kLocalProcessesFile;
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    LocalProcesses processes({}, record);
    const bool up = processes.start(shell("one", "exec sleep 600")) && processes.start(shell("two", "exec sleep 600"));
    std::ofstream(dir_ + "/up") << up;
    ::pause();
    ::_exit(0);
  }
  ASSERT_TRUE(within(milliseconds(10'000), [&] { return read_file(dir_ + "/up") == "1"; }));
  std::ifstream in(record);
  std::vector<pid_t> children;
  pid_t pid = 0;
  uint64_t start = 0;
  while (in >> pid >> start) {
    EXPECT_EQ(start_ticks(pid), start);
    children.push_back(pid);
  }
  ASSERT_EQ(children.size(), 2u);
  for (const pid_t child : children) EXPECT_TRUE(group_alive(child));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(within(milliseconds(2'000), [&] { return !group_alive(children[0]) && !group_alive(children[1]); }));
}

TEST_F(LocalProcessesTest, LeftoversAreFoldersWhoseOwnerIsDead) {
  EXPECT_TRUE(list_local_leftovers(dir_ + "/none").empty());
  ASSERT_TRUE(claim_local_dir(dir_, "ours", "run"));
  std::filesystem::create_directories(dir_ + "/kind-env");
  const std::string dead = dir_ + "/dead", record = dead + "/" + kLocalProcessesFile;
  const pid_t owner = ::fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) ::_exit(claim_local_dir(dir_, "dead", "run").has_value() ? 0 : 1);
  int status = 0;
  ::waitpid(owner, &status, 0);
  ASSERT_EQ(status, 0);
  LocalProcesses processes({}, record);
  const Result<pid_t> survivor = processes.start(shell("survivor", "exec sleep 600"));
  ASSERT_TRUE(survivor);
  std::ofstream(record, std::ios::app) << ::getpid() << " 1\n";  // a number that is another's now

  const std::vector<LocalLeftover> found = list_local_leftovers(dir_);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].id, "dead");
  EXPECT_EQ(found[0].dir, dead);
  EXPECT_FALSE(found[0].created.empty());
  EXPECT_EQ(found[0].groups, std::vector<pid_t>{*survivor});
  const Result<void> removed = remove_local_leftover(found[0]);
  EXPECT_TRUE(removed) << to_text(removed.error());
  EXPECT_FALSE(group_alive(*survivor));
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_TRUE(list_local_leftovers(dir_).empty());
}

}  // namespace
}  // namespace hopcheck::mesh
