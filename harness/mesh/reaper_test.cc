// The local reaper as a process of its own: this test program started again with the words of `hopcheck reaper`. A
// static object sees them before main() and becomes the reaper.
#include "mesh/reaper.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "mesh/local_leftovers.h"
#include "mesh/local_processes.h"
#include "mesh/loopback.h"
#include "mesh/loopback_testing.h"
#include "mesh/process_groups.h"

namespace hopcheck::mesh {
namespace {

using std::chrono::milliseconds;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct PerhapsReaper {
  PerhapsReaper() {
    std::vector<std::string> words;
    std::istringstream line(read_file("/proc/self/cmdline"));
    for (std::string word; std::getline(line, word, '\0');) words.push_back(word);
    if (words.size() == 7 && words[1] == "reaper" && words[6] == "--local")
      ::_exit(local_reaper_main(words[3], words[5]));
  }
} const perhaps_reaper;

template <class Condition>
bool within(milliseconds most, const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

class ReaperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/reaper-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    std::filesystem::create_directories(dir_ + "/state");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Reaper::Spec spec(const LoopbackLease& lease) const {
    return {std::filesystem::read_symlink("/proc/self/exe").string(), "env1", dir_ + "/state", true,
            lease.descriptors()};
  }
  std::string env_dir() const { return dir_ + "/state/env1"; }
  LoopbackLease::Spec network() const { return {dir_ + "/state", {}, networks_.second(), networks_.second()}; }
  TestNetworks networks_;
  std::string dir_;
};

// What a harness does, in a child of ours: lease, reaper, two children that shrug off SIGTERM, one of which was
// started behind the back of PR_SET_PDEATHSIG. Then it waits to be killed.
[[noreturn]] void harness(const std::string& dir, const Reaper::Spec& base, const LoopbackLease::Spec& network) {
  const Result<LoopbackLease> lease = LoopbackLease::acquire(network);
  if (!lease || !claim_local_dir(base.state_dir, base.id, "run")) ::_exit(1);
  Reaper::Spec spec = base;
  spec.keep_open = lease->descriptors();
  Result<std::unique_ptr<Reaper>> reaper = Reaper::start(spec);
  if (!reaper) ::_exit(2);
  LocalProcesses processes([&](pid_t group, bool started) { (*reaper)->group(group, started); },
                           base.state_dir + "/" + base.id + "/" + kLocalProcessesFile);
  const std::string script = "trap '' TERM; echo up; while :; do sleep 1; done";
  const Result<pid_t> one = processes.start({"one", {"/bin/sh", "-c", script}, {}, dir + "/one.log", ""});
  // setsid would leave the group; a grandchild in the group does not get the parent-death signal.
  const Result<pid_t> two = processes.start(
      {"two", {"/bin/sh", "-c", "/bin/sh -c \"" + script + "\" & wait"}, {}, dir + "/two.log", ""});
  if (!one || !two) ::_exit(3);
  std::ofstream(dir + "/groups.tmp") << *one << ' ' << *two << ' ' << lease->prefix() << '\n';
  std::filesystem::rename(dir + "/groups.tmp", dir + "/groups");
  while (true) ::pause();
}

TEST_F(ReaperTest, KilledHarnessTakesEverythingAlongWithinTwoSeconds) {
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) harness(dir_, spec({}), network());
  ASSERT_TRUE(within(milliseconds(10'000), [&] { return std::filesystem::exists(dir_ + "/groups"); }));
  ASSERT_TRUE(within(milliseconds(10'000), [&] {
    return read_file(dir_ + "/one.log") == "up\n" && read_file(dir_ + "/two.log") == "up\n";
  }));
  pid_t one = 0, two = 0;
  std::string prefix;
  std::ifstream(dir_ + "/groups") >> one >> two >> prefix;
  ASSERT_TRUE(group_alive(one) && group_alive(two));
  EXPECT_TRUE(list_local_leftovers(dir_ + "/state").empty()) << "its owner lives";
  ::kill(parent, SIGKILL);
  const auto killed = std::chrono::steady_clock::now();
  ::waitpid(parent, nullptr, 0);
  bool leased_while_alive = false;
  if (group_alive(two)) {
    const Result<LoopbackLease> early = LoopbackLease::acquire(network());
    ASSERT_TRUE(early);
    leased_while_alive = !group_alive(two) || early->prefix() != prefix;
    EXPECT_TRUE(leased_while_alive) << "somebody else got the network while a process was left in it";
  }
  EXPECT_TRUE(within(milliseconds(2'000), [&] { return !group_alive(one) && !group_alive(two); }));
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - killed);
  EXPECT_LT(took.count(), 2'000);
  EXPECT_TRUE(within(milliseconds(2'000), [&] { return !std::filesystem::exists(env_dir()); }));
  EXPECT_TRUE(within(milliseconds(2'000), [&] {
    const Result<LoopbackLease> later = LoopbackLease::acquire(network());
    return later && later->prefix() == prefix;
  })) << "the lease ends with the reaper";
}

TEST_F(ReaperTest, AnOrderlyEndLeavesTheRestToUs) {
  const Result<LoopbackLease> lease = LoopbackLease::acquire(network());
  ASSERT_TRUE(lease);
  ASSERT_TRUE(claim_local_dir(dir_ + "/state", "env1", "run"));
  Result<std::unique_ptr<Reaper>> reaper = Reaper::start(spec(*lease));
  ASSERT_TRUE(reaper);
  LocalProcesses processes([&](pid_t group, bool started) {
    if (*reaper) (*reaper)->group(group, started);
  });
  const Result<pid_t> child = processes.start({"one", {"/bin/sh", "-c", "exec sleep 600"}, {}, "", ""});
  ASSERT_TRUE(child);
  (*reaper)->done();
  reaper->reset();
  int status = -1;
  ASSERT_TRUE(within(milliseconds(5'000), [&] {  // the reaper is the only child of ours that ends by itself
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0 || info.si_pid == *child)
      return false;
    return ::waitpid(info.si_pid, &status, 0) > 0;
  }));
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(group_alive(*child));
  EXPECT_TRUE(std::filesystem::exists(env_dir()));
}

}  // namespace
}  // namespace hopcheck::mesh
