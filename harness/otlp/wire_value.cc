#include "otlp/wire_value.h"

#include <cstring>

#include "otlp/json_text.h"
#include "otlp/utf8.h"
#include "otlp/wire.h"

namespace hopcheck::otlp {

namespace {
// AnyValue's oneof.
enum : uint32_t { kStringValue = 1, kBoolValue, kIntValue, kDoubleValue, kArrayValue, kKvlistValue, kBytesValue };
}  // namespace

bool WireValues::merge_value(std::string_view message, AnyValue& value) {
  using Type = AnyValue::Type;
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    const uint32_t number = field.number;
    if (number < kStringValue || number > kBytesValue) continue;
    const bool right_type = number == kBoolValue || number == kIntValue ? field.is_varint()
                            : number == kDoubleValue                    ? field.is_fixed64()
                                                                        : field.is_bytes();
    if (!right_type) return bad("AnyValue field with a wrong wire type", reader.position());
    switch (number) {
      case kStringValue:
        value.type = Type::kString;
        value.text = field.bytes;
        invalid_utf8_ |= !is_utf8(field.bytes);
        break;
      case kBoolValue:
        value.type = Type::kBool;
        value.integer = 0;
        value.boolean = field.value != 0;
        break;
      case kIntValue:
        value.type = Type::kInt;
        value.integer = static_cast<int64_t>(field.value);
        break;
      case kDoubleValue:
        value.type = Type::kDouble;
        std::memcpy(&value.real, &field.value, 8);
        break;
      case kBytesValue:
        value.type = Type::kBytes;
        value.text = field.bytes;
        break;
      default: {
        const Type type = number == kArrayValue ? Type::kArray : Type::kKvlist;
        if (value.type != type) chunks_.clear();  // another member of the oneof was set before
        value.type = type;
        chunks_.push_back(field.bytes);
      }
    }
  }
  return reader.error() == nullptr || bad(reader.error(), reader.position());
}

bool WireValues::scan_key_value(std::string_view message, Attribute& out) {
  out = Attribute{};
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 2) continue;
    if (!field.is_bytes()) return bad("KeyValue field with a wrong wire type", reader.position());
    if (field.number == 1) {
      out.key = field.bytes;
      invalid_utf8_ |= !is_utf8(field.bytes);
    } else if (!merge_value(field.bytes, out.value)) {
      return false;
    }
  }
  return reader.error() == nullptr || bad(reader.error(), reader.position());
}

bool WireValues::key_value(std::string_view message, Attribute& out) {
  if (!scan_key_value(message, out)) return false;
  if (out.value.type != AnyValue::Type::kArray && out.value.type != AnyValue::Type::kKvlist) return true;
  std::string text;
  if (!render(out.value.type, text)) return false;
  out.value.text = arena_.copy(text);
  return true;
}

bool WireValues::join_chunks(std::string_view& joined) {
  if (chunks_.size() == 1) {
    joined = chunks_[0];
    return true;
  }
  size_t size = 0;
  for (const std::string_view chunk : chunks_) size += chunk.size();
  if (size > join_budget_) return bad("too many repeated singular fields", chunks_[0].data());
  join_budget_ -= size;
  char* data = size > 0 ? arena_.bytes(size) : nullptr;
  joined = {data, size};
  for (const std::string_view chunk : chunks_) {
    if (chunk.empty()) continue;
    std::memcpy(data, chunk.data(), chunk.size());
    data += chunk.size();
  }
  return true;
}

bool WireValues::open_container(AnyValue::Type type, std::string& out, std::vector<Level>& stack) {
  Level level;
  level.kvlist = type == AnyValue::Type::kKvlist;
  if (!join_chunks(level.rest)) return false;
  if (stack.size() == static_cast<size_t>(kMaxDepth)) return bad("too deep", level.rest.data());
  out += level.kvlist ? "{\"kvlistValue\":{\"values\":[" : "{\"arrayValue\":{\"values\":[";
  stack.push_back(level);
  return true;
}

// Writes the next item of the innermost container, or opens it when it is a container, or closes the level.
bool WireValues::next_item(Level& level, std::string& out, std::vector<Level>& stack) {
  WireReader reader(level.rest);
  WireField field;
  while (reader.next(field)) {
    if (field.number != 1) continue;
    if (!field.is_bytes()) return bad("list item with a wrong wire type", reader.position());
    const char* end = level.rest.data() + level.rest.size();
    level.rest = {reader.position(), static_cast<size_t>(end - reader.position())};
    if (!level.first) out += ',';
    level.first = false;
    Attribute item;
    if (level.kvlist) {
      if (!scan_key_value(field.bytes, item)) return false;
      out += "{\"key\":\"";
      append_escaped(out, item.key);
      out += "\",\"value\":";
    } else if (!merge_value(field.bytes, item.value)) {
      return false;
    }
    const bool kvlist = level.kvlist;  // open_container may move `level`
    if (item.value.type == AnyValue::Type::kArray || item.value.type == AnyValue::Type::kKvlist) {
      return open_container(item.value.type, out, stack);
    }
    append_any_value(out, item.value);
    if (kvlist) out += '}';
    return out.size() <= kMaxValueText || bad("nested value too large", field.bytes.data());
  }
  if (reader.error() != nullptr) return bad(reader.error(), reader.position());
  stack.pop_back();
  out += "]}}";
  if (!stack.empty() && stack.back().kvlist) out += '}';
  return true;
}

bool WireValues::render(AnyValue::Type type, std::string& out) {
  std::vector<Level> stack;
  stack.reserve(4);
  if (!open_container(type, out, stack)) return false;
  while (!stack.empty()) {
    if (!next_item(stack.back(), out, stack)) return false;
  }
  return true;
}

}  // namespace hopcheck::otlp
