// Exhibits: the pair of waterfalls (expected skeleton, observed spans) that shows one finding, or a passing sample.
#pragma once

#include "check/scenario_judge.h"

namespace hopcheck::check {

inline constexpr size_t kMaxExhibits = 24;      // per scenario
inline constexpr size_t kMaxExhibitSpans = 200;

// `finding` null: a passing sample.
Exhibit make_exhibit(const ScenarioJudge& judge, const JudgedRequest& request, const Finding* finding);
std::vector<Exhibit> make_exhibits(const ScenarioJudge& judge, const std::vector<Finding>& findings);

}  // namespace hopcheck::check
