#include "run/earlier_facts.h"

#include <algorithm>
#include <optional>

namespace hopcheck::run {
namespace {

void add(std::optional<uint64_t>& after, const std::optional<uint64_t>& from, const std::optional<uint64_t>& to) {
  if (!after || !from || !to || *to < *from) {
    after = std::nullopt;  // unknown before or after: the sum is unknown
    return;
  }
  *after += *to - *from;
}

}  // namespace

void keep_counters(const Environment& environment, EarlierFacts& earlier) {
  Environment sum = environment;
  add_counters(earlier, sum);
  earlier = {std::move(sum.proxies), sum.collector_fact.restarts, sum.sink_restarts};
}

void add_counters(const EarlierFacts& earlier, Environment& environment) {
  for (const ProxyFact& old : earlier.proxies) {
    const auto same = std::find_if(environment.proxies.begin(), environment.proxies.end(),
                                   [&](const ProxyFact& fact) { return fact.ns == old.ns && fact.pod == old.pod; });
    if (same == environment.proxies.end()) {
      environment.proxies.push_back(old);
      continue;
    }
    add(same->sent_after, old.sent_before, old.sent_after);
    add(same->dropped_after, old.dropped_before, old.dropped_after);
    same->restarts += old.restarts;
  }
  environment.collector_fact.restarts += earlier.collector_restarts;
  environment.sink_restarts += earlier.sink_restarts;
}

}  // namespace hopcheck::run
