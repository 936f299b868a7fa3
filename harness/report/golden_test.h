// Compares with fixtures/golden/report/<name>; UPDATE_GOLDEN=1 in the environment writes the file instead.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace hopcheck::report {

inline std::string read_source_file(const std::string& path) {
  std::ifstream file(std::string(HOPCHECK_SOURCE_DIR) + "/" + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline testing::AssertionResult matches_golden(const std::string& name, const std::string& actual) {
  const std::string path = "fixtures/golden/report/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(std::string(HOPCHECK_SOURCE_DIR) + "/" + path, std::ios::binary) << actual;
    return testing::AssertionSuccess() << path << " written";
  }
  const std::string expected = read_source_file(path);
  if (actual == expected) return testing::AssertionSuccess();
  const auto differ = std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end()).first;
  return testing::AssertionFailure() << path << " differs from line " << 1 + std::count(expected.begin(), differ, '\n')
                                     << " on; UPDATE_GOLDEN=1 rewrites it. Now:\n"
                                     << actual.substr(0, 4000);
}

}  // namespace hopcheck::report
