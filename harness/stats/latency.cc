#include "stats/latency.h"

#include <algorithm>

namespace hopcheck::stats {

void LatencyRecorder::add(const Outcome& outcome) {
  ++outcomes_[static_cast<size_t>(outcome.kind)];
  if (outcome.kind == OutcomeKind::kUnsent) return;
  const bool first = lateness_.count() == 0;
  first_sent_ = first ? outcome.sent_unix_nanos : std::min(first_sent_, outcome.sent_unix_nanos);
  last_sent_ = first ? outcome.sent_unix_nanos : std::max(last_sent_, outcome.sent_unix_nanos);
  lateness_.add(outcome.sent_unix_nanos - outcome.due_unix_nanos);
  if (outcome.kind == OutcomeKind::kIndeterminate) return;
  corrected_.add(outcome.done_unix_nanos - outcome.due_unix_nanos);
  uncorrected_.add(outcome.done_unix_nanos - outcome.sent_unix_nanos);
}

void LatencyRecorder::merge(const LatencyRecorder& other) {
  if (other.lateness_.count() > 0) {
    const bool first = lateness_.count() == 0;
    first_sent_ = first ? other.first_sent_ : std::min(first_sent_, other.first_sent_);
    last_sent_ = first ? other.last_sent_ : std::max(last_sent_, other.last_sent_);
  }
  corrected_.merge(other.corrected_);
  uncorrected_.merge(other.uncorrected_);
  lateness_.merge(other.lateness_);
  for (size_t i = 0; i < outcomes_.size(); ++i) outcomes_[i] += other.outcomes_[i];
}

LatencyResult LatencyRecorder::result() const {
  return {corrected_.distribution(), uncorrected_.distribution(), lateness_.distribution()};
}

double LatencyRecorder::achieved_rate() const {
  if (sent() < 2 || last_sent_ <= first_sent_) return 0;
  return static_cast<double>(sent() - 1) * 1e9 / static_cast<double>(last_sent_ - first_sent_);
}

double LatencyRecorder::share_later_than(int64_t limit_nanos) const {
  if (sent() == 0) return 0;
  return static_cast<double>(lateness_.count_above(limit_nanos)) / static_cast<double>(sent());
}

}  // namespace hopcheck::stats
