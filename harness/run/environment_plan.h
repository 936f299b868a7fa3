// From scenarios to what must stand in the mesh: groups of equal environment (driven concurrently, drained once), one
// copy of a topology per way of deploying it (each in a namespace of its own), request numbers, and the fault a random
// canary draws. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "run/provider.h"

namespace hopcheck::run {

struct PlannedScenario {
  Scenario scenario;     // topology moved into its instance's namespace; inject holds the drawn fault
  size_t source = 0;     // index of the scenario as given
  size_t instance = 0;   // into EnvironmentState::instances
  size_t group = 0;
  uint64_t first_n = 0;
  bool drawn = false;    // inject was drawn from the seed
};

struct EnvironmentPlan {
  std::vector<EnvironmentState> groups;      // the first is brought up; later ones differ in Telemetry, or in naming
                                             // and spawn, which restarts the proxies: those stand together
  std::vector<PlannedScenario> scenarios;    // ordered by group, then as given
  uint64_t total_requests() const;
};

EnvironmentPlan plan_environment(const std::vector<Scenario>& scenarios, const std::string& istio, uint64_t seed);

// The random canary's draw: kind none, drop (with a header) or callTwice, at a service that calls another one.
Fault draw_fault(const Topology& topology, uint64_t seed);
// What the judge must say of an injected fault: code and subject; none for kNone.
std::vector<ExpectedFinding> findings_of_fault(const Topology& topology, const Fault& fault);
// "drop traceparent at checkout", "none".
std::string describe(const Fault& fault);

}  // namespace hopcheck::run
