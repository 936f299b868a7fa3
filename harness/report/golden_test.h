// Compares with fixtures/golden/report/<name>; HOPCHECK_UPDATE_GOLDEN=1 in the environment writes the file instead.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "testing/source_tree.h"

namespace hopcheck::report {

inline std::string read_source_file(const std::string& path) {
  std::ifstream file(std::string(HOPCHECK_SOURCE_DIR) + "/" + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline ::testing::AssertionResult matches_golden(const std::string& name, const std::string& actual) {
  const std::string difference = hopcheck::testing::golden_difference(
      std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/golden/report/" + name, actual);
  return difference.empty() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << difference;
}

}  // namespace hopcheck::report
