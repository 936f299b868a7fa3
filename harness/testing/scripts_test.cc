// The front doors behave when the machine does not: each script runs with a PATH of its own (shims and links), and its
// exit code and message are compared. No network, no Docker, nothing installed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hopcheck::testing {
namespace {

namespace fs = std::filesystem;

struct Ran {
  int code = -1;
  std::string out;  // stdout and stderr
};

// `command` is shell text; the current directory is the source root.
Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer{};
  size_t n = 0;
  constexpr size_t kMost = 1'000'000;
  while ((n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0 && ran.out.size() < kMost) {
    ran.out.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ran;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Scripts : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("hopcheck-scripts-" + std::to_string(getpid()));
    fs::create_directories(dir_ / "bin");
  }
  void TearDown() override { fs::remove_all(dir_); }

  void shim(const std::string& name, const std::string& body) {
    const fs::path path = dir_ / "bin" / name;
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  // Only what is linked or shimmed can be found.
  void link(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      for (const char* place : {"/usr/bin/", "/bin/"}) {
        if (!fs::exists(place + name)) continue;
        fs::create_symlink(place + name, dir_ / "bin" / name);
        break;
      }
    }
  }
  std::string bin() const { return (dir_ / "bin").string(); }
  std::string file(const std::string& name) const { return (dir_ / name).string(); }

  fs::path dir_;
};

// Prints every package it is asked about as installed, but for the ones in $MISSING.
constexpr const char* kDpkgQuery = R"(for p in "$@"; do
  case "$p" in -*) continue ;; esac
  case " $MISSING " in *" $p "*) continue ;; esac
  echo "$p installed"
done)";

TEST_F(Scripts, SetupIsSilentAndQuickWhenAllIsThere) {
  shim("dpkg-query", kDpkgQuery);
  shim("apt-get", "echo must not run; exit 1");
  const auto began = std::chrono::steady_clock::now();
  const Ran ran = run("PATH=" + bin() + ":$PATH scripts/setup --fuzz --lint --bare");
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_EQ(ran.out, "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3)) << "0.1 s on an idle machine";
}

TEST_F(Scripts, SetupWithoutRootPrintsTheOneCommandAndExits3) {
  shim("dpkg-query", kDpkgQuery);
  shim("id", "echo 1000");
  const Ran ran = run("MISSING='cmake libfmt-dev' HOPCHECK_SETUP= PATH=" + bin() + ":$PATH scripts/setup");
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.out, "fix: sudo apt-get install -y --no-install-recommends cmake libfmt-dev\n")) << ran.out;
}

TEST_F(Scripts, SetupThroughSudoInstallsOnlyWhatIsMissing) {
  shim("dpkg-query", kDpkgQuery);
  shim("id", "echo 1000");
  shim("sudo", "printf '%s\\n' \"$*\" >>" + file("sudo.log"));
  const Ran ran = run("MISSING=cmake HOPCHECK_SETUP=sudo PATH=" + bin() + ":$PATH scripts/setup");
  EXPECT_EQ(ran.code, 0) << ran.out;
  const Ran log = run("cat " + file("sudo.log"));
  EXPECT_TRUE(contains(log.out, "apt-get")) << log.out;
  EXPECT_TRUE(contains(log.out, "install -y --no-install-recommends cmake\n")) << log.out;
  EXPECT_FALSE(contains(log.out, "libfmt-dev")) << log.out;
}

TEST_F(Scripts, SetupNamesAFailedInstall) {
  shim("dpkg-query", kDpkgQuery);
  shim("id", "echo 0");
  shim("apt-get", "echo no route to the mirror; exit 100");
  const Ran ran = run("MISSING=cmake PATH=" + bin() + ":$PATH scripts/setup");
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.out, "no route to the mirror")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "error: apt-get update failed")) << ran.out;
}

TEST_F(Scripts, SetupRefusesTooLittleMemoryAndDisk) {
  shim("dpkg-query", kDpkgQuery);
  std::ofstream(file("meminfo")) << "MemTotal:        1048576 kB\n";
  const Ran memory = run("HOPCHECK_MEMINFO=" + file("meminfo") + " PATH=" + bin() + ":$PATH scripts/setup");
  EXPECT_EQ(memory.code, 3);
  EXPECT_TRUE(contains(memory.out, "not enough memory: 1024 MiB")) << memory.out;
  shim("df", "echo header; echo /dev/x 100000 99000 1000 99% /");
  const Ran disk = run("PATH=" + bin() + ":$PATH scripts/setup");
  EXPECT_EQ(disk.code, 3);
  EXPECT_TRUE(contains(disk.out, "not enough disk: 1000 MiB free here")) << disk.out;
}

TEST_F(Scripts, EndToEndWithoutDockerExits3AtOnceAndOffersReplay) {
  link({"bash", "dirname", "timeout", "env", "cat"});
  fs::create_directories(dir_ / "checkout/scenarios/suites");
  fs::copy("scripts", dir_ / "checkout/scripts", fs::copy_options::recursive);
  std::ofstream(dir_ / "checkout/scenarios/suites/e2e.yaml") << "kind: Suite\n";
  const std::string command =
      "cd " + file("checkout") + " && HOPCHECK_SETUP=skip PATH=" + bin() + " scripts/e2e --provider kind";
  const auto began = std::chrono::steady_clock::now();
  const Ran absent = run(command);
  EXPECT_EQ(absent.code, 3) << absent.out;
  EXPECT_TRUE(contains(absent.out, "error: Docker is not usable\n  why: no docker command on PATH\n")) << absent.out;
  EXPECT_TRUE(contains(absent.out, "make replay")) << absent.out;

  shim("docker", "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1");
  const Ran stopped = run(command);
  EXPECT_EQ(stopped.code, 3) << stopped.out;
  EXPECT_TRUE(contains(stopped.out, "why: Cannot connect to the Docker daemon")) << stopped.out;
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4)) << "well under 1 s on an idle machine";
}

TEST_F(Scripts, EndToEndNamesTheSuitesItHas) {
  const Ran ran = run("HOPCHECK_SETUP=skip scripts/e2e --suite no-such-suite");
  EXPECT_EQ(ran.code, 4) << ran.out;
  EXPECT_TRUE(contains(ran.out, "no such suite: scenarios/suites/no-such-suite.yaml")) << ran.out;
}

TEST_F(Scripts, RepeatTalliesExitCodes) {
  EXPECT_TRUE(contains(run("scripts/repeat 3 true").out, "\n3 of 3 exit 0\n"));
  // Fails on its second call only.
  const std::string calls = file("calls");
  const Ran mixed = run("scripts/repeat 3 sh -c 'echo x >>" + calls + "; test $(wc -l <" + calls + ") != 2'");
  EXPECT_EQ(mixed.code, 1);
  EXPECT_TRUE(contains(mixed.out, "repeat: exit 0: 2\nrepeat: exit 1: 1\n2 of 3 exit 0\n")) << mixed.out;
  const Ran allowed = run("scripts/repeat 2 --allow 0,2 sh -c 'exit 2'");
  EXPECT_EQ(allowed.code, 0);
  EXPECT_TRUE(contains(allowed.out, "\n2 of 2 exit 0 or 2\n")) << allowed.out;
  EXPECT_EQ(run("scripts/repeat 0 true").code, 4);
  EXPECT_EQ(run("scripts/repeat").code, 4);
}

TEST_F(Scripts, UnderLoadPassesTheCodeOnAndEndsItsLoops) {
  // ps is not on every machine: the command lists its parent's children from /proc.
  std::ofstream(file("siblings")) << "for s in /proc/[0-9]*/stat; do\n"
                                     "  read -r pid name state parent rest <$s\n"
                                     "  [ \"$parent\" != $PPID ] || echo $pid\ndone >" + file("pids") + "\nexit 7\n";
  const Ran ran = run("scripts/ci/under-load 2 sh " + file("siblings"));
  EXPECT_EQ(ran.code, 7) << ran.out;
  // The loops were children of the script beside the command; none of those ids is one of its processes any more.
  std::ifstream pids(file("pids"));
  int seen = 0;
  for (std::string pid; pids >> pid; ++seen) {
    std::ifstream command("/proc/" + pid + "/cmdline");
    std::string line;
    std::getline(command, line);
    EXPECT_FALSE(contains(line, "while :")) << pid;
  }
  EXPECT_GE(seen, 2);
}

TEST_F(Scripts, StepsTableCountsAndFails) {
  const std::string begin = "unset HOPCHECK_CI_TABLE; HOPCHECK_CI_LOGS=" + file("logs") +
                            "; . scripts/ci/steps.sh; steps_begin; ";
  const Ran good = run("bash -c '" + begin + "step one true; skip two because; steps_end'");
  EXPECT_EQ(good.code, 0) << good.out;
  EXPECT_TRUE(contains(good.out, "SKIP      0 s  two (because)")) << good.out;
  EXPECT_TRUE(contains(good.out, "steps: 1 passed, 0 failed")) << good.out;
  const Ran bad = run("bash -c '" + begin + "step one true; step \"so two\" ls /none; step three seq 9; steps_end'");
  EXPECT_EQ(bad.code, 1) << bad.out;
  EXPECT_TRUE(contains(bad.out, "steps: 2 passed, 1 failed")) << bad.out;
  const size_t table = bad.out.find("FAIL      0 s  so two (exit 2)");
  ASSERT_NE(table, std::string::npos) << bad.out;
  EXPECT_NE(bad.out.find("/none", table), std::string::npos) << "why it failed stands below the table\n" << bad.out;
  EXPECT_FALSE(contains(bad.out, "\n3\n4\n")) << "of a step that passes only the end is shown\n" << bad.out;
  EXPECT_TRUE(contains(bad.out, "\n4\n5\n")) << bad.out;
  EXPECT_EQ(run("bash -c '" + begin + "steps_end'").code, 1) << "no step at all is no success";
}

}  // namespace
}  // namespace hopcheck::testing
