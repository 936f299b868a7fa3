// Injected causes against diagnosed ones: which pairs may be tried, what a trial gave, and the table. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/injection.h"

namespace hopcheck::doctor {

// One cause, or two at once: brought about, driven, diagnosed, mended, driven and diagnosed again.
struct Trial {
  std::vector<std::string> injected;   // ids of causes
  std::vector<std::string> diagnosed;  // by the doctor while in force
  std::vector<std::string> wrong_subjects;  // "found …, expected …"
  std::vector<std::string> expected_findings, findings;  // codes of the verdict while in force; sorted
  bool findings_asked = true;          // of a single cause; what two give together is not foretold
  std::vector<std::string> fixes;      // commands that were run to mend it
  bool fix_printed = true;             // all of them as the doctor printed them
  std::vector<std::string> after;      // causes found after the fix
  int exit_after = -1;                 // of the run after it
  double seconds = 0;
  std::string problem;                 // what kept the trial from its end, "" = nothing did

  bool named() const;   // exactly these causes, with their subjects, and the verdict's findings
  bool mended() const;  // afterwards the run passes and the doctor finds nothing
};

// Indices into suite.injections, each pair once: nothing changed by both, neither hides nor explains the other. What
// the seed draws uses each injection as seldom as it can. Fewer than suite.pairs when there are no more.
std::vector<std::pair<size_t, size_t>> draw_pairs(const InjectionSuite& suite, uint64_t seed);

// "" when each cause of the suite is one of the catalogue, else what is wrong.
std::string unknown_cause(const InjectionSuite& suite);

// What a trial gave otherwise than it should, in a few words; "" when nothing.
std::string wrong_with(const Trial& trial);
// The table of single causes, the pairs, and one line for each trial that went wrong.
std::string to_text(const std::vector<Trial>& trials);
std::string to_json(const std::vector<Trial>& trials);
bool all_right(const std::vector<Trial>& trials);

}  // namespace hopcheck::doctor
