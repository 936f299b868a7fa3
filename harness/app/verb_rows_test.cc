// The verb rows from the command line to its exit code, and the scripts that keep the list of live rows.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/cli.h"
#include "store/proofs.h"
#include "store/source_commit.h"

namespace hopcheck::app {
namespace {

namespace fs = std::filesystem;

class RowsVerb : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "hopcheck-rows-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    file_ = root_ + "/proofs.jsonl";
    std::ofstream(file_) << "";
  }
  void TearDown() override { fs::remove_all(root_); }

  struct Said {
    int code = 0;
    std::string out, err;
  };
  Said rows(std::vector<std::string> more) {
    std::vector<std::string> words = {"hopcheck", "rows", "--proofs", file_};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Said said;
    said.code = run_cli(static_cast<int>(argv.size()), argv.data());
    said.out = testing::internal::GetCapturedStdout();
    said.err = testing::internal::GetCapturedStderr();
    return said;
  }
  void record(const std::string& row, Polarity polarity, ProofKind kind, bool held = true) {
    Proof proof;
    proof.row = row;
    proof.polarity = polarity;
    proof.result = std::string("test Rows.") + to_string(polarity);
    proof.kind = kind;
    proof.held = held;
    ASSERT_TRUE(store::append_proof_to(file_, proof));
  }
  // Every row of section 4, both ways.
  void record_section_4(ProofKind kind) {
    for (const char* row : {"O-30", "O-31", "O-32", "O-33", "O-34", "O-35"}) {
      record(row, Polarity::kPositive, kind);
      record(row, Polarity::kNegative, ProofKind::kSimulated);
    }
  }
  static std::string last_line(const std::string& text) {
    const size_t end = text.find_last_not_of('\n');
    return text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
  }
  std::string root_, file_;
};

TEST_F(RowsVerb, EndsWithZeroWhenEverySelectedRowIsProven) {
  record_section_4(ProofKind::kCapture);
  const Said all_of_4 = rows({"--section", "4"});
  EXPECT_EQ(all_of_4.code, 0) << all_of_4.err;
  EXPECT_EQ(last_line(all_of_4.out), "live 0, capture 6, local 0, simulated 0, source 0");
  EXPECT_EQ(all_of_4.out.find("not proven"), std::string::npos);
  const Said two = rows({"--section", "4,5", "--unclaimed"});
  EXPECT_EQ(two.code, 1);
  EXPECT_NE(two.out.find("M-30 unclaimed: "), std::string::npos);
  EXPECT_EQ(two.out.find("O-30"), std::string::npos);
  EXPECT_EQ(last_line(two.out), "live 0, capture 6, local 0, simulated 0, source 0");
}

TEST_F(RowsVerb, AFailedResultUnprovesAndAnotherCommitIsStale) {
  record_section_4(ProofKind::kCapture);
  record("O-33", Polarity::kNegative, ProofKind::kSimulated, false);
  const Said failed = rows({"--section", "4"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_NE(failed.out.find("O-33 failed: "), std::string::npos) << failed.out;
  const Said other = rows({"--section", "4", "--commit", "0123456789ab"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.out.find("O-30 stale: "), std::string::npos) << other.out;
}

TEST_F(RowsVerb, FewerLiveRowsThanTheListIsAFailure) {
  record_section_4(ProofKind::kLive);
  std::ofstream(root_ + "/live.txt") << "# proven live\nO-30\nO-35\n";
  EXPECT_EQ(rows({"--section", "4", "--live-list", root_ + "/live.txt"}).code, 0);
  std::ofstream(root_ + "/live.txt", std::ios::app) << "M-30\n";
  const Said fewer = rows({"--section", "4", "--live-list", root_ + "/live.txt"});
  EXPECT_EQ(fewer.code, 1);
  EXPECT_NE(fewer.err.find("M-30 is in " + root_ + "/live.txt and was not proven live"), std::string::npos)
      << fewer.err;
  EXPECT_EQ(rows({"--section", "4", "--live-list", root_ + "/none.txt"}).code, 4);
}

TEST_F(RowsVerb, DamageAndStrangersAreWarnedOfAndLeftOut) {
  record_section_4(ProofKind::kCapture);
  record("O-9999", Polarity::kPositive, ProofKind::kCapture);
  std::ofstream(file_, std::ios::app) << "{\"row\":\"O-30\",\n";
  const Said said = rows({"--section", "4"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_NE(said.err.find("warning: left out: " + file_ + ":14"), std::string::npos) << said.err;
  EXPECT_NE(said.err.find("warning: O-9999 has proofs and is no row"), std::string::npos) << said.err;
}

TEST_F(RowsVerb, WrongUseIsSaid) {
  EXPECT_EQ(rows({"--section", "13"}).code, 4);
  file_ = root_ + "/none";
  const Said absent = rows({});
  EXPECT_EQ(absent.code, 4);
  EXPECT_NE(absent.err.find("does not exist"), std::string::npos) << absent.err;
}

TEST_F(RowsVerb, JsonHasEveryRow) {
  record_section_4(ProofKind::kLive);
  const Said said = rows({"-o", "json", "--live-list", "/dev/null"});
  EXPECT_EQ(said.code, 1);
  EXPECT_NE(said.out.find("\"commit\": \"" + store::source_commit() + "\""), std::string::npos);
  size_t states = 0;
  for (size_t at = said.out.find("\"state\""); at != std::string::npos; at = said.out.find("\"state\"", at + 1))
    ++states;
  EXPECT_GE(states, 150u);
}

}  // namespace
}  // namespace hopcheck::app
