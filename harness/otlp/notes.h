// Keeps the first few notes of a decoding and counts the rest.
#pragma once

#include <string>

#include "otlp/decode.h"

namespace hopcheck::otlp {

inline constexpr size_t kMaxNotes = 16;

// `text` is built only while it is going to be kept.
template <class MakeText>
void add_note(DecodeNotes& notes, NoteKind kind, MakeText make_text) {
  ++notes.note_count;
  ++notes.by_kind[static_cast<size_t>(kind)];
  if (notes.notes.size() < kMaxNotes) notes.notes.push_back(make_text());
}

// What was wrong with a span's ids. A malformed id has the wrong length, or is not hex.
enum class IdForm : uint8_t { kValid, kEmpty, kZero, kMalformed };

inline std::string describe_ids(IdForm trace, IdForm id, IdForm parent) {
  static constexpr const char* kForms[] = {"", "missing", "all zero", "malformed"};
  std::string out = "invalid id";
  const auto add = [&](const char* name, IdForm form) {
    if (form == IdForm::kValid) return;
    out += std::string(": ") + name + " " + kForms[static_cast<size_t>(form)];
  };
  add("trace id", trace);
  add("span id", id);
  if (parent == IdForm::kMalformed) add("parent span id", parent);
  return out;
}

// Bounds on what one body may decode to, about half a gigabyte: a span costs two bytes on the wire when it is empty,
// and three hundred in memory. Real ones (Envoy's have a kilobyte) meet kMaxBodyBytes first.
inline constexpr size_t kMaxSpansPerBody = 1u << 20;
inline constexpr size_t kMaxAttributesPerBody = 4u << 20;

}  // namespace hopcheck::otlp
