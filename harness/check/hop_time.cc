#include "check/hop_time.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace hopcheck::check {

std::optional<int64_t> own_nanos(const Observed& observed, const ExpectedTree& tree, const Match& match, size_t top) {
  if (match.span_of[top] < 0) return std::nullopt;
  const Span& own = *observed.spans[match.span_of[top]];
  const uint64_t begin = own.start_unix_nanos, end = std::max(begin, own.end_unix_nanos);
  std::vector<bool> below(tree.spans.size(), false);  // under `top`, with no other hop between
  below[top] = true;
  std::vector<std::pair<uint64_t, uint64_t>> calls;
  for (size_t i = top + 1; i < tree.spans.size(); ++i) {
    const ExpectedSpan& node = tree.spans[i];
    if (node.parent < 0 || !below[node.parent]) continue;
    const bool next_hop = node.role != ProxyRole::kNone && node.role != ProxyRole::kInbound;
    below[i] = !next_hop;
    if (!next_hop || match.span_of[i] < 0) continue;
    const Span& call = *observed.spans[match.span_of[i]];
    const uint64_t from = std::clamp(call.start_unix_nanos, begin, end);
    calls.emplace_back(from, std::clamp(call.end_unix_nanos, from, end));
  }
  std::sort(calls.begin(), calls.end());
  uint64_t waited = 0, reached = begin;
  for (const auto& [from, to] : calls) {
    const uint64_t start = std::max(from, reached);
    if (to > start) waited += to - start;
    reached = std::max(reached, to);
  }
  return static_cast<int64_t>(std::min<uint64_t>(end - begin - waited, INT64_MAX));
}

}  // namespace hopcheck::check
