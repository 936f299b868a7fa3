// ctest -L environment: what the real binary and the front doors say when the machine is not fit for a mesh. Each case
// runs a program with an environment of its own (nothing inherited) whose PATH holds shims and links only, so the
// result does not depend on what this machine has: no Docker, no network. Expected of each: exit code 3 within five
// seconds, one message (what, why, fix) equal to fixtures/golden/environment/<case>.txt, nothing on stdout, nothing
// left behind.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <thread>
#include <tuple>

#include "testing/source_tree.h"

namespace hopcheck::testing {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using Shims = std::map<std::string, std::string>;  // program -> body of a shell script, builtins only

constexpr auto kMostTime = std::chrono::seconds(5);

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<char*> pointers(Words& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

struct Ran {
  int code = -1;  // -1: not started, or ended by a signal
  bool in_time = true;
  std::string out, err;
};

class Environment : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hopcheck-environment-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = fs::canonical(name);
    for (const char* folder : {"bin", "home", "state", "cache", "config", "tmp"}) fs::create_directory(dir_ / folder);
  }
  void TearDown() override { fs::remove_all(dir_); }

  void shim(const Shims& shims) {
    for (const auto& [name, body] : shims) {
      std::ofstream(dir_ / "bin" / name) << "#!/bin/sh\n" << body << "\n";
      fs::permissions(dir_ / "bin" / name, fs::perms::owner_all);
    }
  }
  void link(const Words& names) {
    for (const std::string& name : names) {
      const fs::path real = fs::exists("/usr/bin/" + name) ? "/usr/bin/" + name : "/bin/" + name;
      fs::create_symlink(real, dir_ / "bin" / name);
    }
  }

  // Runs argv with our own environment, and ends it when it takes too long.
  Ran run(Words argv, const Words& more = {}) {
    Words variables{"PATH=" + file("bin"),           "HOME=" + file("home"),          "XDG_STATE_HOME=" + file("state"),
                    "XDG_CACHE_HOME=" + file("cache"), "XDG_CONFIG_HOME=" + file("config"), "TMPDIR=" + file("tmp")};
    variables.insert(variables.end(), more.begin(), more.end());
    std::vector<char*> arguments = pointers(argv), environment = pointers(variables);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, file("stdout").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, file("stderr").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = -1;
    Ran ran;
    const int started = posix_spawn(&pid, argv[0].c_str(), &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (started != 0) return ran;
    const auto deadline = std::chrono::steady_clock::now() + kMostTime;
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
      if (ran.in_time && std::chrono::steady_clock::now() > deadline) {
        ran.in_time = false;
        kill(pid, SIGKILL);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
    ran.out = read_text(file("stdout"));
    ran.err = normal(read_text(file("stderr")));
    return ran;
  }

  // What differs between machines and runs gets a name.
  std::string normal(std::string text) const {
    const auto replace = [&text](const std::string& from, const std::string& to) {
      for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    };
    replace(dir_.string(), "<dir>");
    replace(fs::canonical(HOPCHECK_SOURCE_DIR).string(), "<root>");
    text = std::regex_replace(text, std::regex("127\\.0\\.0\\.1:[0-9]+"), "127.0.0.1:<port>");
    return std::regex_replace(text, std::regex("hopcheck-[0-9a-f]{8}\\b"), "hopcheck-<id>");
  }

  void expect_refused(const Ran& ran, const std::string& golden) {
    EXPECT_TRUE(ran.in_time) << "it ran for more than five seconds and was ended";
    EXPECT_EQ(ran.code, 3) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(golden_difference("fixtures/golden/environment/" + golden + ".txt", ran.err), "");
    for (const char* part : {"error: ", "\n  why: ", "\n  fix: "}) {
      EXPECT_NE(ran.err.find(part), std::string::npos) << "no \"" << part << "\" in\n" << ran.err;
    }
    Words left;
    for (const char* folder : {"home", "state", "cache", "config", "tmp"}) {
      for (const auto& entry : fs::recursive_directory_iterator(dir_ / folder)) {
        if (entry.path() != dir_ / "state/hopcheck" && entry.path() != dir_ / "state/hopcheck/envs")
          left.push_back(entry.path().string());
      }
    }
    EXPECT_EQ(left, Words{}) << "left behind";
  }

  std::string file(const std::string& name) const { return (dir_ / name).string(); }

  fs::path dir_;
};

// A Docker that answers and has every image but those whose name holds `missing`; `pull` is what pulling does.
std::string docker_without(const std::string& missing, const std::string& pull) {
  return "case \"$1\" in\n"
         "version) echo 28.5.1 ;;\n"
         "image)\n"
         "  case \"$*\" in *" + missing + "*) echo 'Error response from daemon: No such image' >&2; exit 1 ;; esac\n"
         "  echo sha256:0a1b2c ;;\n"
         "pull | manifest) " + pull + " ;;\n"
         "ps | volume) ;;\n"
         "*) echo \"the shim does not know: docker $*\" >&2; exit 1 ;;\n"
         "esac";
}

const std::string kImages = "fixtures/environment/images.yaml";
const std::string kNeverPulled = "fixtures/environment/images-never-pulled.yaml";
const std::string kDocker = docker_without("no-such-image", "exit 1");
const std::string kMustNotRun = "echo \"$0 must not run here\" >&2; exit 99";
const std::string kNoDaemon =
    "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2\n"
    "exit 1";
const std::string kDenied =
    "echo 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock' >&2\n"
    "exit 1";
const std::string kNoRegistry =
    "echo 'Error response from daemon: dial tcp: lookup registry.invalid: no such host' >&2; exit 1";

struct Case {
  std::string name;  // of the golden file
  Shims shims;
  std::string images = kImages;
  Words flags = {};
};

void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

Shims tools_with(const std::string& docker) {
  return {{"docker", docker}, {"kind", kMustNotRun}, {"kubectl", kMustNotRun}, {"istioctl", kMustNotRun}};
}

Shims tools_without(const std::string& name) {
  Shims out = tools_with(kDocker);
  out.erase(name);
  return out;
}

std::vector<Case> cases() {
  return {
      {"no-docker", tools_without("docker")},
      {"no-kind", tools_without("kind")},
      {"no-kubectl", tools_without("kubectl")},
      {"no-istioctl", tools_without("istioctl")},
      {"istioctl-of-the-file-missing", tools_with(kDocker), kImages, {"--istio", "1.31"}},
      {"docker-daemon-not-running", tools_with(kNoDaemon)},
      {"docker-permission-denied", tools_with(kDenied)},
      {"docker-fails-silently", tools_with("exit 125")},
      {"image-missing-never-pulled", tools_with(docker_without("kind-node", "exit 1")), kNeverPulled},
      {"image-missing-not-pullable", tools_with(docker_without("otelcol", kNoRegistry))},
      {"istio-image-missing", tools_with(docker_without("proxyv2", kNoRegistry))},
      {"unknown-istio-version", tools_with(kDocker), kImages, {"--istio", "1.99"}},
  };
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return std::regex_replace(info.param.name, std::regex("-"), "_");
}

class Machine : public Environment, public ::testing::WithParamInterface<Case> {};

TEST_P(Machine, RunSaysWhatIsMissing) {
  const Case& the = GetParam();
  shim(the.shims);
  Words argv{HOPCHECK_BINARY, "run",       "scenarios/core/checkout-gateway.yaml", "--provider", "kind", "--seed", "1",
             "--images",      the.images, "--out", file("out")};
  argv.insert(argv.end(), the.flags.begin(), the.flags.end());
  const Ran ran = run(argv);
  expect_refused(ran, the.name);
  EXPECT_FALSE(fs::exists(file("out"))) << "a run directory was made before the machine was looked at";
}

TEST_P(Machine, UpSaysTheSame) {
  const Case& the = GetParam();
  shim(the.shims);
  Words argv{HOPCHECK_BINARY, "up", "scenarios/core/checkout-gateway.yaml", "--images", the.images};
  argv.insert(argv.end(), the.flags.begin(), the.flags.end());
  Ran ran = run(argv);
  ran.err = "seed 1\n" + ran.err;  // the only line that `run` prints besides
  expect_refused(ran, the.name);
}

INSTANTIATE_TEST_SUITE_P(Environment, Machine, ::testing::ValuesIn(cases()), case_name);

// --provider auto says which provider it takes and why, within the five seconds that run() allows.
TEST_F(Environment, AutoTakesKindOnlyWhereItCanWork) {
  const std::vector<std::tuple<Shims, std::string, std::string>> machines{
      {tools_without("docker"), "local", "docker not found"},
      {tools_with(kNoDaemon), "local", "Docker does not answer: Cannot connect to the Docker daemon"},
      {tools_with("while :; do :; done"), "local", "Docker does not answer within a second"},
      {tools_with(docker_without("otelcol", kNoRegistry)), "local",
       "Docker has no image registry.invalid/otelcol:0.161.0 (collector) and cannot pull it: Error response"},
      {tools_with(docker_without("otelcol", "exit 0")), "kind", "Docker answers"},
      {tools_with(kDocker), "kind", "Docker answers and its images are at hand"},
  };
  for (const auto& [shims, name, why] : machines) {
    fs::remove_all(dir_ / "bin");
    fs::create_directory(dir_ / "bin");
    shim(shims);
    const Ran ran = run({HOPCHECK_BINARY, "run", "scenarios/core/checkout-gateway.yaml", "--dry-run", "-o", "json",
                         "--seed", "1", "--images", kImages});
    EXPECT_TRUE(ran.in_time);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.out.find("\"name\": \"" + name + "\",\n    \"why\": \"" + why), std::string::npos) << ran.out;
  }
}

// What the local provider leaves out of each suite, with the capability it lacks; all of the core is judged.
TEST_F(Environment, LocalSkipsByName) {
  std::string skipped;
  for (const std::string suite : {"e2e", "core", "extended"}) {
    const Ran ran = run({HOPCHECK_BINARY, "run", "scenarios/suites/" + suite + ".yaml", "--provider", "local",
                         "--dry-run", "-o", "json", "--seed", "1"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    const size_t from = ran.out.find("  \"skipped\": {"), to = ran.out.find("}", from);
    ASSERT_NE(to, std::string::npos);
    std::string names = ran.out.substr(from, to + 1 - from);
    // Not skipped where these programs are.
    for (const char* optional : {"    \"ports-redis\": \"needs capability redis\",\n",
                                 "    \"ports-amqp\": \"needs capability amqp\",\n",
                                 "    \"sdk-app\": \"needs capability sdk-app\",\n"}) {
      if (const size_t at = names.find(optional); at != std::string::npos) names.erase(at, std::strlen(optional));
    }
    skipped += suite + "\n" + names + "\n";
    if (suite != "e2e") continue;
    for (const auto& entry : fs::directory_iterator("scenarios/core")) {
      EXPECT_NE(ran.out.find("\"name\": \"" + entry.path().stem().string() + "\""), std::string::npos) << entry.path();
    }
  }
  EXPECT_EQ(golden_difference("fixtures/golden/environment/local-skips.txt", skipped), "");
}

TEST_F(Environment, TakenPortIsNamed) {
  shim(tools_with(kDocker));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  const Ran ran = run({HOPCHECK_BINARY, "up", "scenarios/core/checkout-gateway.yaml", "--images", kImages,
                       "--gateway-port", port});
  ::close(fd);
  expect_refused(ran, "port-taken");
}

// Further on: the machine looks fit, but kind cannot make the cluster. The folder and the reaper go too.
TEST_F(Environment, ClusterThatCannotBeMadeLeavesNothing) {
  Shims shims = tools_with(kDocker);
  shims["kind"] =
      "case \"$1\" in\n"
      "create) echo 'ERROR: failed to create cluster: could not find a log line that matches' >&2; exit 1 ;;\n"
      "delete) exit 0 ;;\n"
      "esac\n"
      "exit 99";
  shim(shims);
  link({"bash", "dirname", "ldd", "awk", "sort", "sha256sum", "cut"});  // scripts/build-image
  const Ran ran = run({HOPCHECK_BINARY, "run", "scenarios/core/checkout-gateway.yaml", "--provider", "kind", "--seed",
                       "1", "--images", kImages, "--out", file("out"), "--progress", "none"});
  expect_refused(ran, "kind-fails");
  EXPECT_TRUE(fs::exists(file("out/logs/kind.log"))) << "the message names it";
}

TEST_F(Environment, TooLittleMemory) {
  link({"bash", "dirname", "awk", "cat"});
  std::ofstream(file("meminfo")) << "MemTotal:        1048576 kB\n";
  expect_refused(run({"scripts/setup"}, {"HOPCHECK_MEMINFO=" + file("meminfo")}), "too-little-memory");
}

TEST_F(Environment, TooLittleDisk) {
  link({"bash", "dirname", "awk", "cat"});
  shim({{"df", "echo header; echo /dev/x 100000 99000 1000 99% /"}});
  std::ofstream(file("meminfo")) << "MemTotal:        8388608 kB\n";
  expect_refused(run({"scripts/setup"}, {"HOPCHECK_MEMINFO=" + file("meminfo"), "BUILD=" + file("none")}),
                 "too-little-disk");
}

TEST_F(Environment, EndToEndWithoutDockerOffersReplay) {
  link({"bash", "dirname"});
  expect_refused(run({"scripts/e2e", "--provider", "kind"}, {"HOPCHECK_SETUP=skip"}), "e2e-no-docker");
}

}  // namespace
}  // namespace hopcheck::testing
