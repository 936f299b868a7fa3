// The run-level composer: evidence that only the whole run has (pods without a proxy, Telemetry objects, detached
// traces, counters, the positive control, every request alike) turns hits into their cause; the hits become its
// consequences.
#pragma once

#include "check/losses.h"
#include "check/scenario_judge.h"

namespace hopcheck::check {

// Losses that it explains are marked so.
void compose(ScenarioJudge& judge, const JudgeInput& input, Attribution& attribution, std::vector<Loss>& lost);

// The second half of it, run last: what the environment's configuration explains of what is left.
void compose_configuration(ScenarioJudge& judge, const JudgeInput& input);

}  // namespace hopcheck::check
