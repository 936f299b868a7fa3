#include "otlp/json_value.h"

#include <protozero/pbf_writer.hpp>
#include <simdjson.h>

#include <optional>
#include <vector>

#include "model/span.h"
#include "otlp/decode.h"
#include "otlp/json_text.h"
#include "otlp/wire_value.h"

namespace hopcheck::otlp {

namespace {

namespace dom = simdjson::dom;

// One parser per thread: allocating it costs more than the small values it reads.
dom::parser& value_parser() {
  thread_local dom::parser parser;
  return parser;
}

const char* parse(std::string_view json, dom::element& out) {
  dom::parser& parser = value_parser();
  if (parser.capacity() < json.size() || parser.max_depth() != kMaxJsonDepth) {
    if (parser.allocate(json.size() + 64, kMaxJsonDepth) != simdjson::SUCCESS) return "no memory";
  }
  const simdjson::error_code code = parser.parse(json.data(), json.size(), true).get(out);
  if (code == simdjson::DEPTH_ERROR) return "too deep";
  return code == simdjson::SUCCESS ? nullptr : simdjson::error_message(code);
}

// What an AnyValue object says: a scalar in `value` (text owned by `storage` or the parser), or a list.
struct Read {
  AnyValue value;
  std::string storage;
  dom::array items;
};

std::optional<int64_t> integer_of(dom::element element) {
  if (int64_t value = 0; element.get(value) == simdjson::SUCCESS) return value;
  if (std::string_view text; element.get(text) == simdjson::SUCCESS) return parse_int64(text);
  return std::nullopt;
}

std::optional<double> double_of(dom::element element) {
  if (double value = 0; element.get(value) == simdjson::SUCCESS) return value;
  if (std::string_view text; element.get(text) == simdjson::SUCCESS) return parse_double(text);
  return std::nullopt;
}

const char* list_of(dom::element element, dom::array& items, bool& present) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return "a list value must be an object";
  present = false;
  for (const dom::key_value_pair field : object) {
    if (field.key != "values") continue;
    present = field.value.get(items) == simdjson::SUCCESS;
    if (!present && !field.value.is_null()) return "values must be an array";
  }
  return nullptr;
}

// Last member wins; null members are absent. `has_items` tells whether a list value has any list.
const char* read_value(dom::element element, Read& out, bool& has_items) {
  using Type = AnyValue::Type;
  has_items = false;
  out.value = AnyValue{};
  if (element.is_null()) return nullptr;
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return "a value must be an object";
  for (const dom::key_value_pair field : object) {
    if (field.value.is_null()) continue;
    AnyValue& value = out.value;
    if (field.key == "stringValue") {
      if (field.value.get(value.text) != simdjson::SUCCESS) return "stringValue must be a string";
      value.type = Type::kString;
    } else if (field.key == "boolValue") {
      bool boolean = false;
      if (field.value.get(boolean) != simdjson::SUCCESS) return "boolValue must be true or false";
      value.type = Type::kBool;
      value.boolean = boolean;
    } else if (field.key == "intValue") {
      const std::optional<int64_t> integer = integer_of(field.value);
      if (!integer) return "intValue must be a 64-bit integer";
      value.type = Type::kInt;
      value.integer = *integer;
    } else if (field.key == "doubleValue") {
      const std::optional<double> real = double_of(field.value);
      if (!real) return "doubleValue must be a number";
      value.type = Type::kDouble;
      value.real = *real;
    } else if (field.key == "bytesValue") {
      std::string_view text;
      std::optional<std::string> bytes;
      if (field.value.get(text) == simdjson::SUCCESS) bytes = parse_base64(text);
      if (!bytes) return "bytesValue must be base64";
      out.storage = std::move(*bytes);
      value.type = Type::kBytes;
      value.text = out.storage;
    } else if (field.key == "arrayValue" || field.key == "kvlistValue") {
      if (const char* why = list_of(field.value, out.items, has_items)) return why;
      value.type = field.key == "arrayValue" ? Type::kArray : Type::kKvlist;
    }
  }
  return nullptr;
}

bool is_list(AnyValue::Type type) { return type == AnyValue::Type::kArray || type == AnyValue::Type::kKvlist; }

const char* read_key_value(dom::element element, std::string_view& key, dom::element& value, bool& has_value) {
  key = {};
  has_value = false;
  if (element.is_null()) return nullptr;
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return "a list item must be an object";
  for (const dom::key_value_pair field : object) {
    if (field.key == "key" && !field.value.is_null()) {
      if (field.value.get(key) != simdjson::SUCCESS) return "key must be a string";
    } else if (field.key == "value") {
      value = field.value;
      has_value = true;
    }
  }
  return nullptr;
}

// Walks a value without recursion and tells a writer what it meets:
// open(kvlist), key(text), scalar(value), close(kvlist) and end_item(), which follows each item of a list.
template <class Writer>
const char* walk(dom::element root, Writer& writer) {
  struct Level {
    dom::array::iterator at, end;
    bool kvlist = false;
  };
  std::vector<Level> stack;
  dom::element element = root;
  bool has_element = true;
  while (true) {
    Read read;
    bool has_items = false;
    if (has_element) {
      if (const char* why = read_value(element, read, has_items)) return why;
    }
    if (is_list(read.value.type)) {
      if (stack.size() == static_cast<size_t>(kMaxDepth)) return "too deep";
      writer.open(read.value.type == AnyValue::Type::kKvlist);
      Level level;
      level.kvlist = read.value.type == AnyValue::Type::kKvlist;
      if (has_items) {
        level.at = read.items.begin();
        level.end = read.items.end();
      }
      stack.push_back(level);
    } else {
      writer.scalar(read.value);
      if (!stack.empty()) writer.end_item(stack.back().kvlist);
    }
    while (!stack.empty() && !(stack.back().at != stack.back().end)) {
      writer.close(stack.back().kvlist);
      stack.pop_back();
      if (!stack.empty()) writer.end_item(stack.back().kvlist);
    }
    if (stack.empty()) return nullptr;
    Level& level = stack.back();
    element = *level.at;
    ++level.at;
    has_element = true;
    if (level.kvlist) {
      std::string_view key;
      if (const char* why = read_key_value(dom::element(element), key, element, has_element)) return why;
      writer.key(key);
    }
    if (writer.too_large()) return "nested value too large";
  }
}

class TextWriter {
 public:
  explicit TextWriter(std::string& out) : out_(out) {}
  void open(bool kvlist) {
    separate();
    out_ += kvlist ? "{\"kvlistValue\":{\"values\":[" : "{\"arrayValue\":{\"values\":[";
    first_ = true;
  }
  void key(std::string_view text) {
    separate();
    out_ += "{\"key\":\"";
    append_escaped(out_, text);
    out_ += "\",\"value\":";
    first_ = true;  // the value needs no comma
  }
  void scalar(const AnyValue& value) {
    separate();
    append_any_value(out_, value);
  }
  void close(bool) { out_ += "]}}"; }
  void end_item(bool kvlist) {
    if (kvlist) out_ += '}';
    first_ = false;
  }
  bool too_large() const { return out_.size() > kMaxValueText; }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  std::string& out_;
  bool first_ = true;
};

// Builds the wire form from the inside out: one string per open message.
class WireWriter {
 public:
  WireWriter() : open_(1) {}
  void open(bool) { open_.emplace_back(); }
  void key(std::string_view text) {
    open_.emplace_back();
    protozero::pbf_writer(open_.back()).add_bytes(1, text.data(), text.size());
  }
  void scalar(const AnyValue& value) {
    std::string encoded;
    protozero::pbf_writer writer(encoded);
    switch (value.type) {
      case AnyValue::Type::kString: writer.add_bytes(1, value.text.data(), value.text.size()); break;
      case AnyValue::Type::kBool: writer.add_bool(2, value.boolean); break;
      case AnyValue::Type::kInt: writer.add_int64(3, value.integer); break;
      case AnyValue::Type::kDouble: writer.add_double(4, value.real); break;
      case AnyValue::Type::kBytes: writer.add_bytes(7, value.text.data(), value.text.size()); break;
      default: break;
    }
    done_ = std::move(encoded);
  }
  void close(bool kvlist) {
    std::string encoded;
    protozero::pbf_writer(encoded).add_message(kvlist ? 6 : 5, open_.back());
    open_.pop_back();
    done_ = std::move(encoded);
  }
  void end_item(bool kvlist) {
    if (kvlist) {
      std::string item = std::move(open_.back());
      open_.pop_back();
      protozero::pbf_writer(item).add_message(2, done_);
      done_ = std::move(item);
    }
    protozero::pbf_writer(open_.back()).add_message(1, done_);
  }
  bool too_large() const { return open_.back().size() > kMaxValueText; }
  std::string take() { return std::move(done_); }

 private:
  std::vector<std::string> open_;
  std::string done_;  // the AnyValue or KeyValue that was finished last
};

}  // namespace

const char* check_json(std::string_view json) {
  dom::element ignored;
  return parse(json, ignored);
}

const char* canonical_value(std::string_view json, std::string& out) {
  dom::element root;
  if (const char* why = parse(json, root)) return why;
  TextWriter writer(out);
  return walk(root, writer);
}

std::string any_value_from_json(std::string_view text) {
  dom::element root;
  if (parse(text, root) != nullptr) return {};
  WireWriter writer;
  return walk(root, writer) == nullptr ? writer.take() : std::string{};
}

}  // namespace hopcheck::otlp
