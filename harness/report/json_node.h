// A read-only view of a parsed JSON document. Keeps the parser out of headers. Nodes are valid while their document
// lives.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace hopcheck::report {

class JsonNode {
 public:
  enum class Type : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };
  Type type() const;
  bool boolean() const;                    // false unless kBool
  std::string text() const;                // "" unless kString
  std::optional<double> real() const;      // kNumber
  std::optional<int64_t> integer() const;  // a whole kNumber, or a kString of decimal digits, in range
  std::optional<uint64_t> unsigned_integer() const;
  size_t size() const;                                    // of kArray, kObject; else 0
  JsonNode at(size_t index) const;                        // kArray, index < size()
  std::optional<JsonNode> member(const char* key) const;  // kObject

 private:
  friend class JsonDocument;
  explicit JsonNode(const void* value) : value_(value) {}
  const void* value_;
};

class JsonDocument {
 public:
  // Error (kEvidence): not JSON; `why` says where.
  static Result<JsonDocument> parse(std::string_view text);
  JsonNode root() const { return JsonNode(value_.get()); }

 private:
  explicit JsonDocument(std::shared_ptr<const void> value) : value_(std::move(value)) {}
  std::shared_ptr<const void> value_;
};

}  // namespace hopcheck::report
