// YAML text → a plain tree with positions, so that only yaml_tree.cc knows yaml-cpp. Duplicate keys stay visible,
// aliases are copied. Bounds: kMaxBytes of text, kMaxNodes nodes and kMaxTextBytes of scalars after alias expansion,
// kMaxDepth levels. Source: YAML 1.2 as yaml-cpp 0.7 reads it; explicit tags and merge keys are refused or plain keys.
// Pure, thread-compatible.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/load.h"

namespace hopcheck::config {

inline constexpr size_t kMaxBytes = 1 << 20;
inline constexpr size_t kMaxTextBytes = 8 << 20;
inline constexpr size_t kMaxNodes = 100'000;
inline constexpr int kMaxDepth = 64;

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;          // kScalar
  bool quoted = false;       // kScalar: quoted or a block scalar, so always text
  int line = 0, column = 0;  // 1-based
  std::vector<Node> items;   // kList: the items; kMap: key, value, key, value …
};
const char* to_string(Node::Kind kind);  // "a list" …

// The problems of one file, in the order found; at most kMaxProblems are kept.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void add(int line, int column, std::string message);
  void add(const Node& at, std::string message) { add(at.line, at.column, std::move(message)); }
  bool empty() const { return list_.empty(); }
  bool full() const { return list_.size() >= kMaxProblems; }
  const std::string& file() const { return file_; }
  std::vector<Problem> sorted() const;  // by position, without repetitions

 private:
  static constexpr size_t kMaxProblems = 200;
  std::string file_;
  std::vector<Problem> list_;
};

// All documents of the text; empty (and a problem) when it is no YAML or breaks a bound.
std::vector<Node> parse_yaml(const std::string& text, Problems& problems);

}  // namespace hopcheck::config
