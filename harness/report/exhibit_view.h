// How an exhibit is laid out before it is drawn: the order and depth of its spans, the pieces a trace fell into,
// links that should be there, and the gaps between a hop's two ends. Pure; bounded by the number of spans; cycles
// are cut.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/run_result.h"

namespace hopcheck::report {

struct TreeRow {
  size_t span = 0;  // index into the exhibit's list
  int depth = 0;
  int parent_row = -1;     // row of the parent, or of the one it should have when `broken`
  bool broken = false;     // the link to parent_row is expected and not there
  bool new_trace = false;  // its trace id differs from the row above it in the tree (or it is the first of all)
  enum class Gap : uint8_t { kNone, kWire, kProxy } gap = Gap::kNone;
  int64_t gap_nanos = 0;  // duration of the parent minus its own
};

// The expected tree in preorder.
std::vector<TreeRow> expected_rows(const Exhibit& exhibit);
// The observed spans, each piece hung where the expectation has it, so that both pictures read in the same order.
std::vector<TreeRow> observed_rows(const Exhibit& exhibit);

// Names of the fields and attributes of this span that its finding is about: "parent span id", "name",
// "istio.mesh_id" …
std::vector<std::string> offending_keys(const ExhibitSpan& span, const std::string& code, const std::string& subject);

size_t count_traces(const std::vector<ExhibitSpan>& spans);

}  // namespace hopcheck::report
