// Pieces of OTLP/JSON text that decoders and encoders share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "model/span.h"

namespace hopcheck::otlp {

// Bound on the JSON text of one nested value.
inline constexpr size_t kMaxValueText = 256u << 20;

void append_escaped(std::string& out, std::string_view text);  // inside of a JSON string; invalid UTF-8 becomes U+FFFD
void append_base64(std::string& out, std::string_view bytes);
// Standard or URL-safe alphabet, padding optional; nullopt when malformed.
std::optional<std::string> parse_base64(std::string_view text);
// A JSON number, or "NaN", "Infinity", "-Infinity" with the quotes.
void append_double(std::string& out, double value);
// NaN, Infinity, -Infinity or a decimal number.
std::optional<double> parse_double(std::string_view text);
std::optional<int64_t> parse_int64(std::string_view text);
std::optional<uint64_t> parse_uint64(std::string_view text);
// {"stringValue":"x"} and so on; `value` is not kArray or kKvlist unless its text is the OTLP/JSON of it.
void append_any_value(std::string& out, const AnyValue& value);

}  // namespace hopcheck::otlp
