// Suite entries compare what was observed with what they state; a deviation in either direction fails (verdict.md
// section 3). Pure.
#pragma once

#include "model/run_result.h"
#include "model/scenario.h"

namespace hopcheck::run {

// Fills expected_*, as_expected of the scenario's result.
void compare_with_expectation(const SuiteEntry& entry, ScenarioResult& result);
// Verdict of a whole run from its scenarios and run-level findings, and its exit code when nothing else decided one.
void settle_run(RunResult& result);

}  // namespace hopcheck::run
