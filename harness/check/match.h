// Matching one request's observed spans to its expected tree: first by exact parent link, then by identity alone (a
// span whose link is wrong is still that span), then by place alone (a span whose name or kind is wrong). Pure,
// near-linear, iterative.
#pragma once

#include <vector>

#include "check/span_info.h"
#include "model/expectation.h"
#include "model/ledger.h"

namespace hopcheck::check {

// One request as the judge sees it: all pieces attributed to it.
struct Observed {
  std::vector<const Span*> spans;   // ordered by (start, trace, span id)
  std::vector<SpanInfo> infos;      // parallel to spans
  TraceId own_trace;                // zero: no traceparent of ours was sent
  SpanId own_parent;
};

enum class Link : uint8_t {
  kNone,           // expected span not matched
  kExact,          // parent is the matched expected parent (or the root's parent is ours / none)
  kSkipsMissing,   // expected parent is missing; hangs under the nearest matched ancestor
  kUnknownParent,  // parent id belongs to no observed span; the expected parent is missing too
  kOrphan,         // parent id belongs to no observed span, though the expected parent is there
  kWrongParent,    // parent is another observed span
  kSecondRoot,     // no parent id, same trace as the expected parent
  kOtherTrace,     // started a trace of its own
};

struct Match {
  std::vector<int> span_of;      // by expected index; -1 missing
  std::vector<Link> link;        // by expected index
  std::vector<bool> relaxed;     // matched by place alone: name, kind or service differs
  std::vector<int> expected_of;  // by span index; -1 unexpected
  std::vector<int> parent_of;    // by span index: index of the observed parent span, -1 none
  size_t missing = 0, unexpected = 0, bad_links = 0;
  // What is there and not expected rules a variant out more than what is expected and not there: that may be lost.
  size_t cost() const { return missing * 2 + unexpected * 3 + bad_links; }
};

Match match_tree(const Observed& observed, const ExpectedTree& tree);

}  // namespace hopcheck::check
