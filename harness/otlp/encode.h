// Spans → OTLP. Consecutive spans with the same resource and scope pointers share one ResourceSpans/ScopeSpans.
#pragma once

#include <string>
#include <vector>

#include "model/span.h"

namespace hopcheck::otlp {

std::string encode_protobuf(const std::vector<Span>& spans);
// One line {"resourceSpans":[…]} as the Collector's file exporter writes it (ids lower hex, times and ints as strings).
std::string encode_json(const std::vector<Span>& spans);
// Any bytes as the inside of a JSON string (invalid UTF-8 becomes U+FFFD).
std::string json_escape(std::string_view text);

}  // namespace hopcheck::otlp
