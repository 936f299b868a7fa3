// What a mesh would emit for one request, from its expected tree: for the judge's canary, tests and whole runs
// (mesh.h). Pure and seeded. Strings live in the arena.
#pragma once

#include <string>
#include <vector>

#include "base/arena.h"
#include "base/rng.h"
#include "model/expectation.h"
#include "model/ledger.h"

namespace hopcheck::sim {

struct SynthesisInput {
  const ExpectedTree* tree = nullptr;
  TraceId trace_id;            // of the whole trace
  SpanId root_parent;          // our traceparent's parent id, zero without one
  std::string trace_state;
  std::string request_id = "5f0c8d1e-7a3b-9c4d-8e2f-90a1b2c3d4e5";
  std::string query;       // of http.url: "hop=0123abcd-7"; "" none
  std::string user_agent = "hopcheck";
  uint64_t start_unix_nanos = 1'767'225'600'000'000'000;
};

// The name its span gets: one that holds the authority says the one of http.url.
std::string name_of(const ExpectedSpan& node);
// Never zero.
SpanId random_span_id(Rng& rng);
TraceId random_trace_id(Rng& rng);
// Pod of a workload's only replica: "<deployment>-<replica set hash>-<suffix>".
std::string pod_name(const std::string& workload);

// One span per node, same order; children lie inside their parents.
std::vector<Span> synthesize(const SynthesisInput& input, Arena& arena, Rng& rng);

// Named, seeded defects; each must be reported by the judge as something.
enum class Mutation : uint8_t {
  kRemove,
  kZeroParent,
  kRename,
  kServiceName,
  kKind,
  kEarlyStart,
  kOtherTrace,
  kExtra,
  kCount
};
const char* to_string(Mutation mutation);
// Applies it to one span drawn from rng (never one the mutation would leave unchanged). Returns the index of the span.
size_t mutate(Mutation mutation, std::vector<Span>& spans, Arena& arena, Rng& rng);

}  // namespace hopcheck::sim
