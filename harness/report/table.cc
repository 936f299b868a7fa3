#include "report/table.h"

#include <algorithm>

#include "report/utf8.h"

namespace hopcheck::report {

std::string in_tone(const std::string& text, Tone tone) {
  switch (tone) {
    case Tone::kGood: return "\x1b[32m" + text + "\x1b[0m";
    case Tone::kBad: return "\x1b[1;31m" + text + "\x1b[0m";
    case Tone::kUnsure: return "\x1b[33m" + text + "\x1b[0m";
    case Tone::kFaint: return "\x1b[2m" + text + "\x1b[0m";
    case Tone::kPlain: break;
  }
  return text;
}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::render(const Style& style) const {
  constexpr size_t kGap = 2;
  std::vector<size_t> widths;
  size_t total = style.indent.size();
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t width = columns(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, columns(row[c].text));
    widths.push_back(width);
    total += width + (c > 0 ? kGap : 0);
  }
  if (!widths.empty() && total > style.width) {
    const size_t least = std::min(widths[0], style.width / 3);
    widths[0] -= std::min(widths[0] - least, total - style.width);
  }
  std::string out;
  const auto put = [&](size_t c, const std::string& text, Tone tone) {
    const std::string shown = cut_columns(text, widths[c]);
    const std::string pad(widths[c] - columns(shown), ' ');
    const bool right = columns_[c].align == Align::kRight;
    const std::string cell = style.color ? in_tone(shown, tone) : shown;
    out += c > 0 ? std::string(kGap, ' ') : style.indent;
    out += right ? pad + cell : cell + pad;
  };
  const auto end_line = [&] {
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  };
  for (size_t c = 0; c < columns_.size(); ++c) put(c, columns_[c].title, Tone::kFaint);
  end_line();
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c) put(c, row[c].text, row[c].tone);
    end_line();
  }
  return out;
}

}  // namespace hopcheck::report
