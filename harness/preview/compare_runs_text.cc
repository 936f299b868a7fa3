// compare_runs as text and as JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "preview/compare_runs.h"

namespace hopcheck::preview {
namespace {

using Json = nlohmann::ordered_json;
using Class = RunDifference::Class;

const char* to_string(Class klass) { return klass == Class::kPredicted ? "predicted" : "unpredicted"; }

std::string run_line(const RunResult& run, const std::string& path) {
  std::vector<std::string> facts{run.provider.empty() ? "provider not known" : run.provider};
  if (!run.environment.istio.empty()) facts.push_back("Istio " + run.environment.istio);
  if (!run.environment.transport.empty()) facts.push_back(run.environment.transport);
  facts.push_back(to_string(run.verdict));
  return printable(fmt::format("{}  ({})", path, fmt::join(facts, ", ")));
}

// The span itself is the last step of its path; the first ones are the same for many.
std::string place(const std::string& path) {
  const size_t last = path.rfind(" > ");
  return last == std::string::npos ? path : "… > " + path.substr(last + 3);
}

std::string difference_text(const RunDifference& difference) {
  const auto line = [](const std::string& text) { return printable(text) + "\n"; };
  std::string out = line(fmt::format("  {:<11}  {}: {}: {}", to_string(difference.klass), difference.journey,
                                     place(difference.path), difference.what));
  out += line(fmt::format("{:15}first: {}   second: {}", "", difference.first, difference.second));
  if (difference.below > 0)
    out += fmt::format("{:15}and {} kinds of span below it in the same way\n", "", difference.below);
  return out;
}

std::string total(const RunComparison& comparison) {
  const uint64_t all = comparison.predicted + comparison.unpredicted;
  if (all == 0) return "signatures equal\n";
  return fmt::format("signatures differ in {}: {} predicted by the profiles, {} unpredicted\n", all,
                     comparison.predicted, comparison.unpredicted);
}

}  // namespace

std::string to_text(const RunComparison& comparison, const RunResult& first, const RunResult& second,
                    const RunNames& names) {
  std::string out = "first   " + run_line(first, names.first) + "\nsecond  " + run_line(second, names.second) + "\n\n";
  for (const ScenarioComparison& scenario : comparison.scenarios) {
    out += printable(fmt::format("{}: {} kinds of span in both, {} and {} traces: {}", scenario.name, scenario.kinds,
                                 scenario.first_traces, scenario.second_traces,
                                 scenario.differences.empty()
                                     ? std::string("equal")
                                     : fmt::format("{} differences", scenario.differences.size()))) +
           "\n";
    for (const RunDifference& difference : scenario.differences) out += difference_text(difference);
    for (const std::string& note : scenario.notes) out += printable("  note: " + note) + "\n";
  }
  for (const std::string& name : comparison.only_first) out += printable(name + ": only in the first run") + "\n";
  for (const std::string& name : comparison.only_second) out += printable(name + ": only in the second run") + "\n";
  return out + "\n" + total(comparison);
}

std::string to_json(const RunComparison& comparison, const RunNames& names) {
  Json out{{"schemaVersion", 1}, {"first", names.first}, {"second", names.second}};
  out["predicted"] = comparison.predicted;
  out["unpredicted"] = comparison.unpredicted;
  out["onlyFirst"] = comparison.only_first;
  out["onlySecond"] = comparison.only_second;
  out["scenarios"] = Json::array();
  for (const ScenarioComparison& scenario : comparison.scenarios) {
    Json differences = Json::array();
    for (const RunDifference& d : scenario.differences) {
      differences.push_back({{"journey", d.journey}, {"path", d.path}, {"what", d.what}, {"first", d.first},
                             {"second", d.second}, {"class", to_string(d.klass)}, {"below", d.below}});
    }
    out["scenarios"].push_back({{"name", scenario.name}, {"kinds", scenario.kinds},
                                {"firstTraces", scenario.first_traces}, {"secondTraces", scenario.second_traces},
                                {"differences", differences}, {"notes", scenario.notes}});
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hopcheck::preview
