// The sections of the page, one function each. Each stays below its byte limit and says what it left out.
#pragma once

#include "report/html_text.h"
#include "report/summary.h"

namespace hopcheck::report {

// Scenario × rule family; the cells of families with findings link to the first of them (ids "f<n>" in the order of
// numbered()).
Html matrix_section(const RunResult& result, size_t limit);
Html class_section(const RunResult& result, size_t limit);
Html latency_section(const RunResult& result, size_t limit);
Html hop_section(const RunResult& result, size_t limit);
Html sum_section(const RunResult& result, size_t limit);
Html phase_section(const RunResult& result, size_t limit);
Html environment_section(const RunResult& result, size_t limit);
Html reproduce_section(const RunResult& result);

// Findings with their waterfalls, failures first; expected ones and passing samples folded away.
Html finding_section(const RunResult& result, size_t limit);

// All findings in the order of the page: failed, unknown, expected. Finding i has the id "f<i>".
std::vector<FindingRef> numbered(const RunResult& result);

// Css class of a standing or severity: good, bad, unsure or "plain".
const char* tone_class(Standing standing);
const char* tone_class(Verdict verdict);

}  // namespace hopcheck::report
