#include "store/capture_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "store/capture_format.h"

namespace hopcheck::store {

namespace {

bool matches(const SpanChoice& choice, const Span& span) {
  return (!choice.span || span.span_id == *choice.span) && (!choice.trace || span.trace_id == *choice.trace) &&
         (!choice.service || span.resource->service_name == *choice.service) &&
         (!choice.name || span.name == *choice.name) && (!choice.kind || span.kind == *choice.kind);
}

// The span's resource with another service.name, for this span alone.
const Resource* renamed_resource(const Resource& old, std::string_view name, Arena& arena) {
  Resource made = old;
  const uint32_t size = old.attributes.size;
  Attribute* data = arena.array<Attribute>(size + 1);
  std::copy(old.attributes.begin(), old.attributes.end(), data);
  Attribute renamed;
  renamed.key = "service.name";
  renamed.value.type = AnyValue::Type::kString;
  renamed.value.text = arena.copy(name);
  Attribute* found = std::find_if(data, data + size, [](const Attribute& a) { return a.key == "service.name"; });
  *found = renamed;
  made.attributes.data = data;
  made.attributes.size = found == data + size ? size + 1 : size;
  made.service_name = renamed.value.text;
  return arena.make(made);
}

// Changes spans[at]; remove, duplicate and conflict change the list.
void change_span(const CaptureEdit& edit, Arena& arena, std::vector<Span>& spans, size_t at) {
  Span& span = spans[at];
  if (edit.edit == "zero-parent") {
    span.parent_id = {};
  } else if (edit.edit == "remove-span") {
    spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(at));
  } else if (edit.edit == "rename-span") {
    span.name = arena.copy(edit.new_name);
  } else if (edit.edit == "reparent") {
    span.parent_id = *edit.parent;
  } else if (edit.edit == "set-service-name") {
    span.resource = renamed_resource(*span.resource, edit.new_name, arena);
  } else if (edit.edit == "set-kind") {
    span.kind = *edit.new_kind;
  } else if (edit.edit == "shift-time") {
    span.start_unix_nanos += static_cast<uint64_t>(edit.shift_nanos);
    span.end_unix_nanos += static_cast<uint64_t>(edit.shift_nanos);
  } else {
    Span copy = span;
    if (edit.edit == "conflict-span") copy.name = arena.copy(std::string(span.name) + " (conflict)");
    spans.insert(spans.begin() + static_cast<std::ptrdiff_t>(at) + 1, copy);
  }
}

Result<void> check_arguments(const CaptureEdit& edit) {
  const auto& names = edit_names();
  if (std::find(names.begin(), names.end(), edit.edit) == names.end()) {
    const auto near = nearest(edit.edit, names);
    return fail(ErrorKind::kUsage, "no edit has the name " + printable(edit.edit), "",
                near ? "did you mean " + *near + "?" : fmt::format("one of: {}", fmt::join(names, ", ")));
  }
  const bool needs_name = edit.edit == "rename-span" || edit.edit == "set-service-name";
  const char* missing = needs_name && edit.new_name.empty()             ? "--name NEW"
                        : edit.edit == "reparent" && !edit.parent       ? "--parent HEX"
                        : edit.edit == "set-kind" && !edit.new_kind     ? "--kind KIND"
                        : edit.edit == "shift-time" && edit.shift_nanos == 0 ? "--shift NANOS"
                                                                         : nullptr;
  if (missing != nullptr) return fail(ErrorKind::kUsage, edit.edit + " needs " + missing);
  if (edit.choice.all && edit.edit == "drop-frame")
    return fail(ErrorKind::kUsage, "drop-frame takes one frame at a time");
  return {};
}

Result<EditedCapture> drop_frame(CaptureExports& exports, size_t index) {
  EditedCapture out;
  out.description = fmt::format("drop-frame: frame {}", exports.frames[index].sequence);
  exports.frames.erase(exports.frames.begin() + static_cast<std::ptrdiff_t>(index));
  return out;
}

// Leaves half of the last export, and no footer.
Result<EditedCapture> truncate(const CaptureExports& exports) {
  EditedCapture out;
  const Frame& last = exports.frames.back();
  const size_t size = last.body.size() + (exports.native ? encode_frame_head(last).size() : 0);
  out.cut_bytes = size - size / 2 + (exports.native ? kCaptureFooterBytes : 1);
  out.description = fmt::format("truncate: {} bytes off the end", out.cut_bytes);
  return out;
}

}  // namespace

const std::vector<std::string>& edit_names() {
  static const std::vector<std::string> names{"zero-parent",      "remove-span", "rename-span",    "reparent",
                                              "set-service-name", "set-kind",    "duplicate-span", "conflict-span",
                                              "truncate",         "drop-frame",  "shift-time"};
  return names;
}

std::optional<SpanKind> parse_kind(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (int kind = 0; kind <= 5; ++kind) {
    if (text == to_string(static_cast<SpanKind>(kind))) return static_cast<SpanKind>(kind);
  }
  return std::nullopt;
}

Result<void> parse_match(const std::string& text, SpanChoice& choice) {
  for (const std::string_view pair : split(text, ',')) {
    const size_t equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (key == "service" && !value.empty()) {
      choice.service = value;
    } else if (key == "name" && !value.empty()) {
      choice.name = value;
    } else if (key == "kind" && parse_kind(value)) {
      choice.kind = parse_kind(value);
    } else {
      return fail(ErrorKind::kUsage, "bad --match part " + printable(pair), "",
                  "write service=S,name=N,kind=server|client|internal");
    }
  }
  return {};
}

Result<EditedCapture> edit_capture(CaptureExports& exports, const CaptureEdit& edit) {
  if (const auto checked = check_arguments(edit); !checked) return tl::unexpected<Error>(checked.error());
  if (exports.frames.empty()) return fail(ErrorKind::kUsage, "the capture has no exports to edit");
  if (edit.edit == "truncate") return truncate(exports);
  if (edit.edit == "drop-frame" && edit.frame) {
    if (*edit.frame >= exports.frames.size())
      return fail(ErrorKind::kUsage, fmt::format("there is no frame {}", *edit.frame));
    return drop_frame(exports, *edit.frame);
  }
  EditedCapture out;
  uint64_t seen = 0;
  for (size_t index = 0; index < exports.frames.size(); ++index) {
    std::vector<Span> spans;
    if (const auto decoded = decode_export(exports, index, spans); !decoded)
      return tl::unexpected<Error>(decoded.error());
    bool changed = false;
    for (size_t at = spans.size(); at > 0; --at) {  // backwards: what an edit inserts or removes lies behind
      if (!edit.choice.all) break;
      if (!matches(edit.choice, spans[at - 1])) continue;
      change_span(edit, *exports.arena, spans, at - 1);
      ++out.spans_changed;
      changed = true;
    }
    for (size_t at = 0; at < spans.size() && !edit.choice.all && out.spans_changed == 0; ++at) {
      if (!matches(edit.choice, spans[at]) || seen++ != edit.choice.nth) continue;
      if (edit.edit == "drop-frame") return drop_frame(exports, index);
      out.description = fmt::format("{}: span {} of trace {} in frame {}: {} {}", edit.edit, to_hex(spans[at].span_id),
                                    to_hex(spans[at].trace_id), exports.frames[index].sequence,
                                    to_string(spans[at].kind), printable(spans[at].name));
      change_span(edit, *exports.arena, spans, at);
      ++out.spans_changed;
      changed = true;
      break;
    }
    if (changed) encode_export(exports, index, spans);
  }
  if (out.spans_changed == 0) {
    return fail(ErrorKind::kUsage, "no span matches",
                fmt::format("{} matched the conditions, --nth is {}", seen, edit.choice.nth));
  }
  if (out.description.empty()) out.description = fmt::format("{}: {} spans", edit.edit, out.spans_changed);
  return out;
}

}  // namespace hopcheck::store
