// JUnit XML: one test suite per scenario, one test case per finding beside the scenario's own. A finding is a
// failure, unknown and environment trouble are errors, a skipped scenario says why, and what was expected to fail
// passes. Pure. Only characters legal in XML 1.0 are written.
#pragma once

#include <string>

#include "model/run_result.h"

namespace hopcheck::report {

std::string to_junit(const RunResult& result);

}  // namespace hopcheck::report
