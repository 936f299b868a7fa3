#include "run/selftest_rows.h"

#include <map>
#include <string_view>

#include "sim/mutants.h"

namespace hopcheck::run {
namespace {

struct RowsOf {
  std::string_view mutant;  // a name, or the beginning of several
  std::vector<const char*> rows;
};

// Only what the mutant decides: the row's claim holds on clean meshes, and this is what its breach looks like.
const std::vector<RowsOf>& table() {
  static const std::vector<RowsOf> kTable = {
      {"one-request-lost", {"O-21"}},
      {"unsampled-leak", {"D-05"}},
      {"telemetry-without-percentage", {"D-06"}},
      {"rate-", {"M-23"}},
      {"request-id-drawn-again", {"M-89"}},
      {"cut-by-a-newer-proxy", {"M-89"}},
      {"narrow-scope", {"D-04"}},
      {"gateway-spawn-off", {"D-15"}},
      {"second-root", {"O-72"}},
      {"re-parented", {"O-61", "O-62", "O-63"}},
      {"app-span-renamed", {"O-71"}},
      {"extra-app-span", {"O-71"}},
      {"drop-app-span", {"O-71"}},
      {"drop-outbound", {"O-60", "M-60", "M-73"}},
      {"drop-inbound", {"O-60", "M-60", "M-73"}},
      {"extra-retry", {"M-74"}},
      {"no-sidecar", {"O-07"}},
      {"other-service-name", {"O-40"}},
      {"names-before", {"D-11"}},
      {"stale-naming.APP_LABEL_AND_NAMESPACE", {"M-50"}},
      {"stale-naming.CANONICAL_NAME_ONLY", {"M-51"}},
      {"stale-naming.CANONICAL_NAME_AND_NAMESPACE", {"M-52"}},
      {"scope-", {"O-50"}},
      {"tag-missing", {"O-52"}},
      {"status", {"O-53"}},
      {"error-tag", {"O-53"}},
      {"traceparent-lost", {"M-80", "M-83"}},
      {"tracestate-lost", {"M-81", "M-84"}},
      {"x-request-id-lost", {"M-82", "M-85"}},
      {"early-start", {"O-68"}},
      {"late-end", {"O-68"}},
  };
  return kTable;
}

}  // namespace

std::vector<Proof> selftest_proofs(const SelftestPlan& plan, const SelftestTally& tally) {
  std::vector<Proof> out;
  if (!plan.only_rules.empty()) return out;
  const auto tell = [&](const Proof& proof) {
    if (plan.without_rules.empty() || !proof.held) out.push_back(proof);
  };
  struct Counts {
    uint64_t planted = 0, caught = 0;
  };
  std::map<std::string, Counts> rows;
  for (const auto& [index, item] : tally.mutants) {
    for (const RowsOf& entry : table()) {
      if (sim::mutants()[index].name.rfind(entry.mutant, 0) != 0) continue;
      for (const char* row : entry.rows) {
        rows[row].planted += item.planted;
        rows[row].caught += item.caught;
      }
    }
  }
  for (const auto& [row, counts] : rows) {
    if (counts.planted == 0) continue;
    Proof proof;
    proof.row = row;
    proof.kind = ProofKind::kSimulated;
    proof.result = "selftest clean meshes";
    proof.polarity = Polarity::kPositive;
    proof.held = tally.clean_runs > 0 && tally.false_findings == 0;
    proof.verdict = proof.held ? "pass" : "fail";
    tell(proof);
    proof.result = "selftest mutants";
    proof.polarity = Polarity::kNegative;
    proof.held = counts.caught == counts.planted;
    proof.verdict = proof.held ? "fail" : "pass";  // of the planted defects
    tell(proof);
  }
  return out;
}

}  // namespace hopcheck::run
