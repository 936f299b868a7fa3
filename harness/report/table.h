// Plain-text tables: columns as wide as their widest cell, text to the left and numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace hopcheck::report {

enum class Tone : unsigned char { kPlain, kGood, kBad, kUnsure, kFaint };
// Wraps text in the tone's ANSI colour.
std::string in_tone(const std::string& text, Tone tone);

struct Cell {
  std::string text;  // already safe to print
  Tone tone = Tone::kPlain;
};

class Table {
 public:
  enum class Align : unsigned char { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row);  // missing cells are empty, surplus ones dropped
  bool empty() const { return rows_.empty(); }

  struct Style {
    bool color = false;
    size_t width = 100;  // of the whole table; the first column gives way down to a third of it
    std::string indent;
  };
  std::string render(const Style& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace hopcheck::report
