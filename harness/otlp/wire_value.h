// AnyValue and KeyValue (common/v1/common.proto) on the wire. Nested values become OTLP/JSON text, iteratively: the
// stack of this code does not grow with the depth of the input. Repeated singular fields merge as proto3 says: the
// concatenation of two encodings of a message is the encoding of their merge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "model/span.h"
#include "otlp/decode.h"

namespace hopcheck::otlp {

struct WireError {
  const char* why = nullptr;
  const char* at = nullptr;  // inside the body, or inside a merged copy of some of it
};

class WireValues {
 public:
  explicit WireValues(Arena& arena) : arena_(arena) {}

  // False: error() says why. Text views point into `message` or the arena.
  bool key_value(std::string_view message, Attribute& out);
  const WireError& error() const { return error_; }
  bool bad(const char* why, const char* at) {
    error_ = {why, at};
    return false;
  }
  // Since the last call: was there a string or key that is not UTF-8?
  bool take_invalid_utf8() {
    const bool seen = invalid_utf8_;
    invalid_utf8_ = false;
    return seen;
  }

 private:
  struct Level {
    std::string_view rest;  // items of the container not yet read
    bool kvlist = false;
    bool first = true;
  };
  bool scan_key_value(std::string_view message, Attribute& out);
  bool merge_value(std::string_view message, AnyValue& value);
  bool open_container(AnyValue::Type type, std::string& out, std::vector<Level>& stack);
  bool next_item(Level& level, std::string& out, std::vector<Level>& stack);
  bool render(AnyValue::Type type, std::string& out);
  bool join_chunks(std::string_view& joined);

  Arena& arena_;
  std::vector<std::string_view> chunks_;  // encodings of the container the last scanned value ended with
  size_t join_budget_ = kMaxBodyBytes;
  WireError error_;
  bool invalid_utf8_ = false;
};

// A nested value's OTLP/JSON text (as decoding makes it) as the encoding of an AnyValue; "" when it is not such text.
std::string any_value_from_json(std::string_view text);

}  // namespace hopcheck::otlp
