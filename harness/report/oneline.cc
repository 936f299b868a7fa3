#include "report/oneline.h"

#include <fmt/format.h>

#include "base/text.h"
#include "report/summary.h"
#include "report/utf8.h"

namespace hopcheck::report {

std::string to_oneline(const RunResult& result) {
  const FindingLists lists = findings_of(result);
  const Totals totals = totals_of(result);
  std::string causes;
  size_t open = 0;
  for (const std::vector<FindingRef>* list : {&lists.failed, &lists.unknown}) {
    for (const FindingRef& ref : *list) {
      constexpr size_t kShown = 3;
      if (++open <= kShown)
        causes += fmt::format("; {} in {}", printable(finding_key(*ref.finding)), printable(place_of(ref)));
    }
  }
  if (open > 3) causes += fmt::format("; {} more", open - 3);
  return cut_columns(fmt::format("{} {}: {} of {} as expected, {} requests, {} spans{}", to_string(result.verdict),
                                 printable(run_title(result)), totals.as_expected,
                                 counted(totals.scenarios, "scenario"), totals.requests, totals.spans, causes),
                     900) +
         fmt::format(" (seed {}, exit {})\n", result.seed, result.exit_code);
}

}  // namespace hopcheck::report
