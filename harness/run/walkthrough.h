// Walking a guide: which steps are tried, what is made of what they printed, and what that proves. Pure: performing a
// step, waiting and the clock are the caller's.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/finding.h"
#include "model/proof.h"
#include "model/span.h"
#include "model/walkthrough.h"

namespace hopcheck::run {

// Why the step cannot be tried, one clause; "" = it can. `earlier`: results by step, of all steps before it.
std::string why_skipped(const WalkStep& step, const std::map<std::string, StepResult>& earlier,
                        const std::set<std::string>& capabilities);

// What of the expectation one try does not meet: expected and seen, "" and "" when all is met.
struct Unmet {
  std::string expected, seen;
  bool any() const { return !expected.empty(); }
};
Unmet unmet(const StepExpectation& expect, const StepSeen& seen);

// The outcome of one try. A counter-test holds when the step was performed, its expectation was not met, and what was
// seen has the words that it must fail with: a step that fails for another reason proves nothing.
StepResult judge_step(const WalkStep& step, const StepSeen& seen);

using Variables = std::map<std::string, std::string>;
struct WalkActions {
  std::function<StepSeen(const WalkStep&, const Variables&)> perform;
  std::function<int64_t()> now_nanos;
  std::function<void(int64_t nanos)> wait;
  std::function<bool()> stopped;
  std::function<void(const WalkStep&)> began;                    // may be empty
  std::function<void(const WalkStep&, const StepResult&)> ended;  // may be empty
};
inline constexpr int64_t kPauseNanos = 500'000'000;  // between the tries of a step

// Every step in the order of the file. A stop leaves the rest skipped. One result for each step.
std::vector<StepResult> walk(const Walkthrough& walkthrough, const std::set<std::string>& capabilities,
                             const WalkActions& actions);

// Fail when a step failed, unknown when nothing failed and steps were skipped because an earlier one was, or nothing
// held; a step that this machine lacks a capability for does not count.
Verdict verdict_of(const Walkthrough& walkthrough, const WalkthroughResult& result);

// A step that held or failed says so of its rows: a counter-test as a negative result. Empty after an interruption.
std::vector<Proof> walkthrough_proofs(const Walkthrough& walkthrough, const WalkthroughResult& result);

// Traces among `spans` that a span of the service has begun or continued, its URL ending in the path, started at or
// after `since_unix_nanos`; each counted once.
uint64_t count_traces(const std::vector<Span>& spans, const TraceSearch& search, uint64_t since_unix_nanos);

}  // namespace hopcheck::run
