// Findings and verdicts: what the judge says (verdict.md sections 2 and 7).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"

namespace hopcheck {

enum class Verdict : uint8_t { kPass, kUnknown, kFail };  // worst wins
const char* to_string(Verdict verdict);                   // "pass" …
inline Verdict worst(Verdict a, Verdict b) { return a > b ? a : b; }

struct Subject {
  std::string service;
  std::string hop;     // "checkout->payments"
  std::string header;  // traceparent, tracestate, x-request-id
  std::string object;  // Kubernetes object, span name, attribute key …
  auto operator<=>(const Subject&) const = default;
};
// "service=checkout header=traceparent"; parts in the order of the fields, empty ones left out.
std::string subject_key(const Subject& subject);

struct Witness {
  TraceId trace_id;
  SpanId span_id;
  auto operator<=>(const Witness&) const = default;
};

// A finding that is only the result of another one; listed under its cause, not counted as a finding.
struct Consequence {
  std::string code;
  std::string subject;
  uint64_t count = 0;
};

struct Finding {
  std::string code;      // HOPffnn
  Verdict severity = Verdict::kFail;  // kFail or kUnknown
  std::string title;
  Subject subject;
  std::string expected;
  std::string actual;
  uint64_t count = 0;    // requests (or spans, for span-level codes) hit
  std::vector<Witness> witnesses;  // the k smallest
  std::vector<Consequence> consequences;
  std::string hint;
  std::string page;       // docs/rules/HOPffnn.md
  std::string reproduce;  // command line
  std::string scenario;
};

}  // namespace hopcheck
