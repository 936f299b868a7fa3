// What proxies counted as sent and the store does not hold (verdict.md section 1). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "check/attribution.h"

namespace hopcheck::check {

struct StoredSpans {
  uint64_t all = 0;
  uint64_t of_another_run = 0;  // in a standing mesh a late span of the run before; sent before or after our first mark
};

// Mesh spans stored, by proxy: "<pod>.<namespace>" of node_id; the gateway's spawned spans carry no node_id and go by
// the span of the same proxy that they hang under, else by service.name to the proxy that uses it. A span that is
// stored twice was sent once.
std::map<std::string, StoredSpans> stored_by_proxy(const JudgeInput& input, const Attribution& attribution);

// after - before; nothing where a counter is not exposed or was reset.
std::optional<uint64_t> delta(const std::optional<uint64_t>& before, const std::optional<uint64_t>& after);

struct Loss {
  Subject subject;      // proxy -> Collector: the proxy; Collector -> backend: the segment alone
  std::string service;  // as hops name it: "gateway", "loadgen", else the service
  std::string pod;      // "<pod>.<namespace>"
  uint64_t sent = 0, stored = 0;
  bool explained = false;  // a scenario's finding says it
  uint64_t missing() const { return sent - stored; }
};
std::vector<Loss> losses(const JudgeInput& input, const Attribution& attribution);
std::string expected_of(const Loss& loss);
std::string actual_of(const Loss& loss);

}  // namespace hopcheck::check
