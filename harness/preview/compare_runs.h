// Two runs by their signatures (verdict.md section 6): the same journeys must leave the same spans. What differs is
// *predicted* where the profile of each run asks for just what that run shows, and *unpredicted* otherwise.
//
// A kind of span is compared by whether it was seen, in which share of its journey's traces, how often in each, and by
// its attributes' keys and types. Counts of runs of different length are made equal that way. Where only some requests
// of a journey have the span (a version of reviews, a fault of some requests) share and number are chance. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/run_result.h"

namespace hopcheck::preview {

struct RunDifference {
  std::string journey, path;   // path of the span from the root on
  std::string what;            // "span", "share", "number", or "attribute KEY:TYPE"
  std::string first, second;   // "100 of 100 traces", "not seen" …
  enum class Class : uint8_t { kPredicted, kUnpredicted } klass = Class::kUnpredicted;
  uint64_t below = 0;          // further kinds of span that differ in the same way below this one
};

struct ScenarioComparison {
  std::string name;
  uint64_t kinds = 0;                          // kinds of span that both have
  uint64_t first_traces = 0, second_traces = 0;
  std::vector<RunDifference> differences;      // sorted by journey, path, what
  std::vector<std::string> notes;              // e.g. what chance left out on one side
};

struct RunComparison {
  std::vector<ScenarioComparison> scenarios;   // those that both runs have, in the order of the first
  std::vector<std::string> only_first, only_second;  // names; skipped scenarios count as not there
  uint64_t predicted = 0, unpredicted = 0;     // differences, those below others included
};

// Scenarios are compared with those of the same name; two runs of one scenario each, whatever they are called.
RunComparison compare_runs(const RunResult& first, const RunResult& second);

struct RunNames {
  std::string first, second;  // what was compared: paths
};
// Ends with the line "signatures equal", or with the numbers of differences.
std::string to_text(const RunComparison& comparison, const RunResult& first, const RunResult& second,
                    const RunNames& names);
std::string to_json(const RunComparison& comparison, const RunNames& names);

}  // namespace hopcheck::preview
