// The walkthrough's Collector manifest for tests: as documented, with its placeholders filled in, or as a reader's
// clipboard leaves it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "otelcol/breakages.h"
#include "otelcol/manifest.h"

namespace hopcheck::otelcol {

inline constexpr const char* kToken = "canary-5up3r-s3cr3t-token";

inline std::string fixture() {
  std::ifstream in(std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/walkthrough/otel.yaml");
  return {std::istreambuf_iterator<char>(in), {}};
}

// Replaces what stands there exactly once.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
  const size_t first = text.find(from);
  EXPECT_NE(first, std::string::npos) << from;
  if (first == std::string::npos) return text;
  EXPECT_EQ(text.find(from, first + 1), std::string::npos) << from << " stands there twice";
  return text.replace(first, from.size(), to);
}

inline std::string filled() {
  return with(with(fixture(), "<gRPC-Endpoint>", "backend.example:4317"), "<gRPC-Token>", kToken);
}

inline std::string flat(const std::string& text) {
  std::string out;
  bool margin = true;
  for (const char c : text) {
    if (margin && c == ' ') continue;
    margin = c == '\n';
    out += c;
  }
  return out;
}

inline Manifest must_read(const std::string& text) {
  auto manifest = read_manifest(text, "otel.yaml");
  EXPECT_TRUE(manifest) << config::to_text(manifest.error());
  return manifest ? *manifest : Manifest{};
}

inline std::string refusal(const std::string& text) {
  const auto manifest = read_manifest(text, "otel.yaml");
  return manifest ? "" : config::to_text(manifest.error());
}

// "LINE id" of each finding that is no note.
inline std::string told(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    if (finding.effect != Effect::kNote) out += std::to_string(finding.line) + " " + finding.id + "\n";
  }
  return out;
}

}  // namespace hopcheck::otelcol
