// Small drawings inside tables: a histogram of durations and a bar on a time line.
#pragma once

#include "model/run_result.h"
#include "report/html_text.h"

namespace hopcheck::report {

struct Stretch {  // a stretch of a time line, as shares of the whole
  double from = 0, to = 0;
};

struct Axis {  // logarithmic, nanoseconds
  int64_t low = 1, high = 1;
};
// Widens the axis so that all buckets of the distribution fit.
void include(Axis& axis, const Distribution& distribution);
Html histogram(const Distribution& distribution, const Axis& axis);

Html timeline_bar(const Stretch& at, const char* css_class);

}  // namespace hopcheck::report
