#include "report/html_waterfall.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/exhibit_view.h"
#include "report/html_drawing.h"
#include "report/html_span_panel.h"

namespace hopcheck::report {
namespace {

// Each span's bar in the skeleton, which has no times: a child lies inside its parent, siblings share it by their
// leaves.
std::vector<Interval> skeleton_intervals(const std::vector<TreeRow>& rows, const Geometry& g) {
  std::vector<int> leaves(rows.size(), 0);
  std::vector<std::vector<size_t>> children(rows.size());
  Interval whole{g.bars_from, g.bars_to};
  std::vector<size_t> roots;
  int deepest = 1;
  for (size_t i = rows.size(); i > 0; --i) {  // preorder backwards: children before parents
    const TreeRow& row = rows[i - 1];
    leaves[i - 1] = std::max(1, leaves[i - 1]);
    deepest = std::max(deepest, row.depth + 1);
    if (row.parent_row >= 0) leaves[static_cast<size_t>(row.parent_row)] += leaves[i - 1];
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].parent_row >= 0) children[static_cast<size_t>(rows[i].parent_row)].push_back(i);
    if (rows[i].parent_row < 0) roots.push_back(i);
  }
  const double inset = std::min(6.0, (whole.to - whole.from - 40) / (2.0 * deepest));
  std::vector<Interval> out(rows.size());
  const auto share = [&](const std::vector<size_t>& list, Interval room) {
    double total = 0, at = room.from;
    for (const size_t i : list) total += leaves[i];
    for (const size_t i : list) {
      const double width = (room.to - room.from) * leaves[i] / total;
      out[i] = {at, std::max(at + 2, at + width - (list.size() > 1 ? 3 : 0))};
      at += width;
    }
  };
  share(roots, whole);
  for (size_t i = 0; i < rows.size(); ++i)
    share(children[i], {out[i].from + inset, std::max(out[i].from + inset + 2, out[i].to - inset)});
  return out;
}

Html skeleton(const Exhibit& exhibit, size_t number) {
  std::vector<TreeRow> rows = expected_rows(exhibit);
  if (rows.size() > kMaxDrawnSpans) rows.resize(kMaxDrawnSpans);
  const Geometry g = geometry(500, rows);
  const std::vector<Interval> bars = skeleton_intervals(rows, g);
  const int height = kHeader + kRow * static_cast<int>(rows.size()) + 4;
  size_t missing = 0;
  for (const ExhibitSpan& span : exhibit.expected) missing += span.state == "missing";
  Html out;
  out.put(
      "<svg class=\"wf\" role=\"img\" viewBox=\"0 0 {0} {1}\" aria-labelledby=\"x{2}et x{2}ed\"><title "
      "id=\"x{2}et\">Expected spans"
      "</title><desc id=\"x{2}ed\">{3} spans in one trace, {4} of them missing; bars show nesting, not time.</desc>",
      g.width, height, number, exhibit.expected.size(), missing);
  out.put("<text class=\"soft\" x=\"{}\" y=\"12\">nesting, not to scale</text>", g.bars_from);
  for (size_t i = 0; i < rows.size(); ++i) {
    const double top = kHeader + kRow * static_cast<double>(i);
    const ExhibitSpan& span = exhibit.expected[rows[i].span];
    if (i % 2 == 1) out.put("<rect class=\"stripe\" x=\"0\" y=\"{}\" width=\"{}\" height=\"{}\"/>", top, g.width, kRow);
    if (rows[i].parent_row >= 0) {
      const double parent_y = kHeader + kRow * rows[i].parent_row + 10;
      out.add(connector(g, rows[i], rows[static_cast<size_t>(rows[i].parent_row)], parent_y, top + 10));
    }
    out.put("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", dot_class(span), indent(g, rows[i].depth),
            top + 10);
    out.add(label(g, rows[i], span, top)).add(bar(span, bars[i], top + 16));
  }
  out.put("</svg>");
  return out;
}

// 1, 2 or 5 times a power of ten, so that four to eight grid lines fit.
double tick_step(double whole) {
  const double raw = std::max(whole, 1.0) / 6, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

Html time_axis(const Geometry& g, double whole, int height) {
  Html out;
  const double step = tick_step(whole), scale = (g.bars_to - g.bars_from) / whole;
  for (int i = 0; i <= 8 && step * i <= whole; ++i) {
    const double x = g.bars_from + step * i * scale;
    out.put("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>", x, kHeader - 3, height);
    if (x < g.bars_to - 16)
      out.put("<text class=\"took\" x=\"{:.1f}\" y=\"12\">{}</text>", x + 2,
              i == 0 ? "0" : format_nanos(static_cast<int64_t>(step * i)));
  }
  return out;
}

// Two thin lines from the parent's ends to the child's ends, above the child's bar, with the gap's name and size.
Html gap(const Interval& parent, const Interval& child, const TreeRow& row, double y, double bars_to) {
  Html out;
  const auto line = [&](double from, double to) {
    if (to - from < 1) return;
    out.put("<path class=\"gap\" d=\"M{0:.1f} {2:.1f}v5m0 -2.5H{1:.1f}m0 -2.5v5\"/>", from, to, y - 2.5);
  };
  line(parent.from, child.from);
  line(child.to, parent.to);
  const std::string text =
      fmt::format("{} {}", row.gap == TreeRow::Gap::kWire ? "wire" : "proxy", format_nanos(row.gap_nanos));
  const double width = 5.6 * static_cast<double>(text.size()) + 8;
  const bool above = child.to - child.from > width;           // between the two lines
  const bool before = !above && parent.to + width > bars_to;  // else behind the second line, or before the first
  const double x = above ? child.from + 4 : before ? parent.from - 4 : std::max(parent.to, child.to) + 5;
  out.put("<text class=\"gap-text\"{} x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
          before ? Html().put(" text-anchor=\"end\"") : Html(), x, y + 3, text);
  return out;
}

Html duration_text(const ExhibitSpan& span, const Interval& at, const Geometry& g, double y) {
  Html out;
  const std::string text = format_nanos(span.duration_nanos);
  const double width = 5.8 * static_cast<double>(text.size()) + 8;
  if (at.to + width < g.bars_to)
    return out.put("<text class=\"took\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", at.to + 4, y + 9, text);
  if (at.to - at.from > width && span.state != "unexpected") {
    return out.put("<text class=\"in\" text-anchor=\"end\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", at.to - 5, y + 8.7,
                   text);
  }
  return out.put("<text class=\"took\" text-anchor=\"end\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", at.from - 4, y + 9,
                 text);
}

// The observed picture: rows placed below each other, a heading above each row that starts another trace.
class Observed {
 public:
  Observed(const Exhibit& exhibit, size_t number) : exhibit_(exhibit), number_(number), rows_(observed_rows(exhibit)) {
    if (rows_.size() > kMaxDrawnSpans) rows_.resize(kMaxDrawnSpans);
    geometry_ = geometry(740, rows_);
    double y = kHeader;
    for (const TreeRow& row : rows_) {
      if (row.new_trace) y += kHeader;
      tops_.push_back(y);
      y += kRow;
    }
    height_ = static_cast<int>(y) + 4;
    for (const ExhibitSpan& span : exhibit.observed) {
      whole_ = std::max(whole_, static_cast<double>(span.start_nanos) + static_cast<double>(span.duration_nanos));
    }
  }

  Html draw() const {
    Html out;
    out.put(
        "<svg class=\"wf\" role=\"group\" viewBox=\"0 0 {0} {1}\" aria-labelledby=\"x{2}ot x{2}od\"><title "
        "id=\"x{2}ot\">Observed "
        "spans</title><desc id=\"x{2}od\">{3} spans in {4} traces over {5}; each span links to its attributes.</desc>",
        geometry_.width, height_, number_, exhibit_.observed.size(), count_traces(exhibit_.observed),
        format_nanos(static_cast<int64_t>(whole_)));
    for (size_t i = 1; i < rows_.size(); i += 2) {
      out.put("<rect class=\"stripe\" x=\"0\" y=\"{}\" width=\"{}\" height=\"{}\"/>", tops_[i], geometry_.width, kRow);
    }
    out.add(time_axis(geometry_, whole_, height_));
    for (size_t i = 0; i < rows_.size(); ++i) out.add(draw_row(i));
    return out.put("</svg>");
  }

 private:
  Interval interval(const ExhibitSpan& span) const {
    const double scale = (geometry_.bars_to - geometry_.bars_from) / whole_;
    const double from = geometry_.bars_from + static_cast<double>(span.start_nanos) * scale;
    return {from, from + std::max(2.0, static_cast<double>(span.duration_nanos) * scale)};
  }

  // A row belongs to a trace of its own when it, or a row above it in the tree, hangs on a broken link.
  bool apart(size_t i) const {
    for (int at = static_cast<int>(i); at >= 0; at = rows_[static_cast<size_t>(at)].parent_row) {
      const TreeRow& row = rows_[static_cast<size_t>(at)];
      if (row.broken && row.new_trace) return true;
    }
    return false;
  }

  Html heading(size_t i) const {
    const ExhibitSpan& span = exhibit_.observed[rows_[i].span];
    const size_t count =
        static_cast<size_t>(std::count_if(exhibit_.observed.begin(), exhibit_.observed.end(),
                                          [&](const ExhibitSpan& s) { return s.trace_id == span.trace_id; }));
    const bool wrong = apart(i);
    Html out;
    out.put("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{} {} · {} span{}</text>", wrong ? "alarm" : "soft",
            wrong ? indent(geometry_, rows_[i].depth) + 9 : kPad + 0.0, tops_[i] - 5, wrong ? "another trace" : "trace",
            to_hex(span.trace_id), count, count == 1 ? "" : "s");
    return out;
  }

  Html draw_row(size_t i) const {
    const TreeRow& row = rows_[i];
    const ExhibitSpan& span = exhibit_.observed[row.span];
    const double top = tops_[i];
    const Interval at = interval(span);
    Html out;
    if (row.new_trace) out.add(heading(i));
    out.put("<rect class=\"strip{}\" x=\"0\" y=\"{:.1f}\" width=\"3\" height=\"{}\"/>", apart(i) ? " wrong" : "", top,
            kRow);
    if (row.parent_row >= 0) {
      const auto parent = static_cast<size_t>(row.parent_row);
      out.add(connector(geometry_, row, rows_[parent], tops_[parent] + 10, top + 10));
      if (row.gap != TreeRow::Gap::kNone) {
        out.add(gap(interval(exhibit_.observed[rows_[parent].span]), at, row, top + 8, geometry_.bars_to));
      }
    }
    out.put(
        "<a href=\"#x{}s{}\"><title>{} {} {}, {}</title><rect class=\"hit\" x=\"0\" y=\"{:.1f}\" width=\"{}\" "
        "height=\"{}\"/>",
        number_, row.span, span.service_name, span.kind, span.name, format_nanos(span.duration_nanos), top,
        geometry_.width, kRow);
    out.put("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", dot_class(span), indent(geometry_, row.depth),
            top + 10);
    out.add(label(geometry_, row, span, top))
        .add(bar(span, at, top + 16))
        .add(duration_text(span, at, geometry_, top + 16));
    return out.put("</a>");
  }

  const Exhibit& exhibit_;
  size_t number_;
  std::vector<TreeRow> rows_;
  Geometry geometry_;
  std::vector<double> tops_;
  int height_ = 0;
  double whole_ = 1;  // nanoseconds of the whole picture
};

Html more_remark(size_t spans) {
  Html out;
  if (spans > kMaxDrawnSpans)
    out.put("<p class=\"remark\">{} more spans are not drawn; run.json has them.</p>", spans - kMaxDrawnSpans);
  return out;
}

}  // namespace

Html exhibit_pair(const Exhibit& exhibit, size_t number) {
  const size_t traces = count_traces(exhibit.observed);
  Html out;
  out.put(
      "<div class=\"pair\"><figure><figcaption><b>Expected</b> · {} spans in one trace</figcaption>"
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Expected spans of request "
      "{}\">{}</div>{}</figure>",
      exhibit.expected.size(), exhibit.n, skeleton(exhibit, number), more_remark(exhibit.expected.size()));
  out.put(
      "<figure><figcaption><b>Observed</b> · {} spans in {} trace{} · request {}</figcaption>"
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Observed spans of request "
      "{}\">{}</div>{}</figure></div>\n",
      exhibit.observed.size(), traces, traces == 1 ? "" : "s", exhibit.n, exhibit.n, Observed(exhibit, number).draw(),
      more_remark(exhibit.observed.size()));
  return out.add(span_panels(exhibit, number));
}

Html waterfall_legend() {
  Html out;
  out.put(
      "<p class=\"legend\">"
      "<span><svg class=\"wf\" width=\"22\" height=\"11\" aria-hidden=\"true\"><rect class=\"bar\" width=\"22\" "
      "height=\"11\" rx=\"2.5\"/></svg>proxy span</span>"
      "<span><svg class=\"wf\" width=\"22\" height=\"11\" aria-hidden=\"true\"><rect class=\"bar app\" width=\"22\" "
      "height=\"11\" rx=\"2.5\"/></svg>app span</span>");
  out.put(
      "<span><svg class=\"wf\" width=\"24\" height=\"13\" aria-hidden=\"true\"><rect class=\"bar missing\" x=\"1\" "
      "y=\"1\" width=\"22\" height=\"11\" rx=\"2.5\"/></svg>missing</span>"
      "<span><svg class=\"wf\" width=\"24\" height=\"13\" aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"6\" "
      "height=\"6\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><rect class=\"hatch\" width=\"6\" height=\"6\"/><rect class=\"hatch-line\" "
      "width=\"0.01\" height=\"6\"/></pattern></defs>"
      "<rect fill=\"url(#hatch)\" x=\"1\" y=\"1\" width=\"22\" height=\"11\" rx=\"2.5\"/><rect class=\"bar extra\" "
      "x=\"1\" y=\"1\" width=\"22\" height=\"11\" rx=\"2.5\"/></svg>extra</span>");
  out.put(
      "<span><svg class=\"wf\" width=\"22\" height=\"11\" aria-hidden=\"true\"><rect class=\"bar wrong\" width=\"22\" "
      "height=\"11\" rx=\"2.5\"/></svg>defect</span>"
      "<span><svg class=\"wf\" width=\"26\" height=\"11\" aria-hidden=\"true\"><path class=\"cut\" d=\"M0 "
      "5.5H26\"/><path class=\"cross\" d=\"M9 1.5l8 8m0 -8l-8 8\"/></svg>link that should be there</span>");
  return out.put("</p>\n");
}

}  // namespace hopcheck::report
