// Spans → ExportTraceServiceRequest. Events and links are known by their number alone: that many empty ones are
// written.
#include <protozero/pbf_writer.hpp>

#include "otlp/encode.h"
#include "otlp/wire_value.h"

namespace hopcheck::otlp {

namespace {

using protozero::pbf_writer;

void add_text(pbf_writer& writer, uint32_t number, std::string_view text) {
  if (!text.empty()) writer.add_bytes(number, text.data(), text.size());
}

template <size_t N>
void add_id(pbf_writer& writer, uint32_t number, const IdBytes<N>& id) {
  if (!id.is_zero()) writer.add_bytes(number, reinterpret_cast<const char*>(id.bytes.data()), N);
}

class Encoder {
 public:
  std::string run(const std::vector<Span>& spans);

 private:
  // A submessage that stays even when it is empty; protozero's own takes empty ones back.
  template <class Fill>
  void nested(pbf_writer& parent, uint32_t number, Fill fill) {
    const size_t before = out_.size();
    {
      pbf_writer writer(parent, number);
      fill(writer);
    }
    if (out_.size() == before) parent.add_message(number, "", 0);
  }
  void value(pbf_writer& parent, uint32_t number, const AnyValue& value);
  void attributes(pbf_writer& parent, uint32_t number, const AttributeList& list);
  void span(pbf_writer& writer, const Span& span);
  void resource_spans(pbf_writer& writer, const std::vector<Span>& spans, size_t& at);

  std::string out_;
};

void Encoder::value(pbf_writer& parent, uint32_t number, const AnyValue& value) {
  using Type = AnyValue::Type;
  if (value.type == Type::kArray || value.type == Type::kKvlist) {
    parent.add_message(number, any_value_from_json(value.text));
    return;
  }
  nested(parent, number, [&](pbf_writer& writer) {
    switch (value.type) {
      case Type::kString: writer.add_bytes(1, value.text.data(), value.text.size()); break;
      case Type::kBool: writer.add_bool(2, value.boolean); break;
      case Type::kInt: writer.add_int64(3, value.integer); break;
      case Type::kDouble: writer.add_double(4, value.real); break;
      case Type::kBytes: writer.add_bytes(7, value.text.data(), value.text.size()); break;
      default: break;
    }
  });
}

void Encoder::attributes(pbf_writer& parent, uint32_t number, const AttributeList& list) {
  for (const Attribute& attribute : list) {
    nested(parent, number, [&](pbf_writer& writer) {
      add_text(writer, 1, attribute.key);
      if (attribute.value.type != AnyValue::Type::kEmpty) value(writer, 2, attribute.value);
    });
  }
}

void Encoder::span(pbf_writer& writer, const Span& span) {
  add_id(writer, 1, span.trace_id);
  add_id(writer, 2, span.span_id);
  add_text(writer, 3, span.trace_state);
  add_id(writer, 4, span.parent_id);
  add_text(writer, 5, span.name);
  if (span.kind != SpanKind::kUnspecified) writer.add_enum(6, static_cast<int32_t>(span.kind));
  if (span.start_unix_nanos != 0) writer.add_fixed64(7, span.start_unix_nanos);
  if (span.end_unix_nanos != 0) writer.add_fixed64(8, span.end_unix_nanos);
  attributes(writer, 9, span.attributes);
  for (uint32_t i = 0; i < span.event_count; ++i) writer.add_message(11, "", 0);
  for (uint32_t i = 0; i < span.link_count; ++i) writer.add_message(13, "", 0);
  if (span.status != StatusCode::kUnset || !span.status_message.empty()) {
    pbf_writer status(writer, 15);
    add_text(status, 2, span.status_message);
    if (span.status != StatusCode::kUnset) status.add_enum(3, static_cast<int32_t>(span.status));
  }
  if (span.flags != 0) writer.add_fixed32(16, span.flags);
}

void Encoder::resource_spans(pbf_writer& writer, const std::vector<Span>& spans, size_t& at) {
  const Resource* resource = spans[at].resource;
  if (resource != nullptr) {
    nested(writer, 1, [&](pbf_writer& message) { attributes(message, 1, resource->attributes); });
  }
  while (at < spans.size() && spans[at].resource == resource) {
    const Scope* scope = spans[at].scope;
    nested(writer, 2, [&](pbf_writer& scope_spans) {
      if (scope != nullptr && scope->present) {
        nested(scope_spans, 1, [&](pbf_writer& message) {
          add_text(message, 1, scope->name);
          add_text(message, 2, scope->version);
        });
      }
      for (; at < spans.size() && spans[at].resource == resource && spans[at].scope == scope; ++at) {
        nested(scope_spans, 2, [&](pbf_writer& message) { span(message, spans[at]); });
      }
    });
  }
  if (resource != nullptr) add_text(writer, 3, resource->schema_url);
}

std::string Encoder::run(const std::vector<Span>& spans) {
  pbf_writer request(out_);
  for (size_t at = 0; at < spans.size();) {
    nested(request, 1, [&](pbf_writer& writer) { resource_spans(writer, spans, at); });
  }
  return std::move(out_);
}

}  // namespace

std::string encode_protobuf(const std::vector<Span>& spans) { return Encoder().run(spans); }

}  // namespace hopcheck::otlp
