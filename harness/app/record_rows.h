// Writes what a result says about conformance rows to the file of proofs (store/proofs.h). Failing to write is a
// warning: the verdict of a run does not depend on it.
#pragma once

#include "model/run_result.h"
#include "run/row_proofs.h"

namespace hopcheck::app {

void record_rows(const RunResult& result, run::ProofSource source, run::RuleSelection rules);

}  // namespace hopcheck::app
