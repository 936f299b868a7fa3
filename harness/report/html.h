// The verdict as one self-contained HTML file: no network, no script, a content policy that allows its own style
// sheet only (by hash), light and dark, printable, usable from the keyboard. Pure. All dynamic text goes through
// html_escape(). At most kMaxHtmlBytes; what does not fit is counted on the page and stands in run.json.
#pragma once

#include <string>

#include "model/run_result.h"

namespace hopcheck::report {

inline constexpr size_t kMaxHtmlBytes = 5u << 20;

std::string to_html(const RunResult& result);

}  // namespace hopcheck::report
