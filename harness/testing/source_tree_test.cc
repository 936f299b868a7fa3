#include "testing/source_tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hopcheck::testing {
namespace {

class SourceTree : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / ("hopcheck-source-tree-" + std::to_string(getpid()));
    std::filesystem::create_directories(dir_ / "sub");
    write("b.txt", "one\ntwo\n");
    write("sub/a.txt", "three\n");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(dir_ / name) << text; }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }

  std::filesystem::path dir_;
};

TEST_F(SourceTree, ReadsFoldersAndFilesSortedAndSkipsWhatIsAbsent) {
  const std::vector<SourceFile> files = read_tree({path("sub"), path("b.txt"), path("absent")});
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].path, path("b.txt"));
  EXPECT_EQ(files[0].text, "one\ntwo\n");
  EXPECT_EQ(files[1].path, path("sub/a.txt"));
}

TEST_F(SourceTree, GoldenDifferenceNamesTheFirstLine) {
  if (std::getenv("HOPCHECK_UPDATE_GOLDEN") != nullptr) GTEST_SKIP() << "golden files are being rewritten";
  EXPECT_EQ(golden_difference(path("b.txt"), "one\ntwo\n"), "");
  EXPECT_EQ(golden_difference(path("b.txt"), "one\n2\n"),
            path("b.txt") + ":2: expected \"two\", got \"2\"; HOPCHECK_UPDATE_GOLDEN=1 accepts it");
  EXPECT_EQ(golden_difference(path("b.txt"), "one\n"),
            path("b.txt") + ":2: expected \"two\", got the end; HOPCHECK_UPDATE_GOLDEN=1 accepts it");
  EXPECT_NE(golden_difference(path("b.txt"), "one\ntwo"), "") << "a missing last newline is a difference";
  EXPECT_NE(golden_difference(path("none.txt"), ""), "");
}

TEST_F(SourceTree, GoldenUpdateWritesTheFile) {
  ASSERT_EQ(setenv("HOPCHECK_UPDATE_GOLDEN", "1", 1), 0);
  EXPECT_EQ(golden_difference(path("new/c.txt"), "four\n"), "");
  ASSERT_EQ(unsetenv("HOPCHECK_UPDATE_GOLDEN"), 0);
  EXPECT_EQ(golden_difference(path("new/c.txt"), "four\n"), "");
  EXPECT_NE(golden_difference(path("new/c.txt"), "five\n"), "");
}

}  // namespace
}  // namespace hopcheck::testing
