// Reading OTLP/JSON messages with simdjson's on-demand reader: members by name, numbers, strings into the arena, and
// checked skipping. Base of the decoder in json_decode.cc. Every function returns false after the first error; why()
// says it.
#pragma once

#define SIMDJSON_DEVELOPMENT_CHECKS 0
#include <simdjson.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/arena.h"
#include "base/ids.h"
#include "otlp/notes.h"

namespace hopcheck::otlp {

using Json = simdjson::ondemand::value;

// Fields of trace.proto by their JSON names; the position in the list is the bit for duplicate detection.
enum class Key : uint8_t {
  kResourceSpans, kResource, kScopeSpans, kSchemaUrl, kAttributes, kScope, kSpans, kName, kVersion, kTraceId, kSpanId,
  kParentSpanId, kTraceState, kKind, kStartTimeUnixNano, kEndTimeUnixNano, kEvents, kLinks, kStatus, kFlags, kMessage,
  kCode, kKey, kValue, kStringValue, kBoolValue, kIntValue, kDoubleValue, kArrayValue, kKvlistValue, kBytesValue,
  kInstrumentationLibrarySpans, kUnknown
};
Key key_of(std::string_view name);
// Whether a name is one of ours written in snake_case, as protobuf text has it; senders lose data by that.
bool is_snake_case(std::string_view name);

class JsonReader {
 public:
  // Strings without escapes become views into `body`, of which `padded` is the copy that is read; others go to the
  // arena.
  JsonReader(simdjson::ondemand::parser& parser, std::string_view body, const char* padded, Arena& arena)
      : parser_(parser), body_(body), padded_(padded), arena_(arena) {}

  const std::string& why() const { return why_; }
  bool bad(const char* why) {
    if (why_.empty()) why_ = why;
    return false;
  }
  bool bad(simdjson::error_code code) { return bad(simdjson::error_message(code)); }

  bool is_null(Json& json, bool& null);
  // After a typed read failed with `code`: true when the value was null, which reads as the default.
  bool null_instead(Json& json, simdjson::error_code code);
  bool text(Json json, std::string_view& out);  // null: ""
  bool unsigned_number(Json json, uint64_t& out);
  bool signed_number(Json json, int64_t& out);
  bool real_number(Json json, double& out);
  // Integer, or (against the specification, see `as_name`) the name of one of `names`. Out of range: `in_range` false
  // and 0.
  struct Enumeration {
    uint32_t value = 0;
    bool as_name = false;
    bool in_range = true;
  };
  bool enumeration(Json json, std::initializer_list<const char*> names, Enumeration& out);
  template <size_t N>
  bool id(Json json, IdBytes<N>& out, IdForm& form);
  bool skip(Json json);                               // validates what it skips
  bool raw_object(Json json, std::string_view& raw);  // the text of an object

  // Calls on_field(key, value) for each member whose key is in `known`; others are skipped. Duplicates and names in
  // snake_case are told to on_oddity(NoteKind, name). null in place of the object has no members.
  template <class OnField, class OnOddity>
  bool each_field(Json json, std::initializer_list<Key> known, OnField on_field, OnOddity on_oddity);
  template <class OnField, class OnOddity>
  bool each_member(simdjson::ondemand::object object, std::initializer_list<Key> known, OnField on_field,
                   OnOddity on_oddity);
  template <class OnItem>
  bool each_item(Json json, OnItem on_item);

 private:
  simdjson::ondemand::parser& parser_;
  std::string_view body_;
  const char* padded_;
  Arena& arena_;
  uint8_t* unescaped_ = nullptr;  // room for all strings with escapes, made for the first of them
  std::string why_;
};

template <size_t N>
bool JsonReader::id(Json json, IdBytes<N>& out, IdForm& form) {
  out = {};
  form = IdForm::kEmpty;
  std::string_view hex;
  if (!text(json, hex)) return false;
  if (hex.empty()) return true;
  if (!from_hex(hex, out.bytes.data(), N)) {
    out = {};
    form = IdForm::kMalformed;
  } else {
    form = out.is_zero() ? IdForm::kZero : IdForm::kValid;
  }
  return true;
}

template <class OnField, class OnOddity>
bool JsonReader::each_member(simdjson::ondemand::object object, std::initializer_list<Key> known, OnField on_field,
                             OnOddity on_oddity) {
  uint64_t seen = 0;
  for (auto member : object) {
    simdjson::ondemand::field field;
    if (const auto code = std::move(member).get(field)) return bad(code);
    std::string_view name;
    if (const auto code = field.unescaped_key().get(name)) return bad(code);
    Key key = key_of(name);
    if (std::find(known.begin(), known.end(), key) == known.end()) key = Key::kUnknown;
    if (key == Key::kUnknown) {
      if (is_snake_case(name)) on_oddity(NoteKind::kSnakeCase, name);
      if (!skip(field.value())) return false;
      continue;
    }
    const uint64_t bit = 1ull << static_cast<unsigned>(key);
    if (seen & bit) on_oddity(NoteKind::kDuplicateField, name);
    seen |= bit;
    if (!on_field(key, field.value())) return false;
  }
  return true;
}

template <class OnField, class OnOddity>
bool JsonReader::each_field(Json json, std::initializer_list<Key> known, OnField on_field, OnOddity on_oddity) {
  simdjson::ondemand::object object;
  if (const auto code = json.get_object().get(object)) return null_instead(json, code);
  return each_member(object, known, on_field, on_oddity);
}

template <class OnItem>
bool JsonReader::each_item(Json json, OnItem on_item) {
  simdjson::ondemand::array array;
  if (const auto code = json.get_array().get(array)) return null_instead(json, code);
  for (auto item : array) {
    Json value;
    if (const auto code = std::move(item).get(value)) return bad(code);
    if (!on_item(value)) return false;
  }
  return true;
}

}  // namespace hopcheck::otlp
