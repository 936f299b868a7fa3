#include "check/skew.h"

#include <algorithm>

#include "base/text.h"

namespace hopcheck::check {
namespace {

int64_t minus(uint64_t a, uint64_t b) {
  constexpr uint64_t kMost = INT64_MAX;
  return a >= b ? static_cast<int64_t>(std::min(a - b, kMost)) : -static_cast<int64_t>(std::min(b - a, kMost));
}

bool gave_up(const SpanInfo& client, const SpanInfo& server) {
  const auto has = [](std::string_view flags, std::string_view flag) {
    const auto items = split(flags, ',');
    return std::find(items.begin(), items.end(), flag) != items.end();
  };
  return client.canceled || has(client.response_flags, "UT") || has(server.response_flags, "DC");
}

SkewBook::Pods pods_of(const Span& client, const Span& server) {
  return {std::string(proxy_key(client)), std::string(proxy_key(server))};
}

}  // namespace

void SkewInterval::merge(const SkewInterval& other) {
  // Equal bounds keep the smaller witness, so that the order of merging shows nowhere.
  if (other.low > low || (other.low == low && other.low_witness < low_witness)) {
    low = other.low;
    low_witness = other.low_witness;
  }
  if (other.high < high || (other.high == high && other.high_witness < high_witness)) {
    high = other.high;
    high_witness = other.high_witness;
  }
  pairs += other.pairs;
}

bool SkewInterval::constant(int64_t tolerance_nanos) const {
  constexpr uint64_t kLeastPairs = 5;  // fewer tell a late process from a clock only by chance
  return pairs >= kLeastPairs && !empty() && (low > tolerance_nanos || high < -tolerance_nanos);
}

void SkewBook::add(const Span& client, const SpanInfo& client_info, const Span& server, const SpanInfo& server_info) {
  SkewInterval one;
  one.low = minus(client.start_unix_nanos, server.start_unix_nanos);
  if (!gave_up(client_info, server_info)) one.high = minus(client.end_unix_nanos, server.end_unix_nanos);
  one.low_witness = one.high_witness = {server.trace_id, server.span_id};
  one.pairs = 1;
  const auto [entry, fresh] = pairs_.emplace(pods_of(client, server), one);
  if (!fresh) entry->second.merge(one);
}

void SkewBook::merge(const SkewBook& other) {
  for (const auto& [pods, interval] : other.pairs_) {
    const auto [entry, fresh] = pairs_.emplace(pods, interval);
    if (!fresh) entry->second.merge(interval);
  }
}

const SkewInterval* SkewBook::find(const Span& client, const Span& server) const {
  const auto found = pairs_.find(pods_of(client, server));
  return found == pairs_.end() ? nullptr : &found->second;
}

}  // namespace hopcheck::check
