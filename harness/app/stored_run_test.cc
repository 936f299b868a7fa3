// A recorded run of the demo (gateway, direct, mesh and unmeshed entry; app spans) judged again, clean and with one
// defect each.
#include "app/stored_run.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "app/cli.h"

namespace hopcheck::app {
namespace {

namespace fs = std::filesystem;
const std::string kRoot = HOPCHECK_SOURCE_DIR;

class StoredRun : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("hopcheck-stored-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::copy(kRoot + "/fixtures/captures/checkout-1.30", folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  RunResult judge() {
    const auto directory = store::RunDirectory::open(folder_.string());
    EXPECT_TRUE(directory);
    auto result = judge_stored(*directory, {kRoot}, {});
    EXPECT_TRUE(result) << result.error().what;
    return std::move(*result);
  }

  // Edits the recorded capture into the copy and returns how many findings that gives.
  size_t findings_after(std::vector<std::string> edit) {
    std::vector<std::string> words = {"hopcheck",
                                      "capture",
                                      "edit",
                                      kRoot + "/fixtures/captures/checkout-1.30/capture.hcl",
                                      (folder_ / "edited.hcl").string(),
                                      "--edit"};
    words.insert(words.end(), edit.begin(), edit.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    fs::remove(folder_ / "edited.hcl");
    EXPECT_EQ(run_cli(static_cast<int>(arguments.size()), arguments.data()), 0);
    fs::rename(folder_ / "edited.hcl", folder_ / "capture.hcl");
    const RunResult result = judge();
    size_t count = result.findings.size();
    for (const ScenarioResult& scenario : result.scenarios) count += scenario.findings.size();
    return count;
  }

  fs::path folder_;
};

TEST_F(StoredRun, CleanRunPassesAndItsSumsHold) {
  const RunResult result = judge();
  EXPECT_EQ(result.verdict, Verdict::kPass);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.scenarios.size(), 4u);
  EXPECT_GT(result.sums.size(), 10u);
  for (const SumCheck& sum : result.sums) EXPECT_TRUE(sum.holds) << sum.text;
}

// Of any entry, removing, renaming or re-parenting any one app span gives exactly one finding.
TEST_F(StoredRun, EachAppSpanDefectIsOneFinding) {
  const std::vector<std::string> spans = {"service=frontend,name=POST /checkout",
                                          "service=checkout,name=POST /checkout", "service=checkout,name=SELECT cart",
                                          "service=payments,name=POST /charge", "service=payments,name=INSERT txn"};
  // Warm-up requests left spans too, which nothing judges: an edit there gives none.
  size_t judged = 0;
  for (const std::string& span : spans) {
    for (int nth = 0; nth < 40; nth += 4) {
      SCOPED_TRACE(span + " " + std::to_string(nth));
      const std::string place = std::to_string(nth);
      const size_t removed = findings_after({"remove-span", "--match", span, "--nth", place});
      const size_t renamed = findings_after({"rename-span", "--match", span, "--nth", place, "--name", "renamed"});
      const size_t moved =
          findings_after({"reparent", "--match", span, "--nth", place, "--parent", "00000000000000aa"});
      EXPECT_LE(removed, 1u);
      EXPECT_EQ(renamed, removed);
      EXPECT_EQ(moved, removed);
      judged += removed;
    }
  }
  EXPECT_GE(judged, 20u);
}

TEST_F(StoredRun, TruncatedCaptureIsUnknown) {
  fs::resize_file(folder_ / "capture.hcl", fs::file_size(folder_ / "capture.hcl") / 2);
  const RunResult result = judge();
  EXPECT_EQ(result.verdict, Verdict::kUnknown);
  EXPECT_EQ(result.exit_code, 2);
}

}  // namespace
}  // namespace hopcheck::app
