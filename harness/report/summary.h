// What every report says in the same words: how a scenario stands, what counts as expected, totals, what an exit
// code means. Pure; nothing here escapes text, each report does that for its own form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/run_result.h"

namespace hopcheck::report {

// How a scenario stands against what was expected of it. kAsExpected: a failure or an unknown that was asked for.
enum class Standing : uint8_t { kPass, kAsExpected, kSkipped, kUnknown, kFail };
Standing standing_of(const ScenarioResult& scenario);
// "pass", "failed as expected", "skipped", "unknown", "fail", "passed, expected fail".
std::string standing_text(const ScenarioResult& scenario);
bool is_expected(const ScenarioResult& scenario, const Finding& finding);

// One finding with the scenario it belongs to; scenario is null for run-level findings.
struct FindingRef {
  const Finding* finding = nullptr;
  const ScenarioResult* scenario = nullptr;
};
// "checkout-gateway" or "the run".
std::string place_of(const FindingRef& ref);
struct FindingLists {
  std::vector<FindingRef> expected, unknown, failed;  // each in the order of the run
};
FindingLists findings_of(const RunResult& result);

struct Totals {
  size_t scenarios = 0, as_expected = 0, skipped = 0;
  uint64_t requests = 0, spans = 0;
  uint64_t due = 0,
           complete = 0;   // requests of judged scenarios that are expected to pass, and the complete ones of them
  int64_t wall_nanos = 0;  // from the first phase's start to the last one's end
};
Totals totals_of(const RunResult& result);
std::string wall_text(const Totals& totals);  // "66.5s", or that no time was recorded

std::string exit_code_meaning(int code);  // "a claim failed"
// "profile istio-1.30 (proof: live)", one part per profile in use; "profile none" for a run without proxies.
std::string profile_line(const RunResult& result);
// Remarks of scenarios, each once, with the scenarios that made it; in the order of first appearance.
struct SharedNote {
  std::string text;
  std::vector<std::string> scenarios;
};
std::vector<SharedNote> shared_notes(const RunResult& result);
std::string run_title(const RunResult& result);  // suite, the only scenario's name, or "run"
// The command that repeats the whole run with its seed.
std::string reproduce_command(const RunResult& result);
// "HOP0601 service=checkout header=traceparent"
std::string finding_key(const Finding& finding);

inline constexpr int kFamilies = 12;
const char* family_name(int family);                     // 1 … 12
int family_of(std::string_view code);                    // "HOP0601" → 6; 0 when the code has another form
std::string grouped(uint64_t number);                    // "12 345", with a no-break space, from five digits on
std::string counted(uint64_t number, const char* noun);  // "1 span", "12345 spans"
std::string percent(uint64_t part, uint64_t whole);      // "99.6 %", rounded so that only all of it gives 100 %

}  // namespace hopcheck::report
