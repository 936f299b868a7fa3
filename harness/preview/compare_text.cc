#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "preview/compare.h"

namespace hopcheck::preview {
namespace {

using Json = nlohmann::ordered_json;

std::string places_text(const std::vector<std::string>& places) {
  std::string out;
  for (const std::string& place : places) out += (out.empty() ? "" : ", ") + place;
  return out;
}

// Counts of every journey and variant; the fewest and the most when they differ.
std::string counts_line(const std::vector<Outline>& outlines) {
  std::string out;
  for (const Outline& one : outlines) {
    out += fmt::format("{}{}{}: {}", out.empty() ? "" : " | ", one.journey,
                       one.variant.empty() ? "" : " (" + one.variant + ")", counts_text(one));
  }
  return out;
}

Json counts_json(const std::vector<Outline>& outlines) {
  Json out = Json::array();
  for (const Outline& one : outlines) {
    out.push_back({{"journey", one.journey},
                   {"variant", one.variant},
                   {"mesh", one.mesh},
                   {"app", one.app},
                   {"services", one.by_where}});
  }
  return out;
}

}  // namespace

std::string compare_text(const Comparison& comparison, const Question& question) {
  std::string out =
      fmt::format("{} -> {}: topology {}, entry {}, naming {}\n\nbefore  {}\nafter   {}\n\n", comparison.before,
                  comparison.after, question.topology.name, to_string(question.entry), to_string(question.naming),
                  counts_line(comparison.first), counts_line(comparison.last));
  out += comparison.differences.empty() ? "nothing changes in the spans\n" : "what changes\n";
  for (const Difference& item : comparison.differences) {
    out += fmt::format("  {}{}: {} -> {}{}\n", item.kind, item.what.empty() ? "" : " " + item.what, item.before,
                       item.after, item.where.empty() ? "" : "  [" + places_text(item.where) + "]");
  }
  if (!comparison.notes.empty()) out += "\nbeyond the spans\n";
  for (const ProfileNote& note : comparison.notes) out += fmt::format("  {} ({})\n", note.text, note.source);
  out += "\nstep by step\n";
  for (size_t i = 0; i < comparison.steps.size(); ++i) {
    const Step& step = comparison.steps[i];
    out += fmt::format("  {}. {}\n     {}\n", i, step.upgraded.empty() ? "nothing yet" : step.upgraded + " upgraded",
                       counts_line(step.outlines));
    for (const std::string& note : step.notes) out += "     " + note + "\n";
    out += waterfall(step.outlines.back(), Versions::kShow, "       ");
  }
  return out;
}

std::string compare_json(const Comparison& comparison, const Question& question) {
  Json out{{"before", comparison.before},
           {"after", comparison.after},
           {"topology", question.topology.name},
           {"entry", to_string(question.entry)},
           {"naming", to_string(question.naming)}};
  out["counts"] = {{"before", counts_json(comparison.first)}, {"after", counts_json(comparison.last)}};
  out["differences"] = Json::array();
  for (const Difference& item : comparison.differences) {
    out["differences"].push_back({{"kind", item.kind},
                                  {"what", item.what},
                                  {"before", item.before},
                                  {"after", item.after},
                                  {"where", item.where}});
  }
  out["notes"] = Json::array();
  for (const ProfileNote& note : comparison.notes)
    out["notes"].push_back({{"text", note.text}, {"source", note.source}});
  out["steps"] = Json::array();
  for (const Step& step : comparison.steps)
    out["steps"].push_back(
        {{"upgraded", step.upgraded}, {"counts", counts_json(step.outlines)}, {"notes", step.notes}});
  return out.dump(2) + "\n";
}

}  // namespace hopcheck::preview
