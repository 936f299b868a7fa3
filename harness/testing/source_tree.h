// Reads the checkout for the tests that judge it (layering, tidy). Relative to the current directory, which ctest sets
// to the source root. Only the project's own entries are walked: build and run directories never are.
#pragma once

#include <string>
#include <vector>

namespace hopcheck::testing {

struct SourceFile {
  std::string path;  // from the source root, with forward slashes
  std::string text;
};

// Regular files under `roots` (folders or files that exist; others are skipped), sorted by path. Throws
// std::filesystem::filesystem_error when a file cannot be read: the test then fails with its name.
std::vector<SourceFile> read_tree(const std::vector<std::string>& roots);

// "" when `actual` equals the file at `path`, else a message with the first line that differs. With
// HOPCHECK_UPDATE_GOLDEN=1 in the environment the file is written instead, and "" is returned.
std::string golden_difference(const std::string& path, const std::string& actual);

}  // namespace hopcheck::testing
