// Records of proofs on a real file system: what is written is read back, lines of several processes do not mix, damage
// is reported and the rest is kept; a claim of a test is recorded by how the test ended.
#include "store/proofs.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "store/source_commit.h"
#include "testing/claims.h"

namespace hopcheck::store {
namespace {

namespace fs = std::filesystem;

class ProofsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "hopcheck-proofs-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    file_ = root_ + "/proofs.jsonl";
  }
  void TearDown() override {
    unsetenv("HOPCHECK_PROOFS");
    fs::remove_all(root_);
  }
  std::string root_, file_;
};

Proof sample(const std::string& row) {
  Proof proof;
  proof.row = row;
  proof.polarity = Polarity::kNegative;
  proof.result = "run \"checkout\" \xff";  // not UTF-8: replaced, never refused
  proof.commit = "0123456789ab";
  proof.kind = ProofKind::kLocal;
  proof.provider = "local";
  proof.istio = "1.30.4";
  proof.envoy = "1.38.3";
  proof.verdict = "fail";
  proof.held = true;
  return proof;
}

TEST_F(ProofsTest, WhatIsWrittenIsReadBack) {
  Proof first = sample("O-60"), second = sample("M-83");
  first.result = "run checkout";
  second.result = "run checkout";
  second.commit.clear();
  second.held = false;
  ASSERT_TRUE(append_proof_to(file_, first));
  ASSERT_TRUE(append_proof_to(file_, second));
  second.commit = source_commit();
  const auto read = read_proofs(file_);
  ASSERT_TRUE(read) << to_text(read.error());
  EXPECT_EQ(read->proofs, (std::vector<Proof>{first, second}));
  EXPECT_EQ(read->damaged, std::vector<std::string>{});
  EXPECT_TRUE(read_proofs(root_ + "/none.jsonl")->proofs.empty());
}

TEST_F(ProofsTest, LinesOfSeveralProcessesDoNotMix) {
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      bool good = true;
      for (int i = 0; i < 250; ++i) good = append_proof_to(file_, sample("O-" + std::to_string(child))) && good;
      _exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  const auto read = read_proofs(file_);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->proofs.size(), 1000u);
  EXPECT_EQ(read->damaged, std::vector<std::string>{});
}

TEST_F(ProofsTest, DamageIsReportedAndTheRestIsKept) {
  ASSERT_TRUE(append_proof_to(file_, sample("O-60")));
  std::ofstream(file_, std::ios::app) << "{\"row\":\"O-61\"\n"
                                      << "{\"row\":\"O-61\",\"result\":\"x\",\"commit\":\"c\",\"held\":true,"
                                         "\"polarity\":\"maybe\",\"kind\":\"live\"}\n";
  for (size_t i = 0; i < kMaxDamaged; ++i) std::ofstream(file_, std::ios::app) << "no json\n";
  ASSERT_TRUE(append_proof_to(file_, sample("O-62")));
  std::ofstream(file_, std::ios::app) << "{\"row\":\"O-63\",\"resu";  // a write that was cut
  const auto read = read_proofs(file_);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->proofs.size(), 2u);
  EXPECT_EQ(read->proofs[1].row, "O-62");
  ASSERT_EQ(read->damaged.size(), kMaxDamaged + 1);
  EXPECT_NE(read->damaged[1].find(":3: polarity"), std::string::npos) << read->damaged[1];
  EXPECT_NE(read->damaged.back().find("3 more damaged lines"), std::string::npos) << read->damaged.back();
}

TEST_F(ProofsTest, TheEnvironmentNamesTheFileOrSwitchesRecordingOff) {
  setenv("HOPCHECK_PROOFS", file_.c_str(), 1);
  EXPECT_EQ(proofs_path(), file_);
  for (const char* off : {"", "off"}) {
    setenv("HOPCHECK_PROOFS", off, 1);
    EXPECT_EQ(proofs_path(), "");
    EXPECT_TRUE(append_proof(sample("O-60")));
  }
  EXPECT_FALSE(fs::exists(file_));
  unsetenv("HOPCHECK_PROOFS");
  EXPECT_EQ(proofs_path(), "reports/proofs.jsonl") << "tests run in the source root, which has reports/";
}

TEST_F(ProofsTest, CommitIsThatOfTheSources) {
  const std::string commit = source_commit();
  ASSERT_FALSE(commit.empty());
  if (commit == "unknown") return;
  EXPECT_EQ(commit.find_first_not_of("0123456789abcdef"), commit.size() > 12 ? 12u : std::string::npos) << commit;
  EXPECT_TRUE(commit.size() == 12 || commit.substr(12) == "-dirty") << commit;
}

// The claims of these four are read by the test behind them: this program is its own child, with a filter, so that
// their tests may fail.
TEST(ClaimsChild, DISABLED_Passes) { proof::claim({"O-60", "O-61"}, Polarity::kPositive, ProofKind::kSource); }

TEST(ClaimsChild, DISABLED_Fails) {
  proof::claim({"O-60"}, Polarity::kNegative, ProofKind::kCapture, {"1.30", "1.38"});
  FAIL() << "on purpose";
}

TEST(ClaimsChild, DISABLED_Throws) {
  proof::claim({"O-62"}, Polarity::kPositive, ProofKind::kSource);
  throw std::runtime_error("on purpose");
}

TEST(ClaimsChild, DISABLED_IsSkipped) {
  proof::claim({"O-63"}, Polarity::kPositive, ProofKind::kSource);
  GTEST_SKIP() << "on purpose";
}

TEST_F(ProofsTest, AClaimIsRecordedByHowItsTestEnded) {
  const std::string program = fs::read_symlink("/proc/self/exe").string();
  const std::string command = "HOPCHECK_PROOFS='" + file_ + "' '" + program +
                              "' --gtest_also_run_disabled_tests --gtest_filter='ClaimsChild.*' > '" + root_ +
                              "/out.txt' 2>&1";
  EXPECT_NE(std::system(command.c_str()), 0) << "two of its tests fail";
  const auto read = read_proofs(file_);
  ASSERT_TRUE(read);
  std::vector<std::string> got;
  for (const Proof& proof : read->proofs)
    got.push_back(proof.row + " " + to_string(proof.polarity) + " " + to_string(proof.kind) + " " + proof.result + " " +
                  proof.istio + (proof.held ? " held" : " not"));
  EXPECT_EQ(got, (std::vector<std::string>{
                     "O-60 positive source test ClaimsChild.DISABLED_Passes  held",
                     "O-61 positive source test ClaimsChild.DISABLED_Passes  held",
                     "O-60 negative capture test ClaimsChild.DISABLED_Fails 1.30 not",
                     "O-62 positive source test ClaimsChild.DISABLED_Throws  not"}));
}

}  // namespace
}  // namespace hopcheck::store
