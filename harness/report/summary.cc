#include "report/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "base/text.h"

namespace hopcheck::report {

Standing standing_of(const ScenarioResult& scenario) {
  if (!scenario.verdict) return Standing::kSkipped;
  const bool wanted = scenario.as_expected && scenario.expected_verdict == to_string(*scenario.verdict);
  if (wanted) return *scenario.verdict == Verdict::kPass ? Standing::kPass : Standing::kAsExpected;
  if (*scenario.verdict == Verdict::kUnknown) return Standing::kUnknown;
  return Standing::kFail;  // failed, or deviates from what was expected
}

std::string standing_text(const ScenarioResult& scenario) {
  if (!scenario.verdict) return "skipped";
  const std::string verdict = to_string(*scenario.verdict);
  const bool same = scenario.expected_verdict == verdict;
  if (same && verdict == "pass") return scenario.as_expected ? "pass" : "pass, findings differ";
  if (same && scenario.as_expected) return verdict == "fail" ? "failed as expected" : "unknown as expected";
  if (same) return verdict + ", findings differ";
  if (scenario.expected_verdict == "pass") return verdict;
  return fmt::format("{}, expected {}", verdict, scenario.expected_verdict);
}

// An expectation without a subject takes any; "" as subject_key() matches it exactly too.
bool is_expected(const ScenarioResult& scenario, const Finding& finding) {
  if (scenario.expected_verdict == "pass") return false;
  return std::any_of(scenario.expected_findings.begin(), scenario.expected_findings.end(),
                     [&](const std::string& e) { return e == finding.code || e == finding_key(finding); });
}

std::string place_of(const FindingRef& ref) { return ref.scenario ? ref.scenario->name : "the run"; }

FindingLists findings_of(const RunResult& result) {
  FindingLists lists;
  const auto add = [&](const FindingRef& ref) {
    const bool expected = ref.scenario && is_expected(*ref.scenario, *ref.finding);
    const bool unknown = ref.finding->severity == Verdict::kUnknown;
    (expected ? lists.expected : unknown ? lists.unknown : lists.failed).push_back(ref);
  };
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const Finding& finding : scenario.findings) add({&finding, &scenario});
  }
  for (const Finding& finding : result.findings) add({&finding, nullptr});
  return lists;
}

Totals totals_of(const RunResult& result) {
  Totals totals;
  totals.spans = result.spans_stored;
  for (const ScenarioResult& scenario : result.scenarios) {
    const Standing standing = standing_of(scenario);
    ++totals.scenarios;
    totals.skipped += standing == Standing::kSkipped;
    totals.as_expected += standing == Standing::kPass || standing == Standing::kAsExpected;
    totals.requests += scenario.requests;
    if (standing == Standing::kSkipped || scenario.expected_verdict != "pass") continue;
    totals.due += scenario.requests;
    totals.complete += scenario.requests_by_class[static_cast<size_t>(RequestClass::kComplete)];
  }
  int64_t first = 0, last = 0;
  for (const PhaseStep& step : result.phases) {
    if (first == 0 || step.start_unix_nanos < first) first = step.start_unix_nanos;
    last = std::max(last, step.end_unix_nanos);
  }
  totals.wall_nanos = std::max<int64_t>(0, last - first);
  return totals;
}

std::string wall_text(const Totals& totals) {
  return totals.wall_nanos > 0 ? format_nanos(totals.wall_nanos) : "no time recorded";
}

std::string exit_code_meaning(int code) {
  switch (code) {
    case 0: return "everything is as it should be";
    case 1: return "a claim failed";
    case 2: return "a claim could not be judged";
    case 3: return "the environment is unusable";
    case 4: return "usage or configuration error";
    case 5: return "nothing was selected or judged";
    case 70: return "a bug in hopcheck";
    case 130: return "interrupted";
    case 143: return "terminated";
    default: return "not a code of hopcheck";
  }
}

std::string profile_line(const RunResult& result) {
  std::map<std::string, std::string> proofs;
  for (const ProxyFact& proxy : result.environment.proxies) {
    if (!proxy.profile.empty()) proofs.emplace(proxy.profile, proxy.proof);
  }
  // A capture judged without its environment names its profiles in the scenarios' notes.
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const std::string& note : scenario.notes) {
      constexpr std::string_view kPrefix = "profile ";
      if (proofs.size() < 8 && note.compare(0, kPrefix.size(), kPrefix) == 0)
        proofs.emplace(note.substr(kPrefix.size()), "");
    }
  }
  std::string out;
  for (const auto& [profile, proof] : proofs) {
    out += (out.empty() ? "profile " : ", ") + profile;
    if (!proof.empty()) out += " (proof: " + proof + ")";
  }
  return out.empty() ? "profile none" : out;
}

std::vector<SharedNote> shared_notes(const RunResult& result) {
  std::vector<SharedNote> notes;
  std::map<std::string, size_t> known;
  const auto add = [&](const std::string& text, const std::string& scenario) {
    const auto [at, fresh] = known.emplace(text, notes.size());
    if (fresh) notes.push_back({text, {}});
    notes[at->second].scenarios.push_back(scenario);
  };
  for (const ScenarioResult& scenario : result.scenarios) {
    for (const std::string& note : scenario.notes) add(note, scenario.name);
    if (!scenario.drawn_fault.empty()) add("the seed drew " + scenario.drawn_fault, scenario.name);
  }
  return notes;
}

std::string run_title(const RunResult& result) {
  if (!result.suite.empty()) return result.suite;
  return result.scenarios.size() == 1 ? result.scenarios[0].name : "run";
}

std::string reproduce_command(const RunResult& result) {
  std::string files = result.suite_file;
  if (files.empty()) {
    for (const ScenarioResult& scenario : result.scenarios) files += (files.empty() ? "" : " ") + scenario.file;
  }
  const bool stored = result.provider.empty() || result.provider == "none";
  return fmt::format("hopcheck run {}{} --seed {}", files, stored ? "" : " --provider " + result.provider, result.seed);
}

std::string finding_key(const Finding& finding) {
  const std::string subject = subject_key(finding.subject);
  return subject.empty() ? finding.code : finding.code + " " + subject;
}

const char* family_name(int family) {
  static constexpr const char* kNames[kFamilies + 1] = {
      "",       "arrival",  "structure", "hops",    "names",     "attributes", "propagation",
      "timing", "delivery", "diagnosis", "honesty", "app spans", "baseline"};
  return family >= 1 && family <= kFamilies ? kNames[family] : "other";
}

int family_of(std::string_view code) {
  if (code.size() != 7 || code.substr(0, 3) != "HOP" || !isdigit(static_cast<unsigned char>(code[3])) ||
      !isdigit(static_cast<unsigned char>(code[4]))) {
    return 0;
  }
  const int family = (code[3] - '0') * 10 + (code[4] - '0');
  return family <= kFamilies ? family : 0;
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 5) return digits;
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, "\xc2\xa0");
  return digits;
}

std::string counted(uint64_t number, const char* noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "–";
  if (part == whole) return "100 %";
  if (part == 0) return "0 %";
  const double share = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return fmt::format("{:.1f} %", std::min(share, 99.9));
}

}  // namespace hopcheck::report
