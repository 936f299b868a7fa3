// Judging what is stored: a run directory (ledger, capture, environment, scenario), or a bare capture with a scenario.
// The live run ends with the same call, so a stored run judged again gives the same findings byte for byte.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/load.h"
#include "model/ledger.h"
#include "model/run_result.h"
#include "store/run_dir.h"

namespace hopcheck::app {

// plan.json: what no other file of the run directory holds and judging needs.
struct RunIdentity {
  std::string run_id;
  uint64_t seed = 0;
  RunTag tag;
  std::string provider;  // kind, none …
  bool interrupted = false;
  std::vector<std::pair<std::string, std::string>> skipped;  // scenario name, reason
  std::vector<std::pair<std::string, std::string>> drawn;    // scenario name, drawn fault
  std::vector<std::pair<std::string, std::string>> files;    // scenario name, the file it was read from
  std::string suite_file;
};
Result<void> write_identity(const store::RunDirectory& directory, const RunIdentity& identity);
Result<RunIdentity> read_identity(const store::RunDirectory& directory);
// Key and nonce from the operating system; the seed decides what is drawn, never the ids.
RunIdentity new_identity(uint64_t seed, const std::string& provider);

struct JudgeOptions {
  std::vector<std::string> without_rules;  // codes or families
};

// Reads everything from the directory and judges it. Writes nothing.
Result<RunResult> judge_stored(const store::RunDirectory& directory, const config::SearchPath& search,
                               const JudgeOptions& options);

struct BareCapture {
  std::string capture, scenario, ledger;  // paths; ledger "" = none
};
Result<RunResult> judge_bare(const BareCapture& files, const config::SearchPath& search, const JudgeOptions& options);

// run.json, findings.jsonl, reports/report.html, reports/junit.xml, reports/summary.md.
Result<void> write_reports(const store::RunDirectory& directory, const RunResult& result);

}  // namespace hopcheck::app
