// The ledger: what was sent. Intents are a pure function of a LoadPlan and n (plan/intent.h); outcomes are what the
// client saw.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/scenario.h"

namespace hopcheck {

// The run's tag (verdict.md section 0). Both are in run.json; the key is no secret, it only makes ids ours.
struct RunTag {
  std::array<uint8_t, 16> key{};
  uint64_t nonce = 0;
};

// Everything a driver needs to send one scenario's requests: shipped as JSON to the in-cluster agents.
struct LoadPlan {
  RunTag tag;
  uint64_t first_n = 0;  // requests are first_n … first_n + count - 1
  uint64_t count = 0;
  bool warmup = false;   // hop tag is "<run8>-w<n>" and nothing is judged
  double rate = 50;
  TraceparentMode traceparent = TraceparentMode::kSampled;
  TagMode tag_mode = TagMode::kQuery;
  std::string trace_state;
  bool request_id = false;  // our x-request-id goes out without a traceparent too
  std::vector<Journey> journeys;
  std::string base_url;     // http://127.0.0.1:30080 (plain HTTP only)
  std::string host_header;  // "" = from base_url
  int64_t timeout_nanos = 15'000'000'000;
  int max_in_flight = 256;
};

// One request as planned.
struct Intent {
  uint64_t n = 0;
  uint32_t journey = 0;
  int64_t due_offset_nanos = 0;  // after the start of the drive
  TraceId trace_id;              // zero in header-less mode
  SpanId span_id;                // the parent id in our traceparent; never exported
  bool sampled = false;
  std::string request_id;   // UUID with '4' at index 14
  std::string trace_state;  // "" = none sent
  std::string hop;          // "<run8>-<n>"; "" when tagging is off
};

enum class OutcomeKind : uint8_t { kUnsent, kOk, kFailed, kIndeterminate };
const char* to_string(OutcomeKind kind);  // "ok" …

// Fixed-size; an array of these indexed by n - first_n is the ledger at run time.
struct Outcome {
  uint64_t n = 0;
  int64_t due_unix_nanos = 0;
  int64_t sent_unix_nanos = 0;
  int64_t done_unix_nanos = 0;
  OutcomeKind kind = OutcomeKind::kUnsent;
  uint16_t status = 0;  // HTTP code, 0 when none
};

// One ledger line (ledger.jsonl), also what `check --ledger` reads.
struct LedgerEntry {
  Intent intent;
  std::string journey;
  std::string scenario;
  Outcome outcome;
};

}  // namespace hopcheck
