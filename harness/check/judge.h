// The judge: ledger + capture + environment → classes, sums, findings, verdict. Pure, deterministic and independent of
// the order in which spans arrived; the same code judges a live run, a stored run and a bare capture.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/environment.h"
#include "model/ledger.h"
#include "model/run_result.h"
#include "model/span.h"

namespace hopcheck::check {

class PatternCache;

struct ScenarioInput {
  Scenario scenario;
  uint64_t first_n = 0;
  // One entry per planned request, in order of n. Empty with has_ledger = false: a bare capture, where requests are the
  // traces that begin at the entry, and arrival per request is not judged.
  std::vector<LedgerEntry> ledger;
  bool has_ledger = true;
};

struct JudgeInput {
  const std::vector<Span>* spans = nullptr;  // outlives the call
  BodyCounts bodies;
  uint64_t rejected_spans = 0;
  Environment environment;
  std::optional<RunTag> tag;                 // of the run that sent them
  std::vector<ScenarioInput> scenarios;
  const std::vector<MeshProfile>* profiles = nullptr;
  std::string reproduce;                     // "{file}" is the scenario's file
  // Rules that do not exist in this judgement (rule_set.h), unlike RuleOptions::exclude, which leaves findings out.
  std::vector<std::string> without_rules;
  // Whoever judges for the findings alone, and often, leaves the signature out of the results.
  enum class Signatures : uint8_t { kCollect, kSkip } signatures = Signatures::kCollect;
  PatternCache* patterns = nullptr;          // of whoever judges often, in one thread; null: made for each scenario
};

struct JudgeResult {
  std::vector<ScenarioResult> scenarios;     // same order; verdict, expected_* left as the scenario's own verdict
  std::vector<Finding> findings;             // run-level ones (delivery, evidence, detached)
  std::vector<SumCheck> sums;
  CountBy<SpanClass> spans_by_class{};
  uint64_t spans_stored = 0;
  std::vector<std::string> profiles;         // by scenario: name of the profile that judged it
  std::vector<std::string> notes;
};

// Error kUsage: no profile fits, or a scenario cannot be expanded.
Result<JudgeResult> judge(const JudgeInput& input);

// What the judge's own canary gave (run/canary.h): a defect planted in-process, outside all sums.
struct CanaryOutcome {
  std::string planted;       // its name
  bool reported = true;      // the defect gave a finding
  bool clean_passes = true;  // and the trace without it gave none
  std::string detail;        // what was reported
};
// Adds HOP1003, or a note that says what was planted; a pass becomes unknown.
void judge_canary_outcome(const CanaryOutcome& outcome, const std::vector<std::string>& without_rules,
                          ScenarioResult& scenario);

}  // namespace hopcheck::check
