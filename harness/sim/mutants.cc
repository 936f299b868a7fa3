#include "sim/mutants.h"

namespace hopcheck::sim {

Planted not_applicable(std::string reason) { return {false, std::move(reason), {}}; }
Planted planted(Subject subject) { return {true, "", std::move(subject)}; }

Ground any_ground() { return {}; }

Ground sampled_ground() {
  Ground out;
  out.traceparent = TraceparentMode::kSampled;
  return out;
}

Ground headerless_ground() {
  Ground out;
  out.traceparent = TraceparentMode::kNone;
  return out;
}

Ground at_gateway() {
  Ground out;
  out.entry = Entry::kGateway;
  return out;
}

Ground half_sampled() {
  Ground out = at_gateway();
  out.traceparent = TraceparentMode::kSampled;
  out.sampling = 50;
  out.requests = 60;
  return out;
}

Ground in_mesh() {
  Ground out;
  out.entry = Entry::kMesh;
  return out;
}

const std::vector<Mutant>& mutants() {
  static const std::vector<Mutant> kAll = [] {
    std::vector<Mutant> all;
    for (auto table : {arrival_mutants, structure_mutants, identity_mutants, context_mutants, time_mutants,
                       delivery_mutants}) {
      for (Mutant& mutant : table()) all.push_back(std::move(mutant));
    }
    return all;
  }();
  return kAll;
}

Mutated apply(const Mutant& mutant, const Mesh& clean, uint64_t seed, Arena& arena) {
  Mutated out{clean, {}};
  Rng rng(seed);
  Hand hand(out.mesh, arena, rng);
  out.planted = mutant.plant(hand, mutant.which);
  if (!out.planted.applies) return out;
  if (mutant.counts_exports) count_exports(out.mesh);
  if (same_evidence(clean, out.mesh)) out.planted = not_applicable("the evidence stays as it is");
  return out;
}

}  // namespace hopcheck::sim
