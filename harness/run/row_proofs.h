// What the result of a run or of a stored run says about the conformance rows of its scenarios (docs/adr/0009). Pure.
#pragma once

#include <vector>

#include "model/proof.h"
#include "model/run_result.h"

namespace hopcheck::run {

enum class ProofSource : uint8_t {
  kRun,    // traffic was driven now
  kCheck,  // stored evidence was judged: only what held is told, since evidence may have been cut or paired wrongly
};
enum class RuleSelection : uint8_t {
  kAll,
  kSome,  // --without-rule: only what did not hold is told, since a pass of fewer rules is no proof
};

// A scenario expected to pass is a positive result, one expected to fail or to be unknown a negative one; it held when
// it came out as expected. Without a suite nobody has said what to expect: a pass is a positive result, anything else
// says nothing. Skipped scenarios, drawn faults and interrupted runs say nothing. Commit is left empty.
std::vector<Proof> row_proofs(const RunResult& result, ProofSource source, RuleSelection rules);

}  // namespace hopcheck::run
