// Spans → ExportTraceServiceRequest. Events and links are known by their number alone: that many empty ones are written.
#include <protozero/pbf_writer.hpp>

#include "otlp/encode.h"
#include "otlp/wire_value.h"

namespace hopcheck::otlp {

namespace {

using protozero::pbf_writer;

void add_text(pbf_writer& writer, uint32_t number, std::string_view text) {
  if (!text.empty()) writer.add_bytes(number, text.data(), text.size());
}

void add_value(pbf_writer& parent, uint32_t number, const AnyValue& value) {
  using Type = AnyValue::Type;
  if (value.type == Type::kArray || value.type == Type::kKvlist) {
    parent.add_message(number, any_value_from_json(value.text));
    return;
  }
  pbf_writer writer(parent, number);
  switch (value.type) {
    case Type::kString: writer.add_bytes(1, value.text.data(), value.text.size()); break;
    case Type::kBool: writer.add_bool(2, value.boolean); break;
    case Type::kInt: writer.add_int64(3, value.integer); break;
    case Type::kDouble: writer.add_double(4, value.real); break;
    case Type::kBytes: writer.add_bytes(7, value.text.data(), value.text.size()); break;
    default: break;
  }
}

void add_attributes(pbf_writer& parent, uint32_t number, const AttributeList& attributes) {
  for (const Attribute& attribute : attributes) {
    pbf_writer writer(parent, number);
    add_text(writer, 1, attribute.key);
    add_value(writer, 2, attribute.value);
  }
}

template <size_t N>
void add_id(pbf_writer& writer, uint32_t number, const IdBytes<N>& id) {
  if (!id.is_zero()) writer.add_bytes(number, reinterpret_cast<const char*>(id.bytes.data()), N);
}

void add_span(pbf_writer& parent, const Span& span) {
  pbf_writer writer(parent, 2);
  add_id(writer, 1, span.trace_id);
  add_id(writer, 2, span.span_id);
  add_text(writer, 3, span.trace_state);
  add_id(writer, 4, span.parent_id);
  add_text(writer, 5, span.name);
  if (span.kind != SpanKind::kUnspecified) writer.add_enum(6, static_cast<int32_t>(span.kind));
  if (span.start_unix_nanos != 0) writer.add_fixed64(7, span.start_unix_nanos);
  if (span.end_unix_nanos != 0) writer.add_fixed64(8, span.end_unix_nanos);
  add_attributes(writer, 9, span.attributes);
  for (uint32_t i = 0; i < span.event_count; ++i) writer.add_message(11, "", 0);
  for (uint32_t i = 0; i < span.link_count; ++i) writer.add_message(13, "", 0);
  if (span.status != StatusCode::kUnset || !span.status_message.empty()) {
    pbf_writer status(writer, 15);
    add_text(status, 2, span.status_message);
    if (span.status != StatusCode::kUnset) status.add_enum(3, static_cast<int32_t>(span.status));
  }
  if (span.flags != 0) writer.add_fixed32(16, span.flags);
}

}  // namespace

std::string encode_protobuf(const std::vector<Span>& spans) {
  std::string out;
  pbf_writer request(out);
  for (size_t i = 0; i < spans.size();) {
    const Resource* resource = spans[i].resource;
    pbf_writer resource_spans(request, 1);
    if (resource != nullptr) {
      pbf_writer message(resource_spans, 1);
      add_attributes(message, 1, resource->attributes);
    }
    while (i < spans.size() && spans[i].resource == resource) {
      const Scope* scope = spans[i].scope;
      pbf_writer scope_spans(resource_spans, 2);
      if (scope != nullptr && scope->present) {
        pbf_writer message(scope_spans, 1);
        add_text(message, 1, scope->name);
        add_text(message, 2, scope->version);
      }
      for (; i < spans.size() && spans[i].resource == resource && spans[i].scope == scope; ++i) {
        add_span(scope_spans, spans[i]);
      }
    }
    if (resource != nullptr) add_text(resource_spans, 3, resource->schema_url);
  }
  return out;
}

}  // namespace hopcheck::otlp
