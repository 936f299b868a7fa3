// A job summary in GitHub-flavoured Markdown. Pure. Foreign text stands in code spans, so that it can neither
// format, link nor mention anybody. What does not fit kMaxMarkdownBytes is counted and left out, the failures last.
#pragma once

#include <string>

#include "model/run_result.h"

namespace hopcheck::report {

inline constexpr size_t kMaxMarkdownBytes = 900u << 10;

std::string to_markdown(const RunResult& result);

}  // namespace hopcheck::report
