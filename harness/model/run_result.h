// RunResult: everything a report says; run.json is its one serialised form (files.md). Reports are pure functions of
// it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/environment.h"
#include "model/finding.h"

namespace hopcheck {

inline constexpr int kRunSchemaVersion = 1;

// Counts by class in a fixed order; the sums of verdict.md section 1 hold over them.
enum class RequestClass : uint8_t {
  kUnsent,
  kComplete,
  kIncomplete,
  kLost,
  kMalformed,
  kUnsampled,
  kRecovered,
  kUnresolved,
  kCount
};
enum class SpanClass : uint8_t {
  kMatched,
  kMalformed,
  kUnexpected,
  kDetached,
  kDuplicate,
  kConflict,
  kForeign,
  kLate,
  kWarmup,
  kCount
};
const char* to_string(RequestClass c);  // "complete" …
const char* to_string(SpanClass c);
template <class E>
using CountBy = std::array<uint64_t, static_cast<size_t>(E::kCount)>;

struct Distribution {  // nanoseconds
  uint64_t count = 0;
  int64_t p50 = 0, p90 = 0, p99 = 0, max = 0;
  struct Bucket {
    int64_t upper = 0;  // inclusive
    uint64_t count = 0;
  };
  std::vector<Bucket> buckets;  // non-empty ones, ascending
};

struct HopResult {
  std::string from, to;
  uint64_t client = 0, server = 0, app = 0;  // spans seen
  std::string rule;  // "triple": client, server and app span are asked for; "pair": the callee makes no app spans
  Distribution wire_gap, proxy_gap;
  Distribution own_time;  // the hop's first mesh span less the calls that the callee made meanwhile
};

struct BodyCounts {
  uint64_t received = 0, accepted = 0, refused = 0, aborted = 0;
};

struct LatencyResult {
  Distribution corrected, uncorrected, send_lateness;
};

// One bar of a waterfall. Expected bars have no ids; observed ones carry everything a span panel shows.
struct ExhibitSpan {
  int parent = -1;  // index in the same list
  std::string service_name, name, kind, role;
  std::string state;  // expected: "matched" | "missing"; observed: "matched" | "unexpected" | "defect"
  std::string defect; // code of the finding that marks this span, "" = none
  TraceId trace_id;
  SpanId span_id, parent_id;
  int64_t start_nanos = 0, duration_nanos = 0;  // start relative to the earliest span of the exhibit
  std::string status;
  std::vector<std::pair<std::string, std::string>> attributes;
};

struct Exhibit {
  std::string code, subject;  // of the finding it illustrates; "" = a passing sample
  uint64_t n = 0;             // request number
  std::vector<ExhibitSpan> expected, observed;
};

// One kind of span of a journey (verdict.md section 6): which spans lead to it, how often it was seen, which attributes
// it had, and what the profile says of both. What a profile expects and nobody saw is a line too, with count 0.
struct SignatureLine {
  std::string journey, path;              // service/KIND/name from the root on, joined by " > "
  uint64_t count = 0, traces = 0;         // spans; requests that have at least one
  std::string expected = "never";         // by the profile, in the journey's requests: always, sometimes, never
  std::vector<std::string> attributes;    // "key:type", "resource key:type"; sorted
  std::vector<std::string> unlisted;      // those of them that the profile does not name
  std::vector<std::string> absent;        // what the profile asks of every such span and none had
};

struct ScenarioResult {
  std::string name, file;
  std::optional<Verdict> verdict;      // nullopt: skipped
  std::string skipped;                 // reason
  std::string expected_verdict = "pass";
  std::vector<std::string> expected_findings;  // "HOP0601 service=checkout header=traceparent"
  bool as_expected = true;
  uint64_t requests = 0;               // planned
  std::array<uint64_t, 4> outcomes{};  // by OutcomeKind
  CountBy<RequestClass> requests_by_class{};
  CountBy<SpanClass> spans_by_class{};
  uint64_t spans_stored = 0;
  BodyCounts bodies;
  uint64_t rejected_spans = 0;
  std::vector<HopResult> hops;
  LatencyResult latency;
  std::vector<SignatureLine> signature;
  std::vector<Finding> findings;
  std::vector<Exhibit> exhibits;
  std::vector<std::string> rows;       // conformance rows that the scenario claims
  std::vector<std::string> notes;      // e.g. "arrival per request is not judged: no ledger"
  std::string drawn_fault;             // random scenarios: what the seed drew
};

struct PhaseStep {
  std::string phase, step;  // step "" = the phase itself
  int64_t start_unix_nanos = 0, end_unix_nanos = 0;
  std::string outcome;      // ok | failed | interrupted | skipped
};

// One line of the printed sums, checked on every run: left = Σ right.
struct SumCheck {
  std::string text;  // "planned 450 = ok 450 + failed 0 + indeterminate 0 + unsent 0"
  bool holds = true;
};

struct RunResult {
  std::string run_id, suite, suite_file;  // suite "" for a single scenario
  Verdict verdict = Verdict::kUnknown;
  bool suite_as_expected = true;
  int exit_code = 70;
  uint64_t seed = 0;
  std::string run_nonce, run_key;  // hex
  std::string provider, tool_version, tool_commit;
  Environment environment;
  std::vector<PhaseStep> phases;
  uint64_t redactions = 0;
  bool interrupted = false;
  CountBy<SpanClass> spans_by_class{};  // whole run; foreign and detached spans belong to no scenario
  uint64_t spans_stored = 0;
  BodyCounts bodies;
  uint64_t rejected_spans = 0;
  std::vector<SumCheck> sums;
  std::vector<Finding> findings;  // run-level ones
  std::vector<ScenarioResult> scenarios;
};

}  // namespace hopcheck
