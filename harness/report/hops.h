// What the hops of a scenario say together: who calls whom, and which hop takes the longest by itself. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/run_result.h"

namespace hopcheck::report {

// Caller and callee of every hop of which a mesh span was seen, ascending: the dependencies as the traces show them.
std::vector<std::pair<std::string, std::string>> dependency_edges(const ScenarioResult& scenario);

// Hops by their own time, longest median first, then by the 99th percentile, then in the order of the result. Hops
// without a measured span are left out.
std::vector<const HopResult*> slowest_first(const ScenarioResult& scenario);
// "slowest hop of bottleneck: checkout → payments, 701 ms of its own (median)"; "" with fewer than two measured hops.
std::string slowest_hop(const ScenarioResult& scenario);

// The number of app spans; "none (pair rule)" where the callee makes none and client and server span are all that is
// asked for.
std::string app_cell(const HopResult& hop);

}  // namespace hopcheck::report
