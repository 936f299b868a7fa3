// What holds for every decoded request, whatever bytes it came from.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "otlp/decode.h"
#include "otlp/encode.h"

namespace hopcheck::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// Written in either encoding and read again, the spans are the same.
inline void check_round_trip(const std::vector<Span>& spans) {
  for (const Span& span : spans) {
    require(span.resource != nullptr && span.scope != nullptr, "a span without resource or scope");
    require(!span.ids_valid || (!span.trace_id.is_zero() && !span.span_id.is_zero()), "an all-zero id that is valid");
  }
  const std::string json = otlp::encode_json(spans), wire = otlp::encode_protobuf(spans);
  Arena arena;
  std::vector<Span> from_json, from_wire;
  require(otlp::decode_json(json, arena, from_json).has_value(), "our own JSON is refused");
  require(otlp::decode_protobuf(wire, arena, from_wire).has_value(), "our own protobuf is refused");
  require(otlp::encode_json(from_json) == json, "JSON changed on the way through JSON");
  require(otlp::encode_json(from_wire) == json, "JSON changed on the way through protobuf");
}

}  // namespace hopcheck::fuzz
