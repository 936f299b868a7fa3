// One exhibit as a pair of waterfalls, expected beside observed, in inline SVG that needs no script, and the panels
// of its spans below. Everything is drawn with classes of the style sheet, so that it follows the reader's colour
// scheme.
#pragma once

#include "model/run_result.h"
#include "report/html_text.h"

namespace hopcheck::report {

inline constexpr size_t kMaxDrawnSpans = 200;  // per picture; more are counted below it

// `number` makes the ids of this exhibit unique on the page: "x<number>…".
Html exhibit_pair(const Exhibit& exhibit, size_t number);
// What the marks mean; once per page. Defines the hatch that all pictures use.
Html waterfall_legend();

}  // namespace hopcheck::report
