// OTLP/JSON values that are not on the fixed path of spans: nested AnyValues, and fields that are only checked and
// skipped.
#pragma once

#include <string>
#include <string_view>

namespace hopcheck::otlp {

// JSON nesting that kMaxDepth levels of AnyValue can need: {"kvlistValue":{"values":[{"value":… are four levels each.
inline constexpr int kMaxJsonDepth = 4 * 100 + 8;

// Whether `json` is one whole valid JSON value nested at most kMaxJsonDepth deep; nullptr when it is, else why not.
const char* check_json(std::string_view json);

// An AnyValue object that holds an array or a key-value list → its canonical text, the same that the protobuf decoder
// makes: 64-bit integers as strings, unknown fields gone, no spaces. nullptr when done, else why not.
const char* canonical_value(std::string_view json, std::string& out);

}  // namespace hopcheck::otlp
