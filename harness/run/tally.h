// Counts the spans of each request as they arrive, for the drain and the progress line. An estimate for pacing the
// wait; the judge reads the whole capture. Not thread-safe; bounded by the number of traces of the run.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/ledger.h"
#include "model/span.h"
#include "plan/intent.h"

namespace hopcheck::run {

class Tally {
 public:
  explicit Tally(const RunTag& tag);
  // Requests first_n … first_n + count - 1 are complete with `spans` spans each. Call before their spans arrive.
  void expect(uint64_t first_n, uint64_t count, uint32_t spans);
  // Returns whether the span is attributed to this run (warm-up and control included).
  bool add(const Span& span);
  // Answered requests that are still short of spans, among those before `next_n`.
  uint64_t due_missing(const std::vector<bool>& answered) const;
  uint64_t spans() const { return spans_; }
  bool seen(const TraceId& id) const { return traces_.count(id) > 0; }

 private:
  struct Trace {
    uint32_t spans = 0;
    std::optional<uint64_t> n;
    bool ours = false;
  };
  void credit(uint64_t n, uint32_t spans);

  plan::TagCipher cipher_;
  std::string run8_;
  std::unordered_map<TraceId, Trace, IdHash> traces_;
  std::vector<uint32_t> expected_, arrived_;  // by n
  uint64_t spans_ = 0;
};

}  // namespace hopcheck::run
