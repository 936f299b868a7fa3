#include "app/record_rows.h"

#include <fmt/format.h>

#include "store/proofs.h"

namespace hopcheck::app {

void record_rows(const RunResult& result, run::ProofSource source, run::RuleSelection rules) {
  for (const Proof& proof : run::row_proofs(result, source, rules)) {
    const auto recorded = store::append_proof(proof);
    if (recorded) continue;
    fmt::print(stderr, "warning: proofs of conformance rows are not recorded\n{}", to_text(recorded.error()));
    return;
  }
}

}  // namespace hopcheck::app
