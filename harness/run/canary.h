// The judge's own canary (verdict.md section 2): before judging, one trace derived from the scenario's expectation with
// one defect drawn from the seed is judged outside all sums; if nothing is reported, no pass may be given.
#pragma once

#include <string>

#include "base/result.h"
#include "model/scenario.h"

namespace hopcheck::run {

struct CanaryResult {
  bool reported = false;
  bool clean_passes = false;  // the same trace without the defect gives no hit
  std::string mutation;       // what was planted
  std::string detail;         // codes reported, or what the clean trace was accused of
};
Result<CanaryResult> judge_canary(const Scenario& scenario, const MeshProfile& profile, uint64_t seed);

}  // namespace hopcheck::run
