#include "report/html_drawing.h"

#include <algorithm>

#include "report/utf8.h"

namespace hopcheck::report {
namespace {

// The colour class of a span: apps and proxies differ, what is wrong stands out.
const char* bar_class(const ExhibitSpan& span) {
  if (span.state == "missing") return "bar missing";
  if (span.state == "unexpected") return "bar extra";
  if (!span.defect.empty() || span.state == "defect") return "bar wrong";
  return span.role == "app" ? "bar app" : "bar";
}

// What the row says in words beside its colour.
std::string state_word(const ExhibitSpan& span) {
  if (span.state == "missing") return "missing";
  if (span.state == "unexpected") return "extra";
  return span.defect;
}

Html hatched(const Interval& bar, double y) {
  Html out;
  out.put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"11\" rx=\"2.5\" fill=\"url(#hatch)\"/>", bar.from,
          y, std::max(2.0, bar.to - bar.from));
  return out;
}

}  // namespace

Geometry geometry(int width, const std::vector<TreeRow>& rows) {
  int deepest = 1;
  for (const TreeRow& row : rows) deepest = std::max(deepest, row.depth);
  Geometry g;
  g.width = width;
  g.bars_from = kLabels + 6;
  g.bars_to = width - kPad;
  g.step = std::min(11.0, 130.0 / deepest);
  return g;
}

double indent(const Geometry& g, int depth) { return kPad + 6 + g.step * depth; }

const char* dot_class(const ExhibitSpan& span) {
  if (span.state != "matched") return "dot wrong";
  return span.role == "app" ? "dot app" : "dot";
}

Html label(const Geometry& g, const TreeRow& row, const ExhibitSpan& span, double top) {
  const double x = indent(g, row.depth) + 9, room = kLabels - x;
  constexpr double kServiceChar = 6.6, kKindChar = 6.4, kMonoChar = 6.05;
  const auto fit = [](double pixels, double per_char) { return static_cast<size_t>(std::max(4.0, pixels / per_char)); };
  const std::string kind = cut_columns(span.kind, 11), word = cut_columns(state_word(span), 12);
  const double kind_width = kKindChar * static_cast<double>(columns(kind)) + 9;
  const double word_width = word.empty() ? 0 : 7.2 * static_cast<double>(columns(word)) + 8;
  Html out;
  out.put(
      "<text x=\"{:.1f}\" y=\"{:.1f}\"><tspan class=\"svc\">{}</tspan> <tspan class=\"soft\" "
      "dx=\"3\">{}</tspan></text>",
      x, top + 14, cut_columns(span.service_name, fit(room - kind_width, kServiceChar)), kind);
  if (!word.empty()) out.put("<text class=\"alarm\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", x, top + 27, word);
  out.put("<text class=\"mono\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", x + word_width, top + 27,
          cut_columns(span.name, fit(room - word_width, kMonoChar)));
  return out;
}

Html connector(const Geometry& g, const TreeRow& row, const TreeRow& parent, double parent_y, double y) {
  const double px = indent(g, parent.depth), x = indent(g, row.depth);
  Html out;
  out.put("<path class=\"{}\" d=\"M{:.1f} {:.1f}V{:.1f}H{:.1f}\"/>", row.broken ? "cut" : "link", px, parent_y + 4, y,
          x - 3);
  if (row.broken) {
    const double cy = (parent_y + y) / 2;
    out.put("<path class=\"cross\" d=\"M{:.1f} {:.1f}l8 8m0 -8l-8 8\"/>", px - 4, cy - 4);
  }
  return out;
}

Html bar(const ExhibitSpan& span, const Interval& at, double y) {
  Html out;
  if (span.state == "unexpected") out.add(hatched(at, y));
  out.put("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"11\" rx=\"2.5\"/>", bar_class(span),
          at.from, y, std::max(2.0, at.to - at.from));
  return out;
}

}  // namespace hopcheck::report
