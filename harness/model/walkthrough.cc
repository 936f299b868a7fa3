#include "model/walkthrough.h"

namespace hopcheck {

const char* to_string(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::kHeld: return "held";
    case StepOutcome::kFailed: return "failed";
    case StepOutcome::kSkipped: return "skipped";
  }
  return "";
}

}  // namespace hopcheck
