// Strict decoding of one YAML mapping: every field that is asked for is known, every other one is a problem. Nothing
// stops at the first problem: a getter reports and returns its default, so that one pass finds everything. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/yaml_tree.h"

namespace hopcheck::config {

enum class Need { kOptional, kRequired };

class Reader {
 public:
  // where: the path shown in messages, "spec.load". A node that is no mapping is a problem and reads as empty.
  // A null node pointer reads as an empty mapping without a problem.
  Reader(const Node* node, std::string where, Problems& problems);
  Reader(const Reader&) = delete;

  // The value node as it stands; null when absent. Marks the field as known.
  const Node* take(const std::string& key, Need need = Need::kOptional);
  bool has(const std::string& key) const { return find(key) != nullptr; }

  std::string text(const std::string& key, const std::string& fallback, Need need = Need::kOptional);
  bool boolean(const std::string& key, bool fallback);
  struct Range {
    double least, most;
  };
  int64_t integer(const std::string& key, int64_t fallback, Range range);
  double number(const std::string& key, double fallback, Range range);
  int64_t duration_nanos(const std::string& key, int64_t fallback);
  std::vector<std::string> texts(const std::string& key);
  std::map<std::string, std::string> text_map(const std::string& key);
  template <class E>
  E choice(const std::string& key, E fallback, const std::vector<std::pair<std::string, E>>& values) {
    const Node* node = take(key);
    if (!node) return fallback;
    std::vector<std::string> names;
    for (const auto& entry : values) names.push_back(entry.first);
    const std::optional<size_t> index = choose(*node, key, names);
    return index ? values[*index].second : fallback;
  }
  // The items of a list field; empty when absent or no list. More than kMaxItems are a problem and left out.
  static constexpr size_t kMaxItems = 1000;
  std::vector<const Node*> items(const std::string& key, Need need = Need::kOptional);

  // A problem at the field's value, or at the mapping when the field is absent.
  void problem(const std::string& key, const std::string& message);
  // Reports the fields nobody asked for. Call last.
  void finish();

  const Node& node() const { return *node_; }
  const std::string& where() const { return where_; }
  Problems& problems() { return problems_; }
  std::string path_of(const std::string& key) const { return where_.empty() ? key : where_ + "." + key; }

 private:
  const Node* find(const std::string& key) const;
  std::optional<size_t> choose(const Node& node, const std::string& key, const std::vector<std::string>& names);

  const Node* node_;
  std::string where_;
  Problems& problems_;
  std::vector<std::string> known_;
};

// A scalar as text; a problem when it is not one, is an unquoted number, boolean or null, or holds control characters.
std::optional<std::string> scalar_text(const Node& node, const std::string& where, Problems& problems);
// "<name>", "@NAME@", "{{ name }}" or "${NAME}" left in the text; nullopt when there is none.
std::optional<std::string> left_over_placeholder(const std::string& text);

// The head of a document: apiVersion and kind checked, metadata.name read.
struct Head {
  std::string name;
  const Node* spec = nullptr;
};
inline constexpr const char* kApiVersion = "hopcheck.dev/v1alpha1";
std::optional<Head> read_head(const Node& document, const std::string& kind, Problems& problems);
// [a-z0-9]([-a-z0-9]*[a-z0-9])?, at most 63 characters: a Kubernetes object name (RFC 1123 label).
bool is_label(const std::string& text);

}  // namespace hopcheck::config
