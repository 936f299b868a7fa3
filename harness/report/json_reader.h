// The reading twin of JsonWriter: fills values from a JsonNode, keeps the first error with its path. Missing keys
// leave the value as it is, unknown ones are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/finding.h"
#include "report/json_node.h"

namespace hopcheck::report {

class JsonReader {
 public:
  template <class T>
  using Ref = T&;
  static constexpr bool kReads = true;

  explicit JsonReader(JsonNode node) : node_(node) {}
  const std::string& error() const { return error_; }  // "" = none; "scenarios[2].name: expected a string"

  template <class T>
  void root(T& value) {
    read(node_, value);
  }
  template <class T>
  void field(const char* name, T& value) {
    const std::optional<JsonNode> found = failed() ? std::nullopt : node_.member(name);
    if (!found) return;
    const size_t mark = enter(name);
    read(*found, value);
    leave(mark);
  }
  void unix_nanos(const char* name, int64_t& value) { field(name, value); }
  void maybe_text(const char* name, std::string& value) {
    std::optional<std::string> text;
    field(name, text);
    value = text.value_or("");
  }
  template <class Body>
  void object(const char* name, Body body) {
    const std::optional<JsonNode> found = failed() ? std::nullopt : node_.member(name);
    if (!found) return;
    const size_t mark = enter(name);
    into(*found, body);
    leave(mark);
  }
  void refuse(const std::string& what);  // keeps the first error only

 private:
  bool failed() const { return !error_.empty(); }
  size_t enter(const std::string& step);
  void leave(size_t mark);
  template <class Body>
  void into(JsonNode node, Body body) {
    if (node.type() != JsonNode::Type::kObject) return refuse("expected an object");
    const JsonNode outer = std::exchange(node_, node);
    body(*this);
    node_ = outer;
  }

  void read(JsonNode node, std::string& value);
  void read(JsonNode node, bool& value);
  void read(JsonNode node, int& value);
  void read(JsonNode node, int64_t& value);
  void read(JsonNode node, uint64_t& value);
  void read(JsonNode node, double& value);
  void read(JsonNode node, Verdict& value);
  template <size_t N>
  void read(JsonNode node, IdBytes<N>& id) {
    std::string hex;
    read(node, hex);
    if (failed()) return;
    id = {};
    if (!hex.empty() && !from_hex(hex, id.bytes.data(), N)) refuse("expected " + std::to_string(2 * N) + " hex digits");
  }
  template <class T>
  void read(JsonNode node, std::optional<T>& value) {
    if (node.type() == JsonNode::Type::kNull) {
      value.reset();
    } else {
      read(node, value.emplace());
    }
  }
  void read(JsonNode node, std::pair<std::string, std::string>& value);
  template <class T>
  void read(JsonNode node, std::vector<T>& list) {
    if (node.type() != JsonNode::Type::kArray) return refuse("expected a list");
    list.clear();
    list.reserve(node.size());
    for (size_t i = 0; i < node.size() && !failed(); ++i) {
      const size_t mark = enter("[" + std::to_string(i) + "]");
      read(node.at(i), list.emplace_back());
      leave(mark);
    }
  }
  template <class T>
  void read(JsonNode node, T& value) {  // a struct that json_fields.h describes
    into(node, [&](JsonReader& inner) { fields(inner, value); });
  }

  JsonNode node_;
  std::string path_;
  std::string error_;
};

}  // namespace hopcheck::report
