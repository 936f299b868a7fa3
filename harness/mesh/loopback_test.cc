#include "mesh/loopback.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "mesh/env_record.h"
#include "mesh/loopback_testing.h"

namespace hopcheck::mesh {
namespace {

class Loopback : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/loopback-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  LoopbackLease::Spec spec(std::vector<uint16_t> ports = {}) const {
    return {dir_, std::move(ports), networks_.second(), networks_.second()};
  }
  TestNetworks networks_;
  std::string dir_;
};

int listen_at(const std::string& ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 1) == 0) return fd;
  ::close(fd);
  return -1;
}

TEST_F(Loopback, TwoLeasesNeverShareANetwork) {
  const Result<LoopbackLease> one = LoopbackLease::acquire(spec()), two = LoopbackLease::acquire(spec());
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->prefix(), networks_.prefix(0));
  EXPECT_EQ(one->ip(7), networks_.prefix(0) + ".7");
  EXPECT_EQ(two->prefix(), networks_.prefix(1));
}

TEST_F(Loopback, AnEndedLeaseIsFreeAgain) {
  {
    const Result<LoopbackLease> first = LoopbackLease::acquire(spec());
    ASSERT_TRUE(first);
  }
  const Result<LoopbackLease> again = LoopbackLease::acquire(spec());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->prefix(), networks_.prefix(0));
}

TEST_F(Loopback, AnotherStateDirectoryIsKeptOutByTheGuard) {
  const Result<LoopbackLease> one = LoopbackLease::acquire(spec());
  const Result<LoopbackLease> other =
      LoopbackLease::acquire({dir_ + "/other", {}, networks_.second(), networks_.second()});
  ASSERT_TRUE(one && other);
  EXPECT_EQ(other->prefix(), networks_.prefix(1));
}

TEST_F(Loopback, ACopyInAnotherProcessKeepsIt) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  pid_t holder = -1;
  {
    const Result<LoopbackLease> lease = LoopbackLease::acquire(spec());
    ASSERT_TRUE(lease);
    ASSERT_EQ(lease->descriptors().size(), 2u);
    for (const int fd : lease->descriptors()) EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    holder = ::fork();
    if (holder == 0) {
      char c = 0;
      ::close(ends[1]);
      ::_exit(::read(ends[0], &c, 1) == 0 ? 0 : 1);
    }
  }
  {
    const Result<LoopbackLease> next = LoopbackLease::acquire(spec());
    ASSERT_TRUE(next);
    EXPECT_EQ(next->prefix(), networks_.prefix(1)) << "we let go, the other process still holds it";
  }
  ::close(ends[1]);
  ::waitpid(holder, nullptr, 0);
  ::close(ends[0]);
  const Result<LoopbackLease> after = LoopbackLease::acquire(spec());
  ASSERT_TRUE(after);
  EXPECT_EQ(after->prefix(), networks_.prefix(0));
}

TEST_F(Loopback, ManyProcessesAtOnceGetDifferentOnes) {
  constexpr int kProcesses = 8;
  int out[2], hold[2];
  ASSERT_EQ(::pipe(out), 0);
  ASSERT_EQ(::pipe(hold), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(hold[1]);
      const Result<LoopbackLease> lease = LoopbackLease::acquire(spec());
      const std::string line = (lease ? lease->prefix() : "none") + "\n";
      char c = 0;
      const bool written = ::write(out[1], line.data(), line.size()) > 0;
      ::_exit(written && ::read(hold[0], &c, 1) == 0 ? 0 : 1);
    }
    children.push_back(pid);
  }
  std::string text;
  char c = 0;
  for (int lines = 0; lines < kProcesses && ::read(out[0], &c, 1) == 1; lines += c == '\n' ? 1 : 0) text += c;
  for (const int fd : {hold[0], hold[1], out[0], out[1]}) ::close(fd);
  for (const pid_t pid : children) ::waitpid(pid, nullptr, 0);
  std::set<std::string> prefixes;
  for (size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    prefixes.insert(text.substr(at, end - at));
  EXPECT_EQ(prefixes.size(), size_t{kProcesses}) << text;
  EXPECT_EQ(prefixes.count("none"), 0u);
}

TEST_F(Loopback, ExhaustedRangeSaysHowManyAreLeased) {
  std::vector<LoopbackLease> held;
  for (int i = 0; i < 256; ++i) {
    Result<LoopbackLease> lease = LoopbackLease::acquire(spec());
    ASSERT_TRUE(lease) << to_text(lease.error());
    held.push_back(std::move(*lease));
  }
  const Result<LoopbackLease> none = LoopbackLease::acquire(spec());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(to_text(none.error()), "error: no free loopback network: all 256 from " + networks_.prefix(0) +
                                       ".0/24 to " + networks_.prefix(255) +
                                       ".0/24 are in use\n"
                                       "  why: 256 are leased by runs of hopcheck\n"
                                       "  fix: wait for the other runs to end\n");
}

TEST_F(Loopback, AProgramOnEveryAddressIsNamedByItsPort) {
  const Result<uint16_t> port = free_port("0.0.0.0");
  ASSERT_TRUE(port);
  const int fd = listen_at("0.0.0.0", *port);
  ASSERT_GE(fd, 0);
  const Result<LoopbackLease> none = LoopbackLease::acquire(spec({*port}));
  ::close(fd);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().why, "0 are leased by runs of hopcheck, port " + std::to_string(*port) + " is taken on 256");
  EXPECT_EQ(none.error().fix, "end the program that listens on port " + std::to_string(*port) + " (ss -ltnp shows it)");
}

TEST_F(Loopback, ANetworkWithATakenPortIsSkipped) {
  const int fd = listen_at(networks_.prefix(0) + ".1", 18'080);
  ASSERT_GE(fd, 0);
  const Result<LoopbackLease> lease = LoopbackLease::acquire(spec({18'080}));
  ::close(fd);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->prefix(), networks_.prefix(1));
}

TEST_F(Loopback, UnwritableStateDirectoryIsAnEnvironmentError) {
  const Result<LoopbackLease> none = LoopbackLease::acquire({"/proc/nowhere", {}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(none.error().what, "cannot make the folder /proc/nowhere/.loopback");
}

TEST_F(Loopback, FreePortCanBeListenedOn) {
  const Result<uint16_t> port = free_port(networks_.prefix(0) + ".1");
  ASSERT_TRUE(port);
  const int fd = listen_at(networks_.prefix(0) + ".1", *port);
  EXPECT_GE(fd, 0);
  ::close(fd);
  EXPECT_FALSE(free_port("192.0.2.1").has_value()) << "TEST-NET-1 is nobody's address";
  EXPECT_FALSE(free_port("no address").has_value());
}

TEST_F(Loopback, LeaseFoldersAreNoEnvironments) {
  const Result<LoopbackLease> lease = LoopbackLease::acquire(spec());
  ASSERT_TRUE(lease);
  EXPECT_TRUE(list_envs(dir_).empty());
}

}  // namespace
}  // namespace hopcheck::mesh
