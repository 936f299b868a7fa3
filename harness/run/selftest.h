// The judge's own test: every mutant (sim/mutants.h) × profile × topology × seed is judged by check::judge, and must
// give exactly the finding of the rule that owns it; clean meshes must give none. Each rule is switched off as well,
// for one of its mutants in each block of the first seed: that mutant must then not be caught. Pure; blocks are
// independent, so that the caller may spread them over threads.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/mesh_profile.h"
#include "model/topology.h"

namespace hopcheck::run {

struct SelftestPlan {
  std::vector<MeshProfile> profiles;
  std::vector<Topology> topologies;
  uint64_t first_seed = 1;
  uint64_t seeds = 1;
  std::vector<std::string> without_rules;  // rules that do not exist for the judge
  std::vector<std::string> only_rules;     // mutants of these rules alone; empty: all
  size_t blocks() const { return profiles.size() * topologies.size() * seeds; }
};

// How often a rule was switched off for one of its mutants, and how often that was noticed: the mutant was not caught.
struct SwitchedOff {
  uint64_t tried = 0, noticed = 0;
};

// One combination that did not come out as it must. `mutant` "" = a clean mesh.
struct SelftestFailure {
  std::string mutant, profile, topology, ground;
  uint64_t seed = 0;
  std::string wanted, got;
};

struct MutantTally {
  uint64_t planted = 0, caught = 0;
  uint64_t any_match_passes = 0, count_passes = 0;  // what the simpler tests would have let pass, of `planted`
  std::map<std::string, uint64_t> not_applicable;   // by reason
};

struct SelftestTally {
  std::map<size_t, MutantTally> mutants;  // by index in sim::mutants()
  uint64_t clean_runs = 0, false_findings = 0;
  std::map<std::string, SwitchedOff> switched_off;  // by rule
  std::vector<SelftestFailure> failures;
  void merge(const SelftestTally& other);
};

// Block b of plan.blocks(): one profile, topology and seed.
SelftestTally selftest_block(const SelftestPlan& plan, size_t block);

struct SelftestSummary {
  uint64_t planted = 0, caught = 0, clean_runs = 0, false_findings = 0;
  uint64_t defects = 0, any_match_missed = 0, count_missed = 0;  // of the mutants that are defects
  std::vector<std::string> rules_without_mutant;                 // none planted anywhere
  uint64_t rules_switched_off = 0;                               // tried one by one
  std::vector<std::string> rules_unnoticed;  // switched off, and a mutant came out as if they were on
  bool passed = false;
};
SelftestSummary summarise(const SelftestPlan& plan, const SelftestTally& tally);

// Rules of the catalogue that no mutant of the table names.
std::vector<std::string> rules_without_mutant();

}  // namespace hopcheck::run
