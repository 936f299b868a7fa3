#include "mesh/process.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "mesh/process_fake.h"

namespace hopcheck::mesh {
namespace {

const std::atomic<bool> kNever{false};

ProcessSpec shell(const std::string& script) {
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", script};
  spec.timeout_ms = 20'000;
  return spec;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class ProcessTest : public ::testing::Test {
 protected:
  ProcessResult run(const ProcessSpec& spec, const std::atomic<bool>& stop = kNever) {
    const Result<ProcessResult> result = runner_->run(spec, stop);
    EXPECT_TRUE(result.has_value());
    return result.value_or(ProcessResult{});
  }
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
};

TEST_F(ProcessTest, KeepsBothStreamsAndTheExitCode) {
  const ProcessResult result = run(shell("echo out; echo err >&2; exit 7"));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_FALSE(result.ok());
}

TEST_F(ProcessTest, FeedsStandardInput) {
  ProcessSpec spec = shell("wc -c");
  spec.stdin_data = std::string(300'000, 'x');
  EXPECT_EQ(std::atoi(run(spec).out.c_str()), 300'000);
  EXPECT_EQ(std::atoi(run(shell("wc -c")).out.c_str()), 0) << "without data it is empty, not ours";
}

TEST_F(ProcessTest, FeederIsPipedIntoTheProgram) {
  ProcessSpec spec = shell("wc -l");
  spec.feeder = {"/bin/sh", "-c", "seq 1 50000"};
  EXPECT_EQ(std::atoi(run(spec).out.c_str()), 50'000);
  spec.feeder = {"/bin/sh", "-c", "echo one; exit 3"};
  EXPECT_EQ(run(spec).exit_code, 3) << "a feeder that failed fails the whole";
}

TEST_F(ProcessTest, UserClusterAndProxySettingsDoNotReachChildren) {
  ::setenv("KUBECONFIG", "/nowhere/config", 1);
  ::setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
  ::setenv("NO_PROXY", "localhost", 1);
  ProcessSpec spec = shell("echo \"${KUBECONFIG-none} ${KUBERNETES_SERVICE_HOST-none} $NO_PROXY $no_proxy $ADDED\"");
  spec.env = {{"ADDED", "yes"}};
  EXPECT_EQ(run(spec).out, "none none * * yes\n");
  ::unsetenv("KUBECONFIG");
  ::unsetenv("KUBERNETES_SERVICE_HOST");
  ::unsetenv("NO_PROXY");
}

TEST_F(ProcessTest, DeadlineEndsTheWholeGroup) {
  ProcessSpec spec = shell("sleep 600 & echo $!; wait");
  spec.timeout_ms = 300;
  const ProcessResult result = run(spec);
  EXPECT_TRUE(result.timed_out);
  const pid_t grandchild = static_cast<pid_t>(std::atoi(result.out.c_str()));
  ASSERT_GT(grandchild, 1);
  for (int i = 0; i < 100 && ::kill(grandchild, 0) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::string state = read_file("/proc/" + std::to_string(grandchild) + "/stat");
  EXPECT_TRUE(state.empty() || state.find(") Z") != std::string::npos) << state;
}

TEST_F(ProcessTest, StopEndsTheProgram) {
  std::atomic<bool> stop{false};
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop = true;
  });
  const ProcessResult result = run(shell("sleep 600"), stop);
  stopper.join();
  EXPECT_TRUE(result.interrupted);
  const Result<ProcessResult> checked = run_checked(*runner_, shell("sleep 600"), stop, "sleeping");
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().kind, ErrorKind::kInterrupted);
}

TEST_F(ProcessTest, AProgramThatIgnoresTermIsKilled) {
  ProcessSpec spec = shell("trap '' TERM; sleep 600; sleep 600");
  spec.timeout_ms = 100;
  EXPECT_EQ(run(spec).signal, SIGKILL);
}

TEST_F(ProcessTest, OutputBeyondTheLimitIsReadAndDropped) {
  ProcessSpec spec = shell("seq 1 200000; echo end >&2");
  spec.output_limit = 1000;
  const ProcessResult result = run(spec);
  EXPECT_EQ(result.out.size(), 1000u);
  EXPECT_TRUE(result.truncated);
  EXPECT_EQ(result.exit_code, 0);
}

TEST_F(ProcessTest, LogGetsBothStreamsAndIsPrivate) {
  const std::string log = ::testing::TempDir() + "/process_test.log";
  std::filesystem::remove(log);
  ProcessSpec spec = shell("echo a; echo b >&2");
  spec.log_path = log;
  run(spec);
  run(spec);
  EXPECT_EQ(read_file(log).size(), 8u);
  struct stat info {};
  ASSERT_EQ(::stat(log.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ProcessTest, ObserverSeesEveryGroupStartAndEnd) {
  std::vector<std::pair<pid_t, bool>> seen;
  const auto runner = make_process_runner([&](pid_t group, bool started) { seen.emplace_back(group, started); });
  ASSERT_TRUE(runner->run(shell("exit 0"), kNever).has_value());
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].first, seen[1].first);
  EXPECT_TRUE(seen[0].second);
  EXPECT_FALSE(seen[1].second);
}

TEST_F(ProcessTest, MissingProgramIsAnEnvironmentError) {
  ProcessSpec spec;
  spec.argv = {"/nonexistent/tool"};
  const Result<ProcessResult> result = runner_->run(spec, kNever);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(result.error().what, "cannot start /nonexistent/tool");
}

TEST_F(ProcessTest, FailureSaysWhatTheToolSaidLast) {
  const Result<ProcessResult> result =
      run_checked(*runner_, shell("printf 'a\\nb\\n\\nc\\x1b[1m\\n' >&2; exit 1"), kNever, "doing it", "do it so");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(to_text(result.error()),
            "error: doing it failed\n  why: exit code 1: a | b | c\\x1b[1m\n  fix: do it so\n");
}

TEST(FindTool, ToolsFolderComesBeforePath) {
  const std::string dir = ::testing::TempDir() + "/find_tool_test";
  std::filesystem::create_directories(dir);
  std::ofstream(dir + "/sh") << "#!/bin/true\n";
  ::chmod((dir + "/sh").c_str(), 0755);
  const char* old = std::getenv("HOPCHECK_TOOLS");
  const std::string saved = old != nullptr ? old : "";
  ::setenv("HOPCHECK_TOOLS", dir.c_str(), 1);
  EXPECT_EQ(find_tool("sh"), dir + "/sh");
  EXPECT_EQ(find_tool("no-such-tool-anywhere"), "");
  ::unsetenv("HOPCHECK_TOOLS");
  EXPECT_NE(find_tool("sh"), dir + "/sh");
  if (!saved.empty()) ::setenv("HOPCHECK_TOOLS", saved.c_str(), 1);
  EXPECT_EQ(to_text(tool_missing("kind").value()),
            "error: kind not found\n  why: it is neither in $HOPCHECK_TOOLS nor in $PATH\n"
            "  fix: install kind, or set HOPCHECK_TOOLS to the folder that holds it\n");
}

}  // namespace
}  // namespace hopcheck::mesh
