#include <fmt/format.h>

#include "otlp/encode.h"
#include "otlp/json_text.h"

namespace hopcheck::otlp {

namespace {

void add_text(std::string& out, const char* name, std::string_view text) {
  out += '"';
  out += name;
  out += "\":\"";
  append_escaped(out, text);
  out += '"';
}

void add_attributes(std::string& out, const AttributeList& attributes) {
  out += "\"attributes\":[";
  bool first = true;
  for (const Attribute& attribute : attributes) {
    if (!first) out += ',';
    first = false;
    out += '{';
    add_text(out, "key", attribute.key);
    out += ",\"value\":";
    append_any_value(out, attribute.value);
    out += '}';
  }
  out += ']';
}

void add_empty_items(std::string& out, const char* name, uint32_t count) {
  if (count == 0) return;
  out += fmt::format(",\"{}\":[", name);
  for (uint32_t i = 0; i < count; ++i) out += i == 0 ? "{}" : ",{}";
  out += ']';
}

void add_span(std::string& out, const Span& span) {
  out += '{';
  add_text(out, "traceId", span.trace_id.is_zero() ? "" : to_hex(span.trace_id));
  out += ',';
  add_text(out, "spanId", span.span_id.is_zero() ? "" : to_hex(span.span_id));
  out += ',';
  if (!span.trace_state.empty()) {
    add_text(out, "traceState", span.trace_state);
    out += ',';
  }
  add_text(out, "parentSpanId", span.parent_id.is_zero() ? "" : to_hex(span.parent_id));
  out += ',';
  if (span.flags != 0) out += fmt::format("\"flags\":{},", span.flags);
  add_text(out, "name", span.name);
  out += fmt::format(",\"kind\":{},\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",",
                     static_cast<int>(span.kind), span.start_unix_nanos, span.end_unix_nanos);
  add_attributes(out, span.attributes);
  add_empty_items(out, "events", span.event_count);
  add_empty_items(out, "links", span.link_count);
  out += ",\"status\":{";
  if (!span.status_message.empty()) add_text(out, "message", span.status_message);
  if (span.status != StatusCode::kUnset) {
    out += fmt::format("{}\"code\":{}", span.status_message.empty() ? "" : ",", static_cast<int>(span.status));
  }
  out += "}}";
}

void add_scope(std::string& out, const Scope* scope) {
  if (scope == nullptr || !scope->present) return;
  out += "\"scope\":{";
  if (!scope->name.empty()) add_text(out, "name", scope->name);
  if (!scope->version.empty()) {
    if (!scope->name.empty()) out += ',';
    add_text(out, "version", scope->version);
  }
  out += "},";
}

}  // namespace

std::string encode_json(const std::vector<Span>& spans) {
  std::string out = "{\"resourceSpans\":[";
  for (size_t i = 0; i < spans.size();) {
    const Resource* resource = spans[i].resource;
    if (i > 0) out += ',';
    out += "{\"resource\":{";
    if (resource != nullptr) add_attributes(out, resource->attributes);
    out += "},\"scopeSpans\":[";
    for (bool first_scope = true; i < spans.size() && spans[i].resource == resource; first_scope = false) {
      const Scope* scope = spans[i].scope;
      if (!first_scope) out += ',';
      out += '{';
      add_scope(out, scope);
      out += "\"spans\":[";
      for (bool first = true; i < spans.size() && spans[i].resource == resource && spans[i].scope == scope;
           first = false) {
        if (!first) out += ',';
        add_span(out, spans[i++]);
      }
      out += "]}";
    }
    out += ']';
    if (resource != nullptr && !resource->schema_url.empty()) {
      out += ',';
      add_text(out, "schemaUrl", resource->schema_url);
    }
    out += '}';
  }
  out += "]}";
  return out;
}

}  // namespace hopcheck::otlp
