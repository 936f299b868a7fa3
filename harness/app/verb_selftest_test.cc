// The verb selftest from the command line to its last lines, and what its results make of conformance rows.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/cli.h"
#include "store/proofs.h"

namespace hopcheck::app {
namespace {

class SelftestVerb : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "hopcheck-selftest-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    const char* before = std::getenv("HOPCHECK_PROOFS");
    before_ = before == nullptr ? "off" : before;
    setenv("HOPCHECK_PROOFS", (root_ + "/proofs.jsonl").c_str(), 1);
  }
  void TearDown() override {
    setenv("HOPCHECK_PROOFS", before_.c_str(), 1);
    std::filesystem::remove_all(root_);
  }

  struct Said {
    int code = 0;
    std::string out;
  };
  static Said hopcheck(std::vector<std::string> words) {
    words.insert(words.begin(), "hopcheck");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Said said;
    said.code = run_cli(static_cast<int>(argv.size()), argv.data());
    said.out = testing::internal::GetCapturedStdout();
    testing::internal::GetCapturedStderr();
    return said;
  }
  // State of a row as `hopcheck rows` tells it.
  static std::string state(const std::string& row) {
    const auto report = nlohmann::json::parse(hopcheck({"rows", "-o", "json", "--live-list", "/dev/null"}).out);
    for (const auto& item : report["rows"]) {
      if (item["id"] == row) return item["state"];
    }
    return "no such row";
  }
  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out{""};
    for (const char c : text) {
      if (c == '\n') out.emplace_back();
      else out.back() += c;
    }
    out.pop_back();
    return out;
  }
  std::string root_, before_;
};

TEST_F(SelftestVerb, ProvesRowsAndARuleThatIsSwitchedOffUnprovesIts) {
  const Said whole = hopcheck({"selftest", "--quick"});
  EXPECT_EQ(whole.code, 0) << whole.out;
  const auto said = lines(whole.out);
  ASSERT_GT(said.size(), 3u);
  EXPECT_EQ(said[said.size() - 3].rfind("any-match missed ", 0), 0u) << said[said.size() - 3];
  EXPECT_NE(said[said.size() - 3].find("; count >= n missed "), std::string::npos);
  EXPECT_EQ(
      said[said.size() - 2].rfind("profiles proven live: 1.30 1.31; by Envoy alone: 1.28 1.29; consistency only: ", 0),
      0u)
      << said[said.size() - 2];
  EXPECT_EQ(said.back().rfind("mutants caught by their own rule ", 0), 0u);
  EXPECT_TRUE(said.back().ends_with(", false findings on clean runs 0, rules without mutant 0")) << said.back();
  EXPECT_EQ(state("M-83"), "proven");
  EXPECT_EQ(state("M-85"), "proven");

  const Said less = hopcheck({"selftest", "--quick", "--without-rule", "HOP0601"});
  EXPECT_EQ(less.code, 1);
  EXPECT_EQ(state("M-83"), "failed");
  EXPECT_EQ(state("M-85"), "proven");
}

TEST_F(SelftestVerb, OneRulesMutantsAloneAreNoProof) {
  EXPECT_EQ(hopcheck({"selftest", "--quick", "--rule", "HOP0601"}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/proofs.jsonl"));
  EXPECT_EQ(hopcheck({"selftest", "--rule", "HOP9999"}).code, 4);
}

}  // namespace
}  // namespace hopcheck::app
