#include "run/tally.h"

namespace hopcheck::run {

Tally::Tally(const RunTag& tag) : cipher_(tag), run8_(cipher_.run8()) {}

void Tally::expect(uint64_t first_n, uint64_t count, uint32_t spans) {
  if (expected_.size() < first_n + count) {
    expected_.resize(first_n + count, 0);
    arrived_.resize(first_n + count, 0);
  }
  for (uint64_t n = first_n; n < first_n + count; ++n) expected_[n] = spans;
}

void Tally::credit(uint64_t n, uint32_t spans) {
  if (n < arrived_.size()) arrived_[n] += spans;
}

bool Tally::add(const Span& span) {
  ++spans_;
  Trace& trace = traces_[span.trace_id];
  ++trace.spans;
  if (trace.n) {
    credit(*trace.n, 1);
    return true;
  }
  if (trace.ours) return true;
  if (const auto own = cipher_.request_of(span.trace_id)) {
    trace.ours = true;
    trace.n = *own;
  } else if (const auto hop = plan::parse_hop(span.attributes.text("http.url"), run8_)) {
    trace.ours = true;
    if (!hop->warmup) trace.n = hop->n;
  }
  if (trace.n) credit(*trace.n, trace.spans);
  return trace.ours;
}

uint64_t Tally::due_missing(const std::vector<bool>& answered) const {
  uint64_t missing = 0;
  for (size_t n = 0; n < expected_.size() && n < answered.size(); ++n) {
    if (answered[n] && arrived_[n] < expected_[n]) ++missing;
  }
  return missing;
}

}  // namespace hopcheck::run
