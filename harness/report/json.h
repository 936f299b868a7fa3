// run.json: the one serialised form of a RunResult (files.md, "Run directory"). Every other report is a pure
// function of it. Shapes: key order is fixed, ids are lower-case hex, Unix times are decimal strings, other 64-bit
// numbers are JSON numbers below 2^53 and decimal strings from there on. Identical input gives identical bytes.
// JSON Schema: reports/schema/. Pure, thread-compatible. Foreign text that is not UTF-8 has its bad bytes replaced
// by U+FFFD.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/run_result.h"

namespace hopcheck::report {

inline constexpr size_t kMaxRunJsonBytes = 64u << 20;

// The result as run.json can hold it: what exceeds the caps of caps.h is cut, and each cut is said in a note of its
// scenario. Idempotent. Render the other reports from this, so that they say the same as after a reload.
RunResult capped(RunResult result);

// Applies capped() first; at most kMaxRunJsonBytes, ends with a newline.
std::string to_json(const RunResult& result);
// Unknown keys are ignored, missing ones keep their defaults. Error (kEvidence): not JSON, another schemaVersion, a
// wrong type; `why` names the path in the document.
Result<RunResult> from_json(std::string_view text);

// One finding per line, run-level ones first, in the form they have in run.json plus "scenario".
std::string findings_to_jsonl(const RunResult& result);
Result<std::vector<Finding>> findings_from_jsonl(std::string_view text);

// environment.json: every field of Environment, in the form run.json has it.
std::string environment_to_json(const Environment& environment);
Result<Environment> environment_from_json(std::string_view text);

// One line of phases.jsonl, without a newline.
std::string phase_to_json(const PhaseStep& step);
Result<PhaseStep> phase_from_json(std::string_view line);

}  // namespace hopcheck::report
