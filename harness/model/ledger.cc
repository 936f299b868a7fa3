#include "model/ledger.h"

namespace hopcheck {

const char* to_string(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kUnsent: return "unsent";
    case OutcomeKind::kOk: return "ok";
    case OutcomeKind::kFailed: return "failed";
    case OutcomeKind::kIndeterminate: return "indeterminate";
  }
  return "?";
}

}  // namespace hopcheck
