#include "doctor/confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "base/text.h"
#include "doctor/causes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

using Names = std::vector<std::string>;

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

bool explains(const std::string& a, const std::string& b) {
  const auto& ids = cause_catalogue()[rank_of(a)].explains;
  return std::find(ids.begin(), ids.end(), b) != ids.end();
}

bool share(const Names& a, const Names& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const std::string& name) { return std::find(b.begin(), b.end(), name) != b.end(); });
}

bool may_meet(const Injection& a, const Injection& b) {
  const bool hidden = (a.flow == Flow::kNone && b.flow == Flow::kNeeded) ||
                      (b.flow == Flow::kNone && a.flow == Flow::kNeeded);
  return !hidden && !share(a.touches, b.touches) && !explains(a.cause, b.cause) && !explains(b.cause, a.cause) &&
         (a.scenario.empty() || b.scenario.empty());
}

std::string table(const std::vector<const Trial*>& singles) {
  Names columns;
  for (const Trial* trial : singles) columns.push_back(trial->injected.front());
  for (const Trial* trial : singles) {  // diagnosed without ever being injected
    for (const std::string& cause : trial->diagnosed) {
      if (std::find(columns.begin(), columns.end(), cause) == columns.end()) columns.push_back(cause);
    }
  }
  std::string out = fmt::format("{:<32}", "injected \\ diagnosed");
  for (size_t i = 0; i < columns.size(); ++i) out += fmt::format("{:>3}", i + 1);
  out += "\n";
  for (size_t row = 0; row < columns.size(); ++row) {
    out += fmt::format("{:>2} {:<29}", row + 1, columns[row]);
    if (row < singles.size()) {
      for (const std::string& column : columns) {
        const auto& found = singles[row]->diagnosed;
        const auto times = std::count(found.begin(), found.end(), column);
        out += times == 0 ? fmt::format("{:>3}", ".") : fmt::format("{:>3}", times);
      }
    } else {
      out += "   never injected";
    }
    out += "\n";
  }
  return out;
}

}  // namespace

bool Trial::named() const {
  return problem.empty() && sorted(injected) == sorted(diagnosed) && wrong_subjects.empty() &&
         (!findings_asked || findings == expected_findings);
}
bool Trial::mended() const { return problem.empty() && after.empty() && exit_after == 0; }

std::string wrong_with(const Trial& trial) {
  if (trial.named() && trial.mended()) return "";
  if (!trial.problem.empty()) return trial.problem;
  if (sorted(trial.diagnosed) != sorted(trial.injected))
    return "diagnosed " + (trial.diagnosed.empty() ? "nothing" : joined(trial.diagnosed));
  if (!trial.wrong_subjects.empty()) return joined(trial.wrong_subjects, "; ");
  if (!trial.named())
    return fmt::format("the verdict's findings are {}, expected {}", joined(trial.findings),
                       joined(trial.expected_findings));
  if (!trial.after.empty()) return "after the fix the doctor still names " + joined(trial.after);
  return fmt::format("after the fix the run exits {}", trial.exit_after);
}

bool all_right(const std::vector<Trial>& trials) {
  return std::all_of(trials.begin(), trials.end(), [](const Trial& t) { return t.named() && t.mended(); });
}

std::vector<std::pair<size_t, size_t>> draw_pairs(const InjectionSuite& suite, uint64_t seed) {
  std::vector<std::pair<size_t, size_t>> all;
  for (size_t i = 0; i < suite.injections.size(); ++i) {
    for (size_t j = i + 1; j < suite.injections.size(); ++j) {
      if (may_meet(suite.injections[i], suite.injections[j])) all.emplace_back(i, j);
    }
  }
  Rng rng(seed);
  for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[rng.below(i)]);
  std::map<size_t, int> used;
  std::vector<std::pair<size_t, size_t>> out;
  while (out.size() < suite.pairs && !all.empty()) {
    const auto weight = [&](const std::pair<size_t, size_t>& pair) { return used[pair.first] + used[pair.second]; };
    const auto best = std::min_element(all.begin(), all.end(), [&](const auto& a, const auto& b) {
      return weight(a) < weight(b);
    });
    out.push_back(*best);
    ++used[best->first];
    ++used[best->second];
    all.erase(best);
  }
  return out;
}

std::string unknown_cause(const InjectionSuite& suite) {
  Names known;
  for (const CauseInfo& cause : cause_catalogue()) known.emplace_back(cause.id);
  for (const Injection& one : suite.injections) {
    if (std::find(known.begin(), known.end(), one.cause) != known.end()) continue;
    const auto near = nearest(one.cause, known);
    return fmt::format("\"{}\" is no cause that the doctor knows{}", printable(one.cause),
                       near ? "; did you mean " + *near + "?" : "");
  }
  return "";
}

std::string to_text(const std::vector<Trial>& trials) {
  std::vector<const Trial*> singles, pairs;
  for (const Trial& trial : trials) (trial.injected.size() == 1 ? singles : pairs).push_back(&trial);
  std::string out = singles.empty() ? "" : table(singles);
  if (!pairs.empty()) out += "\npairs\n";
  for (const Trial* trial : pairs) {
    out += fmt::format("  {:<62} {}\n", joined(trial->injected, " + "),
                       trial->named() ? "both named, nothing else" : "named " + joined(trial->diagnosed));
  }
  size_t named = 0, mended = 0, printed = 0;
  std::string wrong;
  for (const Trial& trial : trials) {
    named += trial.named() ? 1 : 0;
    mended += trial.mended() ? 1 : 0;
    printed += trial.mended() && trial.fix_printed ? 1 : 0;
    if (const std::string what = wrong_with(trial); !what.empty())
      wrong += fmt::format("  {}: {}\n", joined(trial.injected, " + "), printable(what));
  }
  out += fmt::format("\n{} trials: {} named exactly, {} whole again after the fix ({} by the commands as printed)\n",
                     trials.size(), named, mended, printed);
  return out + (wrong.empty() ? "" : "not as expected\n" + wrong);
}

std::string to_json(const std::vector<Trial>& trials) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Trial& trial : trials) {
    list.push_back({{"injected", trial.injected},
                    {"diagnosed", trial.diagnosed},
                    {"findings", trial.findings},
                    {"expectedFindings", trial.expected_findings},
                    {"fixes", trial.fixes},
                    {"fixAsPrinted", trial.fix_printed},
                    {"causesAfter", trial.after},
                    {"exitAfter", trial.exit_after},
                    {"named", trial.named()},
                    {"mended", trial.mended()},
                    {"problem", trial.problem},
                    {"seconds", trial.seconds}});
  }
  const nlohmann::ordered_json out = {{"schemaVersion", 1}, {"asExpected", all_right(trials)}, {"trials", list}};
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace hopcheck::doctor
