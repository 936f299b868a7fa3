#include "otelcol/edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace hopcheck::otelcol {
namespace {

constexpr size_t kAround = 3;  // lines of context

enum class Side { kOld, kNew };

}  // namespace

Edits::Edits(std::string_view text) {
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    const size_t whole = newline == std::string_view::npos ? text.size() : newline + 1;
    size_t bare = newline == std::string_view::npos ? text.size() : newline;
    if (newline != std::string_view::npos && bare > 0 && text[bare - 1] == '\r') --bare;
    lines_.push_back({text.substr(0, bare), text.substr(bare, whole - bare), {}, {}});
    text.remove_prefix(whole);
  }
}

std::string_view Edits::at(const Place& place) const {
  if (place.line < 1 || place.column < 1 || static_cast<size_t>(place.line) > lines_.size()) return {};
  const std::string_view line = lines_[static_cast<size_t>(place.line) - 1].old_text;
  return line.substr(std::min(line.size(), static_cast<size_t>(place.column) - 1));
}

bool Edits::replace(const Place& place, std::string_view old_text, std::string_view new_text) {
  if (!at(place).starts_with(old_text)) return false;
  if (place.line < 1 || static_cast<size_t>(place.line) > lines_.size()) return false;
  Line& line = lines_[static_cast<size_t>(place.line) - 1];
  const size_t begin = static_cast<size_t>(place.column) - 1;
  if (begin > line.old_text.size()) return false;
  for (const Cut& cut : line.cuts) {
    if (begin < cut.begin + std::max<size_t>(cut.length, 1) && cut.begin < begin + std::max<size_t>(old_text.size(), 1))
      return false;
  }
  line.cuts.push_back({begin, old_text.size(), std::string(new_text)});
  return true;
}

void Edits::insert_line(int after, std::string_view line) {
  if (after >= 1 && static_cast<size_t>(after) <= lines_.size())
    lines_[static_cast<size_t>(after) - 1].behind.emplace_back(line);
}

std::string Edits::edited(const Line& line) {
  std::vector<Cut> cuts = line.cuts;
  std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.begin < b.begin; });
  std::string out;
  size_t from = 0;
  for (const Cut& cut : cuts) {
    out += line.old_text.substr(from, cut.begin - from);
    out += cut.by;
    from = cut.begin + cut.length;
  }
  return out.append(line.old_text.substr(from));
}

bool Edits::changed() const {
  return std::any_of(lines_.begin(), lines_.end(), [](const Line& l) { return !l.cuts.empty() || !l.behind.empty(); });
}

std::string Edits::text() const {
  std::string out;
  for (const Line& line : lines_) {
    out += edited(line);
    // A last line without an end gets one only where something follows it.
    const std::string_view end = line.end.empty() ? "\n" : line.end;
    for (const std::string& more : line.behind) out.append(end).append(more);
    out.append(line.end);
  }
  return out;
}

std::string Edits::diff(const std::string& old_name, const std::string& new_name,
                        const std::vector<Place>& hide) const {
  if (!changed()) return "";
  std::map<size_t, size_t> hidden;  // line → the first column
  for (const Place& place : hide) {
    if (place.line < 1 || place.column < 1) continue;
    const size_t line = static_cast<size_t>(place.line) - 1, column = static_cast<size_t>(place.column) - 1;
    const auto found = hidden.emplace(line, column).first;
    found->second = std::min(found->second, column);
  }
  const auto touched = [&](size_t i) { return !lines_[i].cuts.empty() || !lines_[i].behind.empty(); };
  const auto shown = [&](size_t i, std::string text, Side side) {
    const auto from = hidden.find(i);
    if (from == hidden.end()) return text + "\n";
    size_t column = from->second;
    for (const Cut& cut : lines_[i].cuts) {
      if (side == Side::kNew && cut.begin < from->second) column += cut.by.size() - cut.length;
    }
    return text.substr(0, std::min(column, text.size())) + "[hidden]\n";
  };
  std::string out = fmt::format("--- {}\n+++ {}\n", old_name, new_name);
  size_t before = 0;  // lines that were inserted so far
  for (size_t i = 0; i < lines_.size();) {
    if (!touched(i)) {
      ++i;
      continue;
    }
    const size_t first = i < kAround ? 0 : i - kAround;
    size_t last = i;  // the last touched line of this hunk
    for (size_t j = i; j < lines_.size() && j <= last + 2 * kAround; ++j) {
      if (touched(j)) last = j;
    }
    const size_t end = std::min(lines_.size(), last + kAround + 1);
    std::string body;
    size_t added = 0;
    for (size_t j = first; j < end; ++j) {
      const std::string old_text(lines_[j].old_text);
      const std::string new_text = edited(lines_[j]);
      if (old_text == new_text) body += " " + shown(j, old_text, Side::kOld);
      else body += "-" + shown(j, old_text, Side::kOld) + "+" + shown(j, new_text, Side::kNew);
      for (const std::string& more : lines_[j].behind) body += "+" + more + "\n";
      added += lines_[j].behind.size();
    }
    out += fmt::format("@@ -{},{} +{},{} @@\n", first + 1, end - first, first + 1 + before, end - first + added);
    out += body;
    before += added;
    i = end;
  }
  return out;
}

}  // namespace hopcheck::otelcol
