#include "run/expectation_check.h"

#include <algorithm>

namespace hopcheck::run {
namespace {

bool matches(const ExpectedFinding& expected, const Finding& finding) {
  return expected.code == finding.code &&
         (expected.subject.empty() || expected.subject == subject_key(finding.subject));
}

}  // namespace

void compare_with_expectation(const SuiteEntry& entry, ScenarioResult& result) {
  result.expected_verdict = entry.expect_verdict;
  result.expected_findings.clear();
  for (const ExpectedFinding& expected : entry.expect_findings) {
    result.expected_findings.push_back(expected.code + (expected.subject.empty() ? "" : " " + expected.subject));
  }
  if (!result.verdict) return;  // skipped: neither as expected nor a deviation
  bool fits = to_string(*result.verdict) == entry.expect_verdict;
  for (const ExpectedFinding& expected : entry.expect_findings) {
    fits = fits && std::any_of(result.findings.begin(), result.findings.end(),
                               [&](const Finding& f) { return matches(expected, f); });
  }
  for (const Finding& finding : result.findings) {
    fits = fits && std::any_of(entry.expect_findings.begin(), entry.expect_findings.end(),
                               [&](const ExpectedFinding& e) { return matches(e, finding); });
  }
  result.as_expected = fits;
}

void settle_run(RunResult& result) {
  Verdict verdict = Verdict::kPass;
  bool judged = false;
  for (const Finding& finding : result.findings) verdict = worst(verdict, finding.severity);
  for (ScenarioResult& scenario : result.scenarios) {
    if (!scenario.verdict) continue;
    judged = true;
    if (result.suite.empty()) {
      verdict = worst(verdict, *scenario.verdict);
    } else if (!scenario.as_expected) {
      result.suite_as_expected = false;
      // Unknown where a verdict was asked is not a wrong verdict.
      verdict = worst(verdict, *scenario.verdict == Verdict::kUnknown ? Verdict::kUnknown : Verdict::kFail);
    }
  }
  if (!judged) verdict = worst(verdict, Verdict::kUnknown);
  result.verdict = verdict;
  result.exit_code = verdict == Verdict::kFail ? 1 : !judged ? 5 : verdict == Verdict::kUnknown ? 2 : 0;
}

}  // namespace hopcheck::run
