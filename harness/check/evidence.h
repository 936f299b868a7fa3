// Evidence rules: pure functions of environment, phase marks, counters and capture state → run-level findings and sums.
#pragma once

#include "check/attribution.h"
#include "check/judge.h"
#include "check/losses.h"

namespace hopcheck::check {

// Capture damage, restarts, refused exports, conflicts, unexplained detached traces, losses that no scenario explains.
std::vector<Finding> evidence_findings(const JudgeInput& input, const Attribution& attribution,
                                       const std::vector<Loss>& lost);

// The sums of verdict.md section 1; one line each. What does not hold because more was sent than stored is no broken
// sum: HOP0801 says it.
struct Sums {
  std::vector<SumCheck> checks;
  std::vector<std::string> broken;
};
Sums sums(const JudgeInput& input, const Attribution& attribution, const JudgeResult& result);

}  // namespace hopcheck::check
