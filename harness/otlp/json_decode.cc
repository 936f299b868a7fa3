// OTLP/JSON → spans. Rules: OTLP specification 1.11, "JSON Protobuf Encoding": lowerCamelCase names, hex ids in any
// case, integer enums, 64-bit integers as numbers or strings, unknown fields ignored, null = default. Duplicate names:
// the last one wins, with a note. What is skipped is validated too.
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <optional>

#include "otlp/decode.h"
#include "otlp/json_reader.h"
#include "otlp/json_text.h"
#include "otlp/json_value.h"
#include "otlp/notes.h"

namespace hopcheck::otlp {

namespace {

namespace od = simdjson::ondemand;

class Decoder {
 public:
  Decoder(JsonReader& reader, Arena& arena, std::vector<Span>& out)
      : reader_(reader), arena_(arena), out_(out), first_(out.size()) {}

  bool request(od::document& document);
  DecodeNotes take_notes() { return std::move(notes_); }
  std::string path() const {
    std::string out = resource_index_ < 0 ? "request" : fmt::format("resourceSpans[{}]", resource_index_);
    if (scope_index_ >= 0) out += fmt::format(".scopeSpans[{}]", scope_index_);
    if (span_index_ >= 0) out += fmt::format(".spans[{}]", span_index_);
    return out;
  }

 private:
  using Keys = std::initializer_list<Key>;
  template <class OnField>
  bool each_field(Json json, Keys known, OnField on_field) {
    return reader_.each_field(json, known, on_field,
                              [&](NoteKind kind, std::string_view name) { odd(kind, name); });
  }
  bool resource_spans(Json json);
  bool scope_spans(Json json);
  bool scope(Json json, Scope& out);
  bool span(Json json);
  bool span_field(Key key, Json json, Span& span);
  bool status(Json json, Span& span);
  bool attributes(Json json, AttributeList& out);
  bool key_value(Json json, Attribute& out);
  bool any_value(Json json, AnyValue& out);
  bool value_field(Key key, Json json, AnyValue& out);
  bool list_value(Key key, Json json, AnyValue& out);
  bool count_items(Json json, uint32_t& count);
  bool enumeration(Json json, std::initializer_list<const char*> names, uint32_t& out);

  void odd(NoteKind kind, std::string_view name) {
    const char* what =
        kind == NoteKind::kSnakeCase ? "field in snake_case is ignored" : "duplicate field, the last one wins";
    note(kind, [&] { return fmt::format("{}: {}", what, name.substr(0, 64)); });
  }
  template <class MakeText>
  void note(NoteKind kind, MakeText make_text) {
    add_note(notes_, kind, [&] { return path() + ": " + make_text(); });
  }

  JsonReader& reader_;
  Arena& arena_;
  std::vector<Span>& out_;
  size_t first_;
  DecodeNotes notes_;
  std::vector<Attribute> scratch_;
  size_t attribute_count_ = 0;
  int64_t resource_index_ = -1, scope_index_ = -1, span_index_ = -1;
};

bool Decoder::enumeration(Json json, std::initializer_list<const char*> names, uint32_t& out) {
  JsonReader::Enumeration read;
  if (!reader_.enumeration(json, names, read)) return false;
  if (read.as_name) note(NoteKind::kEnumName, [] { return "enum written as a name, not a number"; });
  if (!read.in_range) note(NoteKind::kUnknownEnum, [] { return "unknown enum value"; });
  out = read.value;
  return true;
}

bool Decoder::list_value(Key key, Json json, AnyValue& out) {
  std::string_view raw;
  if (!reader_.raw_object(json, raw)) return false;
  std::string whole = key == Key::kArrayValue ? "{\"arrayValue\":" : "{\"kvlistValue\":";
  whole += raw;
  whole += '}';
  std::string canonical;
  if (const char* why = canonical_value(whole, canonical)) return reader_.bad(why);
  out.type = key == Key::kArrayValue ? AnyValue::Type::kArray : AnyValue::Type::kKvlist;
  out.text = arena_.copy(canonical);
  return true;
}

bool Decoder::value_field(Key key, Json json, AnyValue& out) {
  using Type = AnyValue::Type;
  bool null = false;
  if (!reader_.is_null(json, null)) return false;
  if (null) return true;
  switch (key) {
    case Key::kStringValue: out.type = Type::kString; return reader_.text(json, out.text);
    case Key::kIntValue: out.type = Type::kInt; return reader_.signed_number(json, out.integer);
    case Key::kDoubleValue: out.type = Type::kDouble; return reader_.real_number(json, out.real);
    case Key::kBoolValue: {
      bool boolean = false;
      if (const auto code = json.get_bool().get(boolean)) return reader_.bad(code);
      out.type = Type::kBool;
      out.integer = 0;
      out.boolean = boolean;
      return true;
    }
    case Key::kBytesValue: {
      std::string_view encoded;
      if (const auto code = json.get_string().get(encoded)) return reader_.bad(code);
      const std::optional<std::string> bytes = parse_base64(encoded);
      if (!bytes) return reader_.bad("bytesValue must be base64");
      out.type = Type::kBytes;
      out.text = arena_.copy(*bytes);
      return true;
    }
    default: return list_value(key, json, out);
  }
}

bool Decoder::any_value(Json json, AnyValue& out) {
  out = AnyValue{};
  return each_field(json,
                    {Key::kStringValue, Key::kBoolValue, Key::kIntValue, Key::kDoubleValue, Key::kArrayValue,
                     Key::kKvlistValue, Key::kBytesValue},
                    [&](Key key, Json value) { return value_field(key, value, out); });
}

bool Decoder::key_value(Json json, Attribute& out) {
  out = Attribute{};
  return each_field(json, {Key::kKey, Key::kValue}, [&](Key key, Json value) {
    return key == Key::kKey ? reader_.text(value, out.key) : any_value(value, out.value);
  });
}

bool Decoder::attributes(Json json, AttributeList& out) {
  scratch_.clear();
  out = {};
  const bool read = reader_.each_item(json, [&](Json item) {
    if (++attribute_count_ > kMaxAttributesPerBody) return reader_.bad("too many attributes");
    scratch_.emplace_back();
    return key_value(item, scratch_.back());
  });
  if (!read || scratch_.empty()) return read;
  Attribute* data = arena_.array<Attribute>(scratch_.size());
  std::memcpy(static_cast<void*>(data), scratch_.data(), scratch_.size() * sizeof(Attribute));
  out.data = data;
  out.size = static_cast<uint32_t>(scratch_.size());
  return true;
}

bool Decoder::count_items(Json json, uint32_t& count) {
  count = 0;
  return reader_.each_item(json, [&](Json item) {
    ++count;
    od::json_type type{};
    if (const auto code = item.type().get(type)) return reader_.bad(code);
    if (type != od::json_type::object && type != od::json_type::null)
      return reader_.bad("an event or link must be an object");
    return reader_.skip(item);
  });
}

bool Decoder::request(od::document& document) {
  od::object object;
  if (const auto code = document.get_object().get(object)) return reader_.bad(code);
  const auto on_list = [&](Key, Json list) {
    out_.resize(first_);
    resource_index_ = -1;
    notes_.resource_spans = 0;
    return reader_.each_item(list, [&](Json item) {
      ++notes_.resource_spans;
      ++resource_index_;
      if (!resource_spans(item)) return false;
      scope_index_ = -1;
      return true;
    });
  };
  return reader_.each_member(object, {Key::kResourceSpans}, on_list,
                             [&](NoteKind kind, std::string_view name) { odd(kind, name); });
}

bool Decoder::resource_spans(Json json) {
  const size_t first = out_.size();
  Resource built;
  const bool read = each_field(
      json, {Key::kResource, Key::kScopeSpans, Key::kSchemaUrl, Key::kInstrumentationLibrarySpans},
      [&](Key key, Json value) {
        switch (key) {
          case Key::kResource:
            built.attributes = {};
            return each_field(value, {Key::kAttributes},
                              [&](Key, Json list) { return attributes(list, built.attributes); });
          case Key::kSchemaUrl:
            return reader_.text(value, built.schema_url);
          case Key::kScopeSpans:
            out_.resize(first);
            scope_index_ = -1;
            return reader_.each_item(value, [&](Json item) {
              ++scope_index_;
              return scope_spans(item);
            });
          default:
            note(NoteKind::kRemovedField, [] { return "spans in a removed field: instrumentationLibrarySpans"; });
            return reader_.skip(value);
        }
      });
  if (!read || out_.size() == first) return read;
  built.service_name = built.attributes.text("service.name");
  const Resource* kept = arena_.make(built);
  for (size_t i = first; i < out_.size(); ++i) out_[i].resource = kept;
  return true;
}

bool Decoder::scope(Json json, Scope& out) {
  out = Scope{};
  bool null = false;
  if (!reader_.is_null(json, null)) return false;
  out.present = !null;
  if (null) return true;
  AttributeList ignored;
  return each_field(json, {Key::kName, Key::kVersion, Key::kAttributes}, [&](Key key, Json value) {
    if (key == Key::kName) return reader_.text(value, out.name);
    return key == Key::kVersion ? reader_.text(value, out.version) : attributes(value, ignored);
  });
}

bool Decoder::scope_spans(Json json) {
  const size_t first = out_.size();
  Scope built;
  std::string_view ignored;
  const bool read = each_field(json, {Key::kScope, Key::kSpans, Key::kSchemaUrl}, [&](Key key, Json value) {
    if (key == Key::kScope) return scope(value, built);
    if (key == Key::kSchemaUrl) return reader_.text(value, ignored);
    out_.resize(first);
    span_index_ = -1;
    return reader_.each_item(value, [&](Json item) {
      ++span_index_;
      return span(item);
    });
  });
  if (read) span_index_ = -1;
  if (!read || out_.size() == first) return read;
  const Scope* kept = arena_.make(built);
  for (size_t i = first; i < out_.size(); ++i) out_[i].scope = kept;
  return true;
}

bool Decoder::span(Json json) {
  if (out_.size() - first_ >= kMaxSpansPerBody) return reader_.bad("too many spans");
  Span built;
  IdForm trace = IdForm::kEmpty, own = IdForm::kEmpty, parent = IdForm::kEmpty;
  const bool read = each_field(json,
                               {Key::kTraceId, Key::kSpanId, Key::kParentSpanId, Key::kTraceState, Key::kName,
                                Key::kKind, Key::kStartTimeUnixNano, Key::kEndTimeUnixNano, Key::kAttributes,
                                Key::kEvents, Key::kLinks, Key::kStatus, Key::kFlags},
                               [&](Key key, Json value) {
                                 switch (key) {
                                   case Key::kTraceId:
                                     return reader_.id(value, built.trace_id, trace);
                                   case Key::kSpanId:
                                     return reader_.id(value, built.span_id, own);
                                   case Key::kParentSpanId:
                                     return reader_.id(value, built.parent_id, parent);
                                   default:
                                     return span_field(key, value, built);
                                 }
                               });
  if (!read) return false;
  built.ids_valid = trace == IdForm::kValid && own == IdForm::kValid && parent != IdForm::kMalformed;
  if (!built.ids_valid) note(NoteKind::kInvalidId, [&] { return describe_ids(trace, own, parent); });
  out_.push_back(built);
  return true;
}

bool Decoder::span_field(Key key, Json value, Span& span) {
  switch (key) {
    case Key::kTraceState: return reader_.text(value, span.trace_state);
    case Key::kName: return reader_.text(value, span.name);
    case Key::kStartTimeUnixNano: return reader_.unsigned_number(value, span.start_unix_nanos);
    case Key::kEndTimeUnixNano: return reader_.unsigned_number(value, span.end_unix_nanos);
    case Key::kAttributes: return attributes(value, span.attributes);
    case Key::kEvents: return count_items(value, span.event_count);
    case Key::kLinks: return count_items(value, span.link_count);
    case Key::kKind: {
      uint32_t kind = 0;
      if (!enumeration(value,
                       {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
                        "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"},
                       kind)) {
        return false;
      }
      span.kind = static_cast<SpanKind>(kind);
      return true;
    }
    case Key::kFlags: {
      uint64_t flags = 0;
      if (!reader_.unsigned_number(value, flags)) return false;
      if (flags > UINT32_MAX) return reader_.bad("flags above 32 bits");
      span.flags = static_cast<uint32_t>(flags);
      return true;
    }
    default: return status(value, span);
  }
}

bool Decoder::status(Json json, Span& span) {
  span.status = StatusCode::kUnset;
  span.status_message = {};
  return each_field(json, {Key::kCode, Key::kMessage}, [&](Key key, Json value) {
    if (key == Key::kMessage) return reader_.text(value, span.status_message);
    uint32_t code = 0;
    if (!enumeration(value, {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}, code)) return false;
    span.status = static_cast<StatusCode>(code);
    return true;
  });
}

// Parser and padded copy of the body, kept between calls unless a body was unusually large.
struct Workspace {
  od::parser parser;
  std::vector<char> padded;
};
constexpr size_t kKeptWorkspace = 8u << 20;

}  // namespace

Result<DecodeNotes> decode_json(std::string_view body, Arena& arena, std::vector<Span>& out) {
  return decode_json_in_place(arena.copy(body), arena, out);
}

Result<DecodeNotes> decode_json_in_place(std::string_view body, Arena& arena, std::vector<Span>& out) {
  if (body.empty()) return DecodeNotes{};  // an empty request, as an empty protobuf body is
  if (body.size() > simdjson::SIMDJSON_MAXSIZE_BYTES / 2) {
    return fail(ErrorKind::kEvidence, "OTLP JSON request: larger than the reader can hold");
  }
  thread_local std::unique_ptr<Workspace> workspace;
  if (!workspace) workspace = std::make_unique<Workspace>();
  std::vector<char>& padded = workspace->padded;
  padded.resize(std::max(padded.size(), body.size() + simdjson::SIMDJSON_PADDING));
  std::memcpy(padded.data(), body.data(), body.size());
  std::memset(padded.data() + body.size(), 0, simdjson::SIMDJSON_PADDING);

  const size_t first = out.size();
  JsonReader reader(workspace->parser, body, padded.data(), arena);
  Decoder decoder(reader, arena, out);
  od::document document;
  const simdjson::padded_string_view view(padded.data(), body.size(), padded.size());
  const simdjson::error_code code = workspace->parser.iterate(view).get(document);
  bool done = code == simdjson::SUCCESS ? decoder.request(document) : reader.bad(code);
  const char* at = nullptr;  // current_location() fails exactly when everything has been read
  if (done && document.current_location().get(at) == simdjson::SUCCESS) {
    done = reader.bad("text after the end of the request");
  }
  std::string where;
  if (!done && code == simdjson::SUCCESS && document.current_location().get(at) == simdjson::SUCCESS) {
    where = fmt::format(" near byte {}", at - padded.data());
  }
  if (padded.size() > kKeptWorkspace) workspace.reset();
  if (done) return decoder.take_notes();
  out.resize(first);
  return fail(ErrorKind::kEvidence, fmt::format("OTLP JSON {}: {}{}", decoder.path(), reader.why(), where));
}

}  // namespace hopcheck::otlp
