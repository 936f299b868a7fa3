// Evidence rules: pure functions of environment, phase marks, counters and capture state → run-level findings and sums.
#pragma once

#include "check/attribution.h"
#include "check/judge.h"

namespace hopcheck::check {

// Capture damage, restarts, refused exports, conflicts, unexplained detached traces, positive control, Δspans_sent per
// proxy. any_lost: some answered requests left no span, so that absence is part of the judgement.
std::vector<Finding> evidence_findings(const JudgeInput& input, const Attribution& attribution, bool any_lost);

// The sums of verdict.md section 1; one line each.
std::vector<SumCheck> sums(const JudgeInput& input, const Attribution& attribution, const JudgeResult& result);

}  // namespace hopcheck::check
