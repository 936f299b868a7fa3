// How others test that traces arrive, for comparison with the judge: what each would have said of a mutant. Pure.
#pragma once

#include "sim/mesh.h"

namespace hopcheck::sim {

// "Some trace matches", as in Istio's own integration tests of tracing: a wanted span is found when name and service
// agree, it has at least as many children as wanted, and these agree pairwise in order of start. One trace in which one
// expected tree is found is enough.
bool any_trace_matches(const Mesh& mesh);

// "Count is at least n", as in Odigos' end-to-end tests: for each service name, as many spans as expected or more.
// `wanted` is the mesh as it should have been.
bool counts_suffice(const Mesh& mesh, const Mesh& wanted);

}  // namespace hopcheck::sim
