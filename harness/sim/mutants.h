// Mutants: named, seeded defects of a run's evidence. Each is owned by one rule: judged, the run must give exactly the
// finding of that rule at the planted subject, and what follows from it only as declared consequences. Pure.
// A rule without a mutant fails a test and `hopcheck selftest`.
#pragma once

#include <string>
#include <vector>

#include "sim/edit.h"

namespace hopcheck::sim {

// What a mutant did. Not applicable: this mesh gives it nothing to do, for the reason said.
struct Planted {
  bool applies = true;
  std::string reason;
  Subject subject;  // of the finding that must come
};
Planted not_applicable(std::string reason);
Planted planted(Subject subject);

struct Mutant {
  std::string name;
  std::string code;  // the rule that owns it; "" = harmless: no finding may come
  Ground ground;
  std::vector<std::string> consequences;  // codes that may stand under the finding
  Planted (*plant)(Hand& hand, int which);
  int which = 0;  // for mutants of a series: the service, the naming mode …
  bool counts_exports = true;  // proxies count what they send; false: the mutant set the counters itself
};

// In a fixed order: by family, then as written.
const std::vector<Mutant>& mutants();

// Plants it in a copy of the clean mesh; `arena` holds what is new.
struct Mutated {
  Mesh mesh;
  Planted planted;
};
Mutated apply(const Mutant& mutant, const Mesh& clean, uint64_t seed, Arena& arena);

// The families' tables; mutants() joins them.
std::vector<Mutant> arrival_mutants();    // 01
std::vector<Mutant> structure_mutants();  // 02, 03, 11
std::vector<Mutant> identity_mutants();   // 04, 05
std::vector<Mutant> context_mutants();    // 06
std::vector<Mutant> time_mutants();       // 07
std::vector<Mutant> delivery_mutants();   // 08, 10

// Grounds that several tables use.
Ground any_ground();
Ground sampled_ground();
Ground headerless_ground();
Ground at_gateway();
Ground half_sampled();  // at the gateway, with our sampled traceparent, 60 requests at 50 %
Ground in_mesh();  // a proxy stands at the entry: gateway or client

}  // namespace hopcheck::sim
