// reports/proofs.jsonl: the results that prove conformance rows, one JSON object a line, made by runs and tests. A line
// is written by one write(2) at the end of the file, so that processes may record at the same time; reading takes
// every sound line and reports the others. Which lines count is report/rows.h's business.
//
// Where: HOPCHECK_PROOFS names the file; "" or "off" records nothing. Unset: reports/proofs.jsonl under the current
// directory where that has a folder reports/, else nothing is recorded.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/proof.h"

namespace hopcheck::store {

inline constexpr size_t kMaxProofBytes = 64u << 20;

// The file that is recorded to and read from; "" = none.
std::string proofs_path();

// An empty `commit` is filled with source_commit(). Nothing happens when proofs_path() is "". Error: kEnvironment.
Result<void> append_proof(Proof proof);
Result<void> append_proof_to(const std::string& path, Proof proof);

struct ProofFile {
  std::vector<Proof> proofs;         // in the order they were written
  std::vector<std::string> damaged;  // "path:line: what is wrong"; at most kMaxDamaged, then a count
};
inline constexpr size_t kMaxDamaged = 20;

// A file that does not exist holds no proofs. Errors: kEvidence (unreadable, larger than kMaxProofBytes).
Result<ProofFile> read_proofs(const std::string& path);

}  // namespace hopcheck::store
