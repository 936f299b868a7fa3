#include "testing/tidy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace hopcheck::testing {
namespace {

constexpr size_t kColumns = 120;
constexpr int kFileLines = 400, kTestLines = 800, kFunctionLines = 70;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

// Columns as a reader counts them: one per code point.
size_t columns(std::string_view line) {
  return static_cast<size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

bool has_word(std::string_view line, std::string_view word) {
  for (size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const bool starts = at == 0 || !is_word(line[at - 1]);
    const bool ends = at + word.size() == line.size() || !is_word(line[at + word.size()]);
    if (starts && ends) return true;
  }
  return false;
}

// A place that exists on one machine only. A path character before it makes it a part of a longer path, which is fine.
bool has_machine_path(std::string_view line) {
  static constexpr std::array<std::string_view, 4> kPlaces = {"/work" "/", "/root" "/", "/home" "/", "/farm" "/"};
  for (const std::string_view place : kPlaces) {
    const size_t at = line.find(place);
    if (at == std::string_view::npos) continue;
    if (at == 0 || (!is_word(line[at - 1]) && line[at - 1] != '.' && line[at - 1] != '-' && line[at - 1] != '}')) {
      return true;
    }
  }
  return false;
}

// Spelled in two parts so that this file does not trip over itself.
constexpr std::array<std::string_view, 3> kUnfinished = {"TO" "DO", "FIX" "ME", "XX" "X"};

// Lines that a raw string literal covers, from 0: recorded text, which cannot be broken.
std::vector<bool> raw_string_lines(std::string_view text, size_t lines) {
  std::vector<bool> out(lines, false);
  size_t line = 0, counted = 0;
  const auto line_of = [&](size_t position) {
    line += static_cast<size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(counted),
                                           text.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
    counted = position;
    return line;
  };
  for (size_t start = text.find("R\""); start != std::string_view::npos;) {
    const size_t open = text.find('(', start);
    const bool own_word = start == 0 || !is_word(text[start - 1]);
    const bool literal = own_word && open != std::string_view::npos && open - start <= 18;  // delimiter: 16 at most
    if (!literal) {
      start = text.find("R\"", start + 2);
      continue;
    }
    const std::string close = ")" + std::string(text.substr(start + 2, open - start - 2)) + "\"";
    const size_t end = std::min(text.find(close, open), text.size() - 1);
    const size_t first = line_of(start), last = line_of(end);
    for (size_t i = first; i <= last && i < lines; ++i) out[i] = true;
    start = text.find("R\"", end + 1);
  }
  return out;
}

std::string at(std::string_view path, size_t line, std::string_view what) {
  return fmt::format("{}:{}: {}", path, line, what);
}

bool is_markdown(std::string_view path) { return path.ends_with(".md"); }

// Rows of a table, and string literals that go on from the line before, are data: they do not make a function longer.
bool is_table_row(std::string_view line) {
  const size_t first = line.find_first_not_of(' ');
  return first != std::string_view::npos && first > 2 && (line[first] == '{' || line[first] == '"');
}

// Functions are told by the house's own format: a line at the margin (or two deep, in a class) that ends in "{" and has
// a ")" opens one, the next "}" at the same depth closes it.
void function_lengths(std::string_view path, const std::vector<std::string_view>& lines,
                      std::vector<std::string>& out) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  for (const std::string_view indent : {std::string_view(""), std::string_view("  ")}) {
    size_t open = kNone;
    for (size_t i = 0; i < lines.size(); ++i) {
      std::string_view line = lines[i];
      if (!line.starts_with(indent)) continue;
      line.remove_prefix(indent.size());
      if (line.empty() || line.front() == ' ') continue;
      if (open == kNone && line.ends_with("{") && line.find(')') != std::string_view::npos &&
          !line.starts_with("namespace")) {
        open = i;
      } else if (open != kNone && line.starts_with("}")) {
        const int length = static_cast<int>(std::count_if(lines.begin() + static_cast<std::ptrdiff_t>(open),
                                                          lines.begin() + static_cast<std::ptrdiff_t>(i + 1),
                                                          [](std::string_view l) { return !is_table_row(l); }));
        if (length > kFunctionLines) {
          out.push_back(at(path, open + 1, fmt::format("function of {} lines, {} at most", length, kFunctionLines)));
        }
        open = kNone;
      }
    }
  }
}

}  // namespace

std::vector<std::string> text_violations(std::string_view path, std::string_view text) {
  std::vector<std::string> out;
  if (!text.empty() && text.back() != '\n') out.push_back(at(path, lines_of(text).size(), "no newline at the end"));
  const bool tabs_allowed = path.ends_with("Makefile") || path.ends_with("LICENSE");
  const std::vector<std::string_view> lines = lines_of(text);
  const bool cpp = path.ends_with(".cc") || path.ends_with(".h");
  const std::vector<bool> raw = cpp ? raw_string_lines(text, lines.size()) : std::vector<bool>(lines.size(), false);
  size_t number = 0;
  for (const std::string_view line : lines) {
    ++number;
    if (!tabs_allowed && line.find('\t') != std::string_view::npos) out.push_back(at(path, number, "tab"));
    if (!line.empty() && (line.back() == ' ' || line.back() == '\r')) {
      out.push_back(at(path, number, "blank at the end of the line"));
    }
    if (!is_markdown(path) && !raw[number - 1] && columns(line) > kColumns) {
      out.push_back(at(path, number, fmt::format("{} columns, {} at most", columns(line), kColumns)));
    }
    for (const std::string_view mark : kUnfinished) {
      if (has_word(line, mark)) out.push_back(at(path, number, fmt::format("\"{}\": finish it or file it", mark)));
    }
    if (has_machine_path(line)) out.push_back(at(path, number, "path of one machine"));
  }
  return out;
}

std::vector<std::string> cpp_violations(std::string_view path, std::string_view text) {
  std::vector<std::string> out;
  const std::vector<std::string_view> lines = lines_of(text);
  const int most = path.ends_with("_test.cc") ? kTestLines : kFileLines;
  if (static_cast<int>(lines.size()) > most) {
    out.push_back(at(path, lines.size(), fmt::format("{} lines, {} at most", lines.size(), most)));
  }
  if (path.ends_with(".h")) {
    if (lines.empty() || !lines[0].starts_with("//")) out.push_back(at(path, 1, "header without a head comment"));
    if (std::find(lines.begin(), lines.end(), "#pragma once") == lines.end()) {
      out.push_back(at(path, 1, "header without #pragma once"));
    }
  }
  function_lengths(path, lines, out);
  return out;
}

std::vector<std::string> relative_links(std::string_view text) {
  std::vector<std::string> out;
  for (size_t i = text.find("]("); i != std::string_view::npos; i = text.find("](", i + 2)) {
    const size_t end = text.find(')', i);
    if (end == std::string_view::npos) break;
    std::string_view target = text.substr(i + 2, end - i - 2);
    target = target.substr(0, target.find('#'));
    if (!target.empty() && target.find("://") == std::string_view::npos) out.emplace_back(target);
  }
  return out;
}

std::vector<std::string> rule_codes(std::string_view text) {
  std::vector<std::string> out;
  for (size_t i = text.find("HOP"); i != std::string_view::npos; i = text.find("HOP", i + 3)) {
    const std::string_view code = text.substr(i, 7);
    const bool digits = code.size() == 7 && std::all_of(code.begin() + 3, code.end(), [](char c) {
                          return c >= '0' && c <= '9';
                        });
    if (!digits || (i > 0 && is_word(text[i - 1])) || (i + 7 < text.size() && is_word(text[i + 7]))) continue;
    if (std::find(out.begin(), out.end(), code) == out.end()) out.emplace_back(code);
  }
  return out;
}

}  // namespace hopcheck::testing
