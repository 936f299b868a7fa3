// Conformance rows and what proves them (docs/adr/0009): recorded results folded to one state a row, and printed. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/proof.h"

namespace hopcheck::report {

enum class RowState : uint8_t {
  kProven,        // both forms held at this commit, and no result about the row failed
  kFailed,        // a result at this commit did not come out as claimed
  kPositiveOnly,
  kNegativeOnly,
  kStale,         // held at another commit only
  kUnclaimed,     // nothing ever recorded that held
};
const char* to_string(RowState state);  // "proven", "failed", "positive only" …

struct JudgedRow {
  ConformanceRow row;
  RowState state = RowState::kUnclaimed;
  std::optional<Proof> positive, negative;  // the strongest that held at this commit; the first of equal ones
  std::vector<Proof> failed;                // last results at this commit that did not hold
};

struct RowsReport {
  std::vector<ConformanceSection> sections;
  std::vector<JudgedRow> rows;        // in the order of the data; only the selected ones
  std::string commit;
  std::vector<std::string> strangers; // ids in the proofs that are no rows, ascending
  bool any_live = false;              // a live result was recorded at this commit, of whatever row
};

// Of records with the same row, form, result, provider and Istio version the last one counts. No sections: all.
RowsReport judge_rows(const ConformanceRows& rows, const std::vector<Proof>& proofs, const std::string& commit,
                      const std::vector<std::string>& sections);

bool all_proven(const RowsReport& report);
// Ids of rows whose positive proof is live, among the proven ones.
std::vector<std::string> live_rows(const RowsReport& report);

// How many proven rows rest on which kind, by their positive result: "live 3, capture 20, local 1, simulated 9,
// source 2".
std::string count_line(const RowsReport& report);

struct RowsStyle {
  bool color = false;
  size_t width = 120;
  bool only_unclaimed = false;  // leaves the table out: the list of what is not proven and the count alone
};
// Table, then what is not proven with id, state and text, then count_line().
std::string rows_to_text(const RowsReport& report, const RowsStyle& style);
// {"commit", "rows": [{"id", "section", "text", "wanted", "reason", "state", "positive", "negative", "failed"}],
//  "counts"}.
std::string rows_to_json(const RowsReport& report);

// reports/rows-live.txt: ids one a line, '#' and blank lines skipped; those not proven live now.
std::vector<std::string> missing_live(const RowsReport& report, const std::string& list);

// The table for docs/reference/conformance-rows.md: rows that cannot be shown live here, with the reason.
std::string reasons_to_markdown(const ConformanceRows& rows);

}  // namespace hopcheck::report
