// A decoded OTLP span and what hangs on it. Views point into the Arena that the decoder was given; the arena outlives
// the spans. Field meaning: opentelemetry-proto trace/v1/trace.proto, common/v1/common.proto (1.11).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace hopcheck {

enum class SpanKind : uint8_t { kUnspecified, kInternal, kServer, kClient, kProducer, kConsumer };
enum class StatusCode : uint8_t { kUnset, kOk, kError };

const char* to_string(SpanKind kind);      // "SERVER" …
const char* to_string(StatusCode status);  // "UNSET" …

struct AnyValue {
  enum class Type : uint8_t { kEmpty, kString, kBool, kInt, kDouble, kBytes, kArray, kKvlist };
  Type type = Type::kEmpty;
  // kString, kBytes: the bytes. kArray, kKvlist: the value as compact OTLP/JSON text (depth <= 100).
  std::string_view text;
  union {
    bool boolean;
    int64_t integer = 0;
    double real;
  };
};

struct Attribute {
  std::string_view key;
  AnyValue value;
};

// Wire order kept; duplicate keys kept (a rule reports them, find() gives the last, as proto3 maps do).
struct AttributeList {
  const Attribute* data = nullptr;
  uint32_t size = 0;
  const Attribute* begin() const { return data; }
  const Attribute* end() const { return data + size; }
  const AnyValue* find(std::string_view key) const {
    for (uint32_t i = size; i > 0; --i) {
      if (data[i - 1].key == key) return &data[i - 1].value;
    }
    return nullptr;
  }
  // The value when it is a string, else "".
  std::string_view text(std::string_view key) const {
    const AnyValue* value = find(key);
    return value && value->type == AnyValue::Type::kString ? value->text : std::string_view{};
  }
};

struct Resource {
  AttributeList attributes;
  std::string_view service_name;  // attribute service.name, "" when absent
  std::string_view schema_url;
};

struct Scope {
  bool present = false;  // Envoy before 1.33 sends no scope message at all
  std::string_view name;
  std::string_view version;
};

// Trivially copyable. resource and scope are never null after decoding.
struct Span {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;  // zero: none
  SpanKind kind = SpanKind::kUnspecified;
  StatusCode status = StatusCode::kUnset;
  uint32_t flags = 0;
  std::string_view name;
  std::string_view trace_state;
  std::string_view status_message;
  uint64_t start_unix_nanos = 0;
  uint64_t end_unix_nanos = 0;
  AttributeList attributes;
  uint32_t event_count = 0;
  uint32_t link_count = 0;
  const Resource* resource = nullptr;
  const Scope* scope = nullptr;
  uint64_t frame_sequence = 0;      // capture frame it came in
  uint64_t arrival_unix_nanos = 0;  // at the sink
  bool ids_valid = true;            // false: wrong-length or all-zero trace or span id
};

}  // namespace hopcheck
