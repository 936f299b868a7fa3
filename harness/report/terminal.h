// The verdict as text for a terminal or a log. Pure. All foreign text goes through printable(). Colour means good,
// bad or unsure only, and never carries meaning alone. Lines are cut to `width` where a name is too long for its
// column.
#pragma once

#include <string>

#include "model/run_result.h"

namespace hopcheck::report {

struct TerminalOptions {
  bool color = false;
  int width = 100;        // columns; values below 60 count as 60
  std::string html_path;  // path of the HTML page, "" = not written
  std::string run_directory;
};

// Seed first; verdicts, classes, hops, sums; findings with failures last; totals, page, exit code.
std::string to_terminal(const RunResult& result, const TerminalOptions& options);

// Every phase and step with duration and share of the whole, as drawn bars of text.
std::string phase_timeline(const RunResult& result, const TerminalOptions& options);

}  // namespace hopcheck::report
