// Which conformance rows (docs/reference/conformance-rows.md) a selftest decides, and how it came out. Pure.
#pragma once

#include <vector>

#include "model/proof.h"
#include "run/selftest.h"

namespace hopcheck::run {

// For each row of a planted mutant two results, kind simulated: positive, clean meshes give no finding; negative, every
// mutant of the row was caught by its own rule. A rule that is switched off takes its rows' negative result with it;
// with fewer rules only what did not hold is told. Nothing for a plan that left mutants out: its clean meshes are not
// all judged.
std::vector<Proof> selftest_proofs(const SelftestPlan& plan, const SelftestTally& tally);

}  // namespace hopcheck::run
