// The run-level composer: evidence that only the whole run has (pods without a proxy, Telemetry objects, detached
// traces, every request alike) turns hits into their cause; the hits become its consequences.
#pragma once

#include "check/scenario_judge.h"

namespace hopcheck::check {

void compose(ScenarioJudge& judge, const JudgeInput& input, Attribution& attribution);

}  // namespace hopcheck::check
