// One expected tree: a journey through a topology under one choice of what may vary, declared faults included.
// Pure. Statuses: a proxy passes on what it gets, so the status of a hop is known up to the first app above a fault;
// what that app makes of a failed call is its own business and not asked (http_status 0). Only where a caller's retry
// policy depends on it, an app is taken to pass errors on: any 5xx as 5xx, else the first 4xx.
// Sources: facts 2.5 (faults), 9.2 to 9.4 and 9.10 (measured), captures faults, noendpoint, retry-*, unknownhost.
#pragma once

#include <string>
#include <vector>

#include "model/expectation.h"
#include "model/scenario.h"
#include "plan/expand.h"

namespace hopcheck::plan {

// Which workload answers, and whether a service that fails only some of its requests fails this one.
struct Choice {
  std::vector<size_t> workload;  // by service
  std::vector<bool> fails;       // by service
};

// The tree stops growing at this many spans; expand() refuses it.
inline constexpr size_t kMaxSpans = 4096;

ExpectedTree build_tree(const Scenario& scenario, const ProfileBinding& binding, const Choice& choice,
                        const Journey& journey);

}  // namespace hopcheck::plan
