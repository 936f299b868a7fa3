// Recorded exports for this folder's tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace hopcheck::otlp {

inline std::string capture_path(const std::string& name) {
  return std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/captures/" + name + ".jsonl";
}

inline std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Every recorded .jsonl that holds OTLP JSON (the raw HTTP requests do not).
inline std::vector<std::string> all_captures() {
  std::vector<std::string> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/captures")) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() == ".jsonl" && name.find("raw-requests") == std::string::npos)
      paths.push_back(entry.path());
  }
  return paths;
}

}  // namespace hopcheck::otlp
