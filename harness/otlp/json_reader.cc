#include "otlp/json_reader.h"

#include <array>
#include <cctype>
#include <cmath>
#include <cstring>
#include <optional>

#include "otlp/json_text.h"
#include "otlp/json_value.h"

namespace hopcheck::otlp {

namespace od = simdjson::ondemand;

namespace {
constexpr std::string_view kKeyNames[] = {"resourceSpans",
                                          "resource",
                                          "scopeSpans",
                                          "schemaUrl",
                                          "attributes",
                                          "scope",
                                          "spans",
                                          "name",
                                          "version",
                                          "traceId",
                                          "spanId",
                                          "parentSpanId",
                                          "traceState",
                                          "kind",
                                          "startTimeUnixNano",
                                          "endTimeUnixNano",
                                          "events",
                                          "links",
                                          "status",
                                          "flags",
                                          "message",
                                          "code",
                                          "key",
                                          "value",
                                          "stringValue",
                                          "boolValue",
                                          "intValue",
                                          "doubleValue",
                                          "arrayValue",
                                          "kvlistValue",
                                          "bytesValue",
                                          "instrumentationLibrarySpans"};

// Numbers may also be written with an exponent or a fraction of zero; exact only up to 2^53.
constexpr double kExact = 9007199254740992.0;
bool whole(double value, double low, double high) {
  return std::floor(value) == value && value >= low && value <= high;
}
}  // namespace

namespace {

// Keys by the length of their names: at most six share one.
constexpr size_t kLongestName = 28;
struct KeysByLength {
  std::array<std::array<Key, 7>, kLongestName + 1> keys{};
};
constexpr KeysByLength make_keys_by_length() {
  KeysByLength out;
  for (auto& bucket : out.keys) bucket.fill(Key::kUnknown);
  for (size_t i = 0; i < std::size(kKeyNames); ++i) {
    auto& bucket = out.keys[kKeyNames[i].size()];
    size_t at = 0;
    while (bucket[at] != Key::kUnknown) ++at;
    bucket[at] = static_cast<Key>(i);
  }
  return out;
}
constexpr KeysByLength kKeysByLength = make_keys_by_length();

}  // namespace

Key key_of(std::string_view name) {
  if (name.size() > kLongestName) return Key::kUnknown;
  for (const Key key : kKeysByLength.keys[name.size()]) {
    if (key == Key::kUnknown) break;
    if (std::memcmp(kKeyNames[static_cast<size_t>(key)].data(), name.data(), name.size()) == 0) return key;
  }
  return Key::kUnknown;
}

bool is_snake_case(std::string_view name) {
  if (name.size() > 64 || name.find('_') == std::string_view::npos) return false;
  std::string camel;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '_' && i + 1 < name.size()) {
      camel += static_cast<char>(std::toupper(static_cast<unsigned char>(name[++i])));
    } else {
      camel += name[i];
    }
  }
  return key_of(camel) != Key::kUnknown;
}

bool JsonReader::is_null(Json& json, bool& null) {
  od::json_type type{};
  if (const auto code = json.type().get(type)) return bad(code);
  null = type == od::json_type::null;
  if (null) {
    bool valid = false;
    if (simdjson::simdjson_result<bool>(json.is_null()).get(valid) != simdjson::SUCCESS || !valid) {
      return bad("invalid literal");
    }
  }
  return true;
}

bool JsonReader::null_instead(Json& json, simdjson::error_code code) {
  bool null = false;
  if (code != simdjson::INCORRECT_TYPE || !is_null(json, null)) return bad(code);
  return null || bad(code);
}

bool JsonReader::text(Json json, std::string_view& out) {
  out = {};
  od::raw_json_string raw;
  if (const auto code = json.get_raw_json_string().get(raw)) return null_instead(json, code);
  const char* start = raw.raw();
  // The first scan has found a closing quote: there is one.
  const size_t left = body_.size() - static_cast<size_t>(start - padded_);
  const char* quote = static_cast<const char*>(std::memchr(start, '"', left));
  if (quote != nullptr && std::memchr(start, '\\', static_cast<size_t>(quote - start)) == nullptr) {
    out = body_.substr(static_cast<size_t>(start - padded_), static_cast<size_t>(quote - start));
    return true;
  }
  if (unescaped_ == nullptr) {
    unescaped_ = reinterpret_cast<uint8_t*>(arena_.bytes(body_.size() + simdjson::SIMDJSON_PADDING));
  }
  if (const auto code = parser_.unescape(raw, unescaped_).get(out)) return bad(code);
  return true;
}

bool JsonReader::unsigned_number(Json json, uint64_t& out) {
  od::json_type type{};
  out = 0;
  if (const auto code = json.type().get(type)) return bad(code);
  if (type == od::json_type::null) {
    bool null = false;
    return is_null(json, null);
  }
  if (type == od::json_type::string) {
    std::string_view digits;
    if (const auto code = json.get_string().get(digits)) return bad(code);
    const std::optional<uint64_t> value = parse_uint64(digits);
    if (!value) return bad("not an unsigned 64-bit number");
    out = *value;
    return true;
  }
  if (json.get_uint64().get(out) == simdjson::SUCCESS) return true;
  double real = 0;
  if (json.get_double().get(real) != simdjson::SUCCESS || !whole(real, 0, kExact)) {
    return bad("not an unsigned 64-bit number");
  }
  out = static_cast<uint64_t>(real);
  return true;
}

bool JsonReader::signed_number(Json json, int64_t& out) {
  od::json_type type{};
  out = 0;
  if (const auto code = json.type().get(type)) return bad(code);
  if (type == od::json_type::string) {
    std::string_view digits;
    if (const auto code = json.get_string().get(digits)) return bad(code);
    const std::optional<int64_t> value = parse_int64(digits);
    if (!value) return bad("not a signed 64-bit number");
    out = *value;
    return true;
  }
  if (json.get_int64().get(out) == simdjson::SUCCESS) return true;
  double real = 0;
  if (json.get_double().get(real) != simdjson::SUCCESS || !whole(real, -kExact, kExact)) {
    return bad("not a signed 64-bit number");
  }
  out = static_cast<int64_t>(real);
  return true;
}

bool JsonReader::real_number(Json json, double& out) {
  std::string_view digits;
  if (json.get_string().get(digits) == simdjson::SUCCESS) {
    const std::optional<double> value = parse_double(digits);
    if (!value) return bad("not a number");
    out = *value;
    return true;
  }
  const auto code = json.get_double().get(out);
  return code == simdjson::SUCCESS || bad(code);
}

bool JsonReader::enumeration(Json json, std::initializer_list<const char*> names, Enumeration& out) {
  od::json_type type{};
  out = {};
  if (const auto code = json.type().get(type)) return bad(code);
  if (type != od::json_type::string) {
    uint64_t value = 0;
    if (!unsigned_number(json, value)) return false;
    out.in_range = value < names.size();
    out.value = out.in_range ? static_cast<uint32_t>(value) : 0;
    return true;
  }
  std::string_view name;
  if (const auto code = json.get_string().get(name)) return bad(code);
  out.as_name = true;
  const auto found = std::find(names.begin(), names.end(), name);
  out.in_range = found != names.end();
  out.value = out.in_range ? static_cast<uint32_t>(found - names.begin()) : 0;
  return true;
}

bool JsonReader::raw_object(Json json, std::string_view& raw) {
  od::object object;
  if (const auto code = json.get_object().get(object)) return bad(code);
  const auto code = object.raw_json().get(raw);
  return code == simdjson::SUCCESS || bad(code);
}

bool JsonReader::skip(Json json) {
  od::json_type type{};
  if (const auto code = json.type().get(type)) return bad(code);
  std::string_view raw;
  simdjson::error_code code = simdjson::SUCCESS;
  bool ignored = false;
  double number = 0;
  switch (type) {
    case od::json_type::null: return is_null(json, ignored);
    case od::json_type::string: code = json.get_string().get(raw); break;
    case od::json_type::boolean: code = json.get_bool().get(ignored); break;
    case od::json_type::number: code = json.get_double().get(number); break;
    case od::json_type::object: {
      if (!raw_object(json, raw)) return false;
      const char* why = check_json(raw);
      return why == nullptr || bad(why);
    }
    case od::json_type::array: {
      od::array array;
      if (const auto failed = json.get_array().get(array)) return bad(failed);
      if (const auto failed = array.raw_json().get(raw)) return bad(failed);
      const char* why = check_json(raw);
      return why == nullptr || bad(why);
    }
  }
  return code == simdjson::SUCCESS || bad(code);
}

}  // namespace hopcheck::otlp
