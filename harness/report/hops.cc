#include "report/hops.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace hopcheck::report {

std::vector<std::pair<std::string, std::string>> dependency_edges(const ScenarioResult& scenario) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const HopResult& hop : scenario.hops) {
    if (hop.client + hop.server > 0) out.emplace_back(hop.from, hop.to);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<const HopResult*> slowest_first(const ScenarioResult& scenario) {
  std::vector<const HopResult*> out;
  for (const HopResult& hop : scenario.hops) {
    if (hop.own_time.count > 0) out.push_back(&hop);
  }
  std::stable_sort(out.begin(), out.end(), [](const HopResult* a, const HopResult* b) {
    return std::pair(a->own_time.p50, a->own_time.p99) > std::pair(b->own_time.p50, b->own_time.p99);
  });
  return out;
}

std::string slowest_hop(const ScenarioResult& scenario) {
  const std::vector<const HopResult*> hops = slowest_first(scenario);
  if (hops.size() < 2) return "";
  return fmt::format("slowest hop of {}: {} → {}, {} of its own (median)", printable(scenario.name),
                     printable(hops[0]->from), printable(hops[0]->to), format_nanos(hops[0]->own_time.p50));
}

std::string app_cell(const HopResult& hop) {
  return hop.app == 0 && hop.rule == "pair" ? "none (pair rule)" : std::to_string(hop.app);
}

}  // namespace hopcheck::report
