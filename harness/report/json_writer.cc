#include "report/json_writer.h"

#include <fmt/format.h>

#include "report/utf8.h"

namespace hopcheck::report {
namespace {

constexpr uint64_t kFirstUnsafe = 1ull << 53;

void escape_into(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const Utf8Char front = utf8_front(text);
    if (front.bytes == 0) {
      out += "\xef\xbf\xbd";  // U+FFFD
      text.remove_prefix(1);
      continue;
    }
    switch (front.point) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (front.point < 0x20 || front.point == 0x7f || front.point == 0x2028 || front.point == 0x2029) {
          out += fmt::format("\\u{:04x}", front.point);
        } else {
          out += text.substr(0, front.bytes);
        }
    }
    text.remove_prefix(front.bytes);
  }
}

}  // namespace

void JsonWriter::write(std::string_view value) {
  out_ += '"';
  escape_into(out_, value);
  out_ += '"';
}

void JsonWriter::write(int64_t value) {
  const bool safe = value < static_cast<int64_t>(kFirstUnsafe) && value > -static_cast<int64_t>(kFirstUnsafe);
  out_ += safe ? std::to_string(value) : '"' + std::to_string(value) + '"';
}

void JsonWriter::write(uint64_t value) {
  out_ += value < kFirstUnsafe ? std::to_string(value) : '"' + std::to_string(value) + '"';
}

// The shortest text that reads back as the same number; JSON has no infinities.
void JsonWriter::write(double value) { out_ += value - value == 0 ? fmt::format("{}", value) : "null"; }

void JsonWriter::key(const char* name) {
  next();
  write(std::string_view(name));
  out_ += depth_ <= line_depth_ ? ": " : ":";
}

void JsonWriter::next() {
  if (!first_) out_ += ',';
  first_ = false;
  if (depth_ <= line_depth_) out_ += '\n' + std::string(static_cast<size_t>(depth_), ' ');
}

void JsonWriter::open(char bracket) {
  out_ += bracket;
  ++depth_;
  first_ = true;
}

void JsonWriter::close(char bracket) {
  --depth_;
  if (!first_ && depth_ < line_depth_) out_ += '\n' + std::string(static_cast<size_t>(depth_), ' ');
  out_ += bracket;
  first_ = false;
}

}  // namespace hopcheck::report
