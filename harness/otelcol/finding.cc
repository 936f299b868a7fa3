#include "otelcol/finding.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace hopcheck::otelcol {

const char* to_string(Effect effect) {
  switch (effect) {
    case Effect::kRefused:
      return "refused";
    case Effect::kChanged:
      return "changed";
    case Effect::kMissing:
      return "missing";
    case Effect::kClaim:
      return "claim";
    case Effect::kNote:
      return "note";
  }
  return "?";
}

bool is_usable(const std::vector<Finding>& findings) {
  return std::all_of(findings.begin(), findings.end(), [](const Finding& f) { return f.effect == Effect::kNote; });
}

void sort_findings(std::vector<Finding>& findings) {
  const auto key = [](const Finding& f) { return std::tie(f.line, f.column, f.id, f.what); };
  std::sort(findings.begin(), findings.end(), [&](const Finding& a, const Finding& b) { return key(a) < key(b); });
  findings.erase(std::unique(findings.begin(), findings.end(),
                             [&](const Finding& a, const Finding& b) { return key(a) == key(b); }),
                 findings.end());
}

std::string to_text(const std::vector<Finding>& findings, const std::string& file, const std::string& version) {
  std::string out;
  std::map<Effect, int> counts;
  for (const Finding& finding : findings) {
    ++counts[finding.effect];
    out += fmt::format("{}:{}:{}: {}{}: {}{}\n", file, finding.line, finding.column, to_string(finding.effect),
                       finding.since.empty() ? "" : " since " + finding.since, finding.what,
                       finding.row.empty() ? "" : " [" + finding.row + "]");
    if (!finding.fix.empty()) out += "  fix: " + finding.fix + "\n";
  }
  std::string summary;
  for (const auto& [effect, count] : counts)
    summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, to_string(effect));
  out += fmt::format("{}: {} Collector {}{}\n", file,
                     is_usable(findings) ? "works with" : "does not work as it stands with", version,
                     summary.empty() ? "" : ": " + summary);
  return out;
}

}  // namespace hopcheck::otelcol
