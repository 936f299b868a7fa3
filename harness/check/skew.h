// Clock skew between two pods, told apart from broken nesting (verdict.md section 5). The clock of a CLIENT span and of
// the SERVER span under it may differ by any s of [client.start − server.start, client.end − server.end]; what all
// pairs of two pods allow is the intersection of these. Not empty and without 0: the clocks differ, by a constant.
// Empty: no constant explains it, the nesting is broken. One pass, mergeable, order-free. Pure; times in nanoseconds.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "check/attribution.h"
#include "check/span_info.h"
#include "model/span.h"

namespace hopcheck::check {

// How far the server's clock is behind the client's, as far as the pairs seen tell.
struct SkewInterval {
  int64_t low = INT64_MIN;   // max of client.start − server.start
  int64_t high = INT64_MAX;  // min of client.end − server.end
  std::pair<TraceId, SpanId> low_witness, high_witness;  // SERVER spans that set the bounds
  uint64_t pairs = 0;

  void merge(const SkewInterval& other);
  bool empty() const { return low > high; }
  // A constant difference that the tolerance does not cover.
  bool constant(int64_t tolerance_nanos) const;
};

class SkewBook {
 public:
  using Pods = std::pair<std::string, std::string>;  // client's proxy, server's proxy (proxy_key)

  // `client` is the parent of `server`. Ends count only where the client waited for its server: not when it gave up
  // (UT, canceled) or the server lost it (DC), nor with a client that has several servers below it (retries).
  void add(const Span& client, const SpanInfo& client_info, const Span& server, const SpanInfo& server_info);
  void merge(const SkewBook& other);
  const SkewInterval* find(const Span& client, const Span& server) const;
  const std::map<Pods, SkewInterval>& all() const { return pairs_; }

 private:
  std::map<Pods, SkewInterval> pairs_;
};

}  // namespace hopcheck::check
