#include "testing/source_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace hopcheck::testing {
namespace fs = std::filesystem;
namespace {

SourceFile read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw fs::filesystem_error("cannot read", path, std::make_error_code(std::errc::io_error));
  return {path.generic_string(), std::string(std::istreambuf_iterator<char>(in), {})};
}

}  // namespace

std::vector<SourceFile> read_tree(const std::vector<std::string>& roots) {
  std::vector<SourceFile> out;
  for (const std::string& root : roots) {
    if (fs::is_regular_file(root)) {
      out.push_back(read_file(root));
    } else if (fs::is_directory(root)) {
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
        if (entry.is_regular_file() && !entry.is_symlink()) out.push_back(read_file(entry.path()));
      }
    }
  }
  std::sort(out.begin(), out.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return out;
}

std::string golden_difference(const std::string& path, const std::string& actual) {
  const char* update = std::getenv("HOPCHECK_UPDATE_GOLDEN");
  if (update && std::string(update) == "1") {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << actual;
    return "";
  }
  if (!fs::exists(path)) return path + " does not exist; HOPCHECK_UPDATE_GOLDEN=1 writes it";
  const std::string expected = read_file(path).text;
  if (expected == actual) return "";
  std::istringstream want(expected), have(actual);
  std::string want_line, have_line;
  for (int number = 1;; ++number) {
    const bool more_want = static_cast<bool>(std::getline(want, want_line));
    const bool more_have = static_cast<bool>(std::getline(have, have_line));
    if (!more_want && !more_have) return path + ": only the newline at the end differs";
    if (more_want != more_have || want_line != have_line) {
      const auto quoted = [](bool more, const std::string& line) { return more ? "\"" + line + "\"" : "the end"; };
      return fmt::format("{}:{}: expected {}, got {}; HOPCHECK_UPDATE_GOLDEN=1 accepts it", path, number,
                         quoted(more_want, want_line), quoted(more_have, have_line));
    }
  }
}

}  // namespace hopcheck::testing
