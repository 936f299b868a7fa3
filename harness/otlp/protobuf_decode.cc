// ExportTraceServiceRequest on the wire → spans. Field numbers: opentelemetry-proto 1.11, trace/v1/trace.proto,
// resource/v1/resource.proto, common/v1/common.proto. One pass; every loop is bounded by the length of the body.
#include <fmt/format.h>

#include <functional>

#include "otlp/decode.h"
#include "otlp/json_text.h"
#include "otlp/notes.h"
#include "otlp/utf8.h"
#include "otlp/wire.h"
#include "otlp/wire_value.h"

namespace hopcheck::otlp {

namespace {

template <size_t N>
IdForm read_id(std::string_view bytes, IdBytes<N>& id) {
  id = {};
  if (bytes.empty()) return IdForm::kEmpty;
  if (bytes.size() != N) return IdForm::kMalformed;
  std::memcpy(id.bytes.data(), bytes.data(), N);
  return id.is_zero() ? IdForm::kZero : IdForm::kValid;
}

class Decoder {
 public:
  Decoder(std::string_view body, Arena& arena, std::vector<Span>& out)
      : body_(body), arena_(arena), values_(arena), out_(out), first_(out.size()) {}

  Result<DecodeNotes> run() {
    if (!request()) {
      out_.resize(first_);
      return failure();
    }
    return std::move(notes_);
  }

 private:
  bool request();
  bool resource_spans(std::string_view message);
  bool resource(std::string_view message);
  bool scope_spans(std::string_view message);
  bool scope(std::string_view message, Scope& out);
  bool span(std::string_view message);
  bool span_field(const WireField& field, const char* at, Span& span);
  bool status(std::string_view message, Span& span);
  bool event(std::string_view message);
  bool link(std::string_view message);
  bool attribute(std::string_view message, std::vector<Attribute>* into);
  AttributeList keep(const std::vector<Attribute>& attributes);
  void check_ids(const Span& span, IdForm trace, IdForm id, IdForm parent);

  bool bad(const char* why, const char* at) { return values_.bad(why, at); }
  bool ended(const WireReader& reader) { return reader.error() == nullptr || bad(reader.error(), reader.position()); }
  void text(std::string_view bytes, const char* name, std::string_view& into) {
    into = bytes;
    if (!is_utf8(bytes)) note(NoteKind::kInvalidUtf8, [&] { return fmt::format("invalid UTF-8 in {}", name); });
  }
  template <class MakeText>
  void note(NoteKind kind, MakeText make_text) {
    add_note(notes_, kind, [&] { return fmt::format("{}: {}", path(), make_text()); });
  }
  std::string path() const;
  tl::unexpected<Error> failure() const;

  std::string_view body_;
  Arena& arena_;
  WireValues values_;
  std::vector<Span>& out_;
  size_t first_;
  DecodeNotes notes_;
  std::vector<Attribute> resource_attributes_, span_attributes_;
  size_t attribute_count_ = 0;
  int64_t resource_index_ = -1, scope_index_ = -1, span_index_ = -1;
};

std::string Decoder::path() const {
  std::string out = "request";
  if (resource_index_ >= 0) out = fmt::format("resource_spans[{}]", resource_index_);
  if (scope_index_ >= 0) out += fmt::format(".scope_spans[{}]", scope_index_);
  if (span_index_ >= 0) out += fmt::format(".spans[{}]", span_index_);
  return out;
}

tl::unexpected<Error> Decoder::failure() const {
  const WireError& error = values_.error();
  const std::less_equal<const char*> before;
  const bool inside = before(body_.data(), error.at) && before(error.at, body_.data() + body_.size());
  const std::string where = inside ? fmt::format(" at byte {}", error.at - body_.data()) : "";
  return fail(ErrorKind::kEvidence, fmt::format("OTLP protobuf {}: {}{}", path(), error.why, where));
}

AttributeList Decoder::keep(const std::vector<Attribute>& attributes) {
  AttributeList list;
  if (attributes.empty()) return list;
  Attribute* data = arena_.array<Attribute>(attributes.size());
  std::memcpy(static_cast<void*>(data), attributes.data(), attributes.size() * sizeof(Attribute));
  list.data = data;
  list.size = static_cast<uint32_t>(attributes.size());
  return list;
}

bool Decoder::attribute(std::string_view message, std::vector<Attribute>* into) {
  if (++attribute_count_ > kMaxAttributesPerBody) return bad("too many attributes", message.data());
  Attribute value;
  if (!values_.key_value(message, value)) return false;
  if (values_.take_invalid_utf8()) note(NoteKind::kInvalidUtf8, [] { return "invalid UTF-8 in an attribute"; });
  if (into != nullptr) into->push_back(value);
  return true;
}

bool Decoder::request() {
  WireReader reader(body_);
  WireField field;
  while (reader.next(field)) {
    if (field.number != 1) continue;
    if (!field.is_bytes()) return bad("resource_spans has a wrong wire type", reader.position());
    ++notes_.resource_spans;
    ++resource_index_;
    if (!resource_spans(field.bytes)) return false;
    scope_index_ = span_index_ = -1;
  }
  return ended(reader);
}

bool Decoder::resource_spans(std::string_view message) {
  const size_t first = out_.size();
  Resource built;
  resource_attributes_.clear();
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    const bool known = (field.number >= 1 && field.number <= 3) || field.number == 1000;
    if (!known) continue;
    if (!field.is_bytes()) return bad("ResourceSpans field with a wrong wire type", reader.position());
    if (field.number == 1 && !resource(field.bytes)) return false;
    if (field.number == 2) {
      ++scope_index_;
      if (!scope_spans(field.bytes)) return false;
      span_index_ = -1;
    }
    if (field.number == 3) text(field.bytes, "schema_url", built.schema_url);
    if (field.number == 1000)
      note(NoteKind::kRemovedField, [] { return "spans in a removed field: instrumentation_library_spans"; });
  }
  if (!ended(reader)) return false;
  if (out_.size() == first) return true;
  built.attributes = keep(resource_attributes_);
  built.service_name = built.attributes.text("service.name");
  const Resource* kept = arena_.make(built);
  for (size_t i = first; i < out_.size(); ++i) out_[i].resource = kept;
  return true;
}

bool Decoder::resource(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number != 1) continue;
    if (!field.is_bytes()) return bad("resource attribute with a wrong wire type", reader.position());
    if (!attribute(field.bytes, &resource_attributes_)) return false;
  }
  return ended(reader);
}

bool Decoder::scope_spans(std::string_view message) {
  const size_t first = out_.size();
  Scope built;
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 3) continue;
    if (!field.is_bytes()) return bad("ScopeSpans field with a wrong wire type", reader.position());
    if (field.number == 1 && !scope(field.bytes, built)) return false;
    if (field.number == 2) {
      ++span_index_;
      if (!span(field.bytes)) return false;
    }
  }
  if (!ended(reader)) return false;
  if (out_.size() == first) return true;
  const Scope* kept = arena_.make(built);
  for (size_t i = first; i < out_.size(); ++i) out_[i].scope = kept;
  return true;
}

bool Decoder::scope(std::string_view message, Scope& out) {
  out.present = true;
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 3) continue;
    if (!field.is_bytes()) return bad("scope field with a wrong wire type", reader.position());
    if (field.number == 1) text(field.bytes, "scope.name", out.name);
    if (field.number == 2) text(field.bytes, "scope.version", out.version);
    if (field.number == 3 && !attribute(field.bytes, nullptr)) return false;
  }
  return ended(reader);
}

void Decoder::check_ids(const Span& span, IdForm trace, IdForm id, IdForm parent) {
  if (span.ids_valid) return;
  note(NoteKind::kInvalidId, [&] { return describe_ids(trace, id, parent); });
}

bool Decoder::span(std::string_view message) {
  if (out_.size() - first_ >= kMaxSpansPerBody) return bad("too many spans", message.data());
  Span built;
  std::string_view trace_id, span_id, parent_id;
  span_attributes_.clear();
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    switch (field.number) {
      case 1:
      case 2:
      case 4:
        if (!field.is_bytes()) return bad("span id with a wrong wire type", reader.position());
        (field.number == 1 ? trace_id : field.number == 2 ? span_id : parent_id) = field.bytes;
        break;
      case 9:
        if (!field.is_bytes()) return bad("span attribute with a wrong wire type", reader.position());
        if (!attribute(field.bytes, &span_attributes_)) return false;
        break;
      default:
        if (!span_field(field, reader.position(), built)) return false;
    }
  }
  if (!ended(reader)) return false;
  const IdForm trace = read_id(trace_id, built.trace_id);
  const IdForm id = read_id(span_id, built.span_id);
  const IdForm parent = read_id(parent_id, built.parent_id);
  built.ids_valid = trace == IdForm::kValid && id == IdForm::kValid && parent != IdForm::kMalformed;
  check_ids(built, trace, id, parent);
  built.attributes = keep(span_attributes_);
  out_.push_back(built);
  return true;
}

bool Decoder::span_field(const WireField& field, const char* at, Span& span) {
  const uint32_t n = field.number;
  if (n > 16) return true;
  const bool is_number = n == 6 || n == 10 || n == 12 || n == 14;
  const bool right_type = is_number             ? field.is_varint()
                          : n == 7 || n == 8    ? field.is_fixed64()
                          : n == 16             ? field.is_fixed32()
                                                : field.is_bytes();
  if (!right_type) return bad("span field with a wrong wire type", at);
  switch (n) {
    case 3: text(field.bytes, "trace_state", span.trace_state); break;
    case 5: text(field.bytes, "name", span.name); break;
    case 6:
      span.kind = field.value <= 5 ? static_cast<SpanKind>(field.value) : SpanKind::kUnspecified;
      if (field.value > 5)
        note(NoteKind::kUnknownEnum,
             [&] { return fmt::format("unknown span kind {}", static_cast<int32_t>(field.value)); });
      break;
    case 7: span.start_unix_nanos = field.value; break;
    case 8: span.end_unix_nanos = field.value; break;
    case 11: ++span.event_count; return event(field.bytes);
    case 13: ++span.link_count; return link(field.bytes);
    case 15: return status(field.bytes, span);
    case 16: span.flags = static_cast<uint32_t>(field.value); break;
    default: break;  // dropped counts
  }
  return true;
}

bool Decoder::status(std::string_view message, Span& span) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number == 2) {
      if (!field.is_bytes()) return bad("status message with a wrong wire type", reader.position());
      text(field.bytes, "status.message", span.status_message);
    } else if (field.number == 3) {
      if (!field.is_varint()) return bad("status code with a wrong wire type", reader.position());
      span.status = field.value <= 2 ? static_cast<StatusCode>(field.value) : StatusCode::kUnset;
      if (field.value > 2)
        note(NoteKind::kUnknownEnum,
             [&] { return fmt::format("unknown status code {}", static_cast<int32_t>(field.value)); });
    }
  }
  return ended(reader);
}

// Events and links are counted, not kept; they are walked so that damage inside them refuses the body.
bool Decoder::event(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 4) continue;
    const bool right_type = field.number == 1   ? field.is_fixed64()
                            : field.number == 4 ? field.is_varint()
                                                : field.is_bytes();
    if (!right_type) return bad("event field with a wrong wire type", reader.position());
    if (field.number == 3 && !attribute(field.bytes, nullptr)) return false;
  }
  return ended(reader);
}

bool Decoder::link(std::string_view message) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 6) continue;
    const bool right_type = field.number == 5   ? field.is_varint()
                            : field.number == 6 ? field.is_fixed32()
                                                : field.is_bytes();
    if (!right_type) return bad("link field with a wrong wire type", reader.position());
    if (field.number == 4 && !attribute(field.bytes, nullptr)) return false;
  }
  return ended(reader);
}

}  // namespace

const char* to_string(NoteKind kind) {
  switch (kind) {
    case NoteKind::kInvalidId: return "invalid-id";
    case NoteKind::kInvalidUtf8: return "invalid-utf8";
    case NoteKind::kRemovedField: return "removed-field";
    case NoteKind::kUnknownEnum: return "unknown-enum";
    case NoteKind::kEnumName: return "enum-name";
    case NoteKind::kSnakeCase: return "snake-case";
    case NoteKind::kDuplicateField: return "duplicate-field";
    case NoteKind::kCount: break;
  }
  return "?";
}

Result<DecodeNotes> decode_protobuf(std::string_view body, Arena& arena, std::vector<Span>& out) {
  return Decoder(body, arena, out).run();
}

}  // namespace hopcheck::otlp
