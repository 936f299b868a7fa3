// Writes JSON text and nothing else: keys in the order of the calls, so that equal values give equal bytes.
// Numbers from 2^53 on are written as decimal strings, since many readers hold numbers as doubles.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/finding.h"

namespace hopcheck::report {

// The archive that json_fields.h describes types to; JsonReader is its twin.
class JsonWriter {
 public:
  template <class T>
  using Ref = const T&;
  static constexpr bool kReads = false;

  // Containers nested less than `line_depth` levels deep put each element on its own line.
  explicit JsonWriter(int line_depth) : line_depth_(line_depth) {}
  std::string take() { return std::move(out_); }

  template <class T>
  void root(const T& value) {
    write(value);
  }
  template <class T>
  void field(const char* name, const T& value) {
    key(name);
    write(value);
  }
  void unix_nanos(const char* name, int64_t value) { field(name, std::to_string(value)); }
  void maybe_text(const char* name, const std::string& value) {  // "" is written as null
    field(name, value.empty() ? std::optional<std::string>() : value);
  }
  template <class Body>
  void object(const char* name, Body body) {
    key(name);
    open('{');
    body(*this);
    close('}');
  }

 private:
  void write(std::string_view value);
  void write(const std::string& value) { write(std::string_view(value)); }
  void write(bool value) { out_ += value ? "true" : "false"; }
  void write(int value) { write(static_cast<int64_t>(value)); }
  void write(int64_t value);
  void write(uint64_t value);
  void write(double value);
  void write(Verdict value) { write(std::string_view(to_string(value))); }
  template <size_t N>
  void write(const IdBytes<N>& id) {
    write(std::string_view(id.is_zero() ? std::string() : to_hex(id)));
  }
  template <class T>
  void write(const std::optional<T>& value) {
    if (value) {
      write(*value);
    } else {
      out_ += "null";
    }
  }
  void write(const std::pair<std::string, std::string>& value) {
    out_ += '[';
    write(value.first);
    out_ += ',';
    write(value.second);
    out_ += ']';
  }
  template <class T>
  void write(const std::vector<T>& list) {
    open('[');
    for (const T& item : list) {
      next();
      write(item);
    }
    close(']');
  }
  template <class T>
  void write(const T& value) {  // a struct that json_fields.h describes
    open('{');
    fields(*this, value);
    close('}');
  }
  void key(const char* name);
  void next();  // comma and line break before an element
  void open(char bracket);
  void close(char bracket);

  std::string out_;
  int line_depth_;
  int depth_ = 0;
  bool first_ = true;
};

}  // namespace hopcheck::report
