// LoadPlan and outcomes as JSON, for the wire between host and load agent. Round trips exactly; unknown keys are
// ignored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/ledger.h"

namespace hopcheck::plan {

std::string to_json(const LoadPlan& plan);
Result<LoadPlan> load_plan_from_json(std::string_view text);

// {"finished":bool,"outcomes":[[n,due,sent,done,kind,status],…]}
std::string outcomes_to_json(const std::vector<Outcome>& outcomes, bool finished);
struct OutcomePage {
  std::vector<Outcome> outcomes;
  bool finished = false;
};
Result<OutcomePage> outcomes_from_json(std::string_view text);

}  // namespace hopcheck::plan
