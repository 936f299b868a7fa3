// What both waterfalls of an exhibit are drawn with: one row per span, names and tree on the left, bars on the right.
// Lengths are SVG user units; a picture is drawn at its own width and scaled by the page.
#pragma once

#include <vector>

#include "report/exhibit_view.h"
#include "report/html_text.h"

namespace hopcheck::report {

inline constexpr int kRow = 35;      // height of a span's row
inline constexpr int kHeader = 19;   // height of a trace's heading
inline constexpr int kLabels = 306;  // width of the column of names
inline constexpr int kPad = 10;

struct Geometry {
  int width = 0;
  double bars_from = 0, bars_to = 0;
  double step = 11;  // indent per level, less in deep trees
};
Geometry geometry(int width, const std::vector<TreeRow>& rows);
double indent(const Geometry& g, int depth);  // x of a row's dot

struct Interval {
  double from = 0, to = 0;
};

const char* dot_class(const ExhibitSpan& span);
// Service, kind, span name and, where something is wrong, the word for it.
Html label(const Geometry& g, const TreeRow& row, const ExhibitSpan& span, double top);
// The connector from the parent's dot to this row's dot; dashed with a cross where it should be there and is not.
Html connector(const Geometry& g, const TreeRow& row, const TreeRow& parent, double parent_y, double y);
// The colour says proxy, app or defect; missing spans are dashed, extra ones hatched.
Html bar(const ExhibitSpan& span, const Interval& at, double y);

}  // namespace hopcheck::report
