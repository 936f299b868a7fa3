// What came of a walkthrough, for people and for programs: a plain table, walkthrough.json, JUnit. Pure.
#pragma once

#include <string>

#include "model/finding.h"
#include "model/walkthrough.h"

namespace hopcheck::report {

// One line for each step, then for each failed one what was expected, seen and how to mend it; the verdict last.
std::string walkthrough_text(const Walkthrough& walkthrough, const WalkthroughResult& result, Verdict verdict);
// schemaVersion 1; docs/reference/files.md, "walkthrough.json".
std::string walkthrough_json(const Walkthrough& walkthrough, const WalkthroughResult& result, Verdict verdict);
// One test suite, one test case for each step.
std::string walkthrough_junit(const Walkthrough& walkthrough, const WalkthroughResult& result);

}  // namespace hopcheck::report
