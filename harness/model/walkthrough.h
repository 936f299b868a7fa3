// A guide as ordered steps that are really performed (docs/reference/files.md, "Walkthrough"), and what came of each.
// Values only. Durations in nanoseconds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hopcheck {

// What a step's output must be like. All that is given must hold.
struct StepExpectation {
  int exit_code = 0;
  std::vector<std::string> contains;  // each occurs in the output
  std::vector<std::string> lacks;     // none occurs in it
  std::optional<std::string> is;      // the whole output, blanks at its ends apart
  bool something = false;             // the output is not empty

  friend bool operator==(const StepExpectation&, const StepExpectation&) = default;
};

// What is looked for in the backend's capture: traces that a span of this service has begun.
struct TraceSearch {
  std::string service;  // service.name, e.g. productpage.default
  std::string path;     // what its URL ends in
  uint64_t count = 0;   // traces, no more and no fewer
  std::map<std::string, std::string> resource;  // attributes that the span's resource must have

  friend bool operator==(const TraceSearch&, const TraceSearch&) = default;
};

enum class StepAction : uint8_t {
  kRun,       // the step's shell text
  kAddress,   // where the ingress gateway is reached; the output is HOST:PORT
  kTraces,    // TraceSearch, among spans that arrived since the step named by `since` began
  kScenario,  // a scenario is driven and judged as `hopcheck run` does it; the output is its verdict
};

struct WalkStep {
  std::string name;  // "collector"
  std::string does;  // for people: "Deploy the Collector"
  std::vector<std::string> needs;                  // earlier steps that must have held
  std::vector<std::string> requires_capabilities;  // without one of them the step is skipped
  StepAction action = StepAction::kRun;
  std::string command;   // kRun
  std::string scenario;  // kScenario: path as it stands in the file
  TraceSearch traces;    // kTraces
  std::string since;     // kTraces: an earlier step
  StepExpectation expect;
  int64_t within_nanos = 0;                 // tried again until it holds, this long; 0 = once
  int64_t timeout_nanos = 120'000'000'000;  // of one try
  std::string keep_as;                      // variable for later steps that gets the output; "" = none
  std::vector<std::string> rows;            // conformance rows it proves
  std::string fix;                          // how to mend it when it fails
  // A counter-test: it holds when its expectation does not, and what is seen has this text. "" = none.
  std::string must_fail;
  bool is_counter_test() const { return !must_fail.empty(); }

  friend bool operator==(const WalkStep&, const WalkStep&) = default;
};

struct Walkthrough {
  std::string name, description;
  std::string file;      // where it was read from
  std::string topology;  // name or path of the topology whose services play the demo application
  std::string ns;        // where they are applied
  std::vector<WalkStep> steps;

  friend bool operator==(const Walkthrough&, const Walkthrough&) = default;
};

// One try of a step.
struct StepSeen {
  int exit_code = 0;
  std::string out, err;
  bool timed_out = false;
  std::string problem;  // it could not be performed at all
};

enum class StepOutcome : uint8_t { kHeld, kFailed, kSkipped };
const char* to_string(StepOutcome outcome);  // "held", "failed", "skipped"

struct StepResult {
  StepOutcome outcome = StepOutcome::kSkipped;
  std::string reason;         // of a skip
  std::string expected, seen; // of a failure; `seen` of a step that held is what it printed
  int64_t took_nanos = 0;
  int tries = 0;
};

struct WalkthroughResult {
  std::string provider, istio, envoy, kubernetes;  // "" = not known
  std::vector<std::string> notes;                  // where this walk differs from the guide
  std::vector<StepResult> steps;                   // one for each of the walkthrough's
  bool interrupted = false;
};

}  // namespace hopcheck
