#include "report/caps.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/json.h"
#include "report/utf8.h"

namespace hopcheck::report {
namespace {

// What is left for the scenarios to come.
struct Budget {
  size_t exhibit_bytes = kMaxExhibitBytes;
  size_t finding_bytes = kMaxFindingBytes;
  size_t signature_bytes = kMaxSignatureBytes;
  size_t buckets = kMaxBuckets;
};
using Notes = std::vector<std::string>;

// An upper bound of the text's size inside JSON.
size_t json_bytes(std::string_view text) {
  size_t bytes = text.size() + 4;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f) bytes += 5;
    if (byte == '"' || byte == '\\') bytes += 1;
    if (byte >= 0x80) bytes += 2;
  }
  return bytes;
}

// Cuts a list and says so once; a list already cut is short enough and adds no second note.
template <class T>
void cut(std::vector<T>& list, size_t limit, const char* what, Notes& notes) {
  if (list.size() <= limit) return;
  notes.push_back(fmt::format("kept the first {} of {} {}", limit, list.size(), what));
  list.resize(limit);
}

// How many elements of the list fit into the budget, which is charged for them.
template <class T, class Size>
size_t affordable(std::vector<T>& list, size_t& budget, Size size) {
  size_t kept = 0;
  for (; kept < list.size(); ++kept) {
    const size_t bytes = size(list[kept]);
    if (bytes > budget) break;
    budget -= bytes;
  }
  return kept;
}

// cut_bytes() appends its own remark, so the cut leaves room for it: cutting twice changes nothing.
size_t trim(std::string& text, size_t limit) {
  if (text.size() > limit) text = cut_bytes(text, limit - 64);
  return json_bytes(text);
}

// Times of a damaged file must not overflow where two are subtracted.
void tame(int64_t& nanos) { nanos = std::clamp<int64_t>(nanos, -(1ll << 61), 1ll << 61); }

size_t trim(ExhibitSpan& span) {
  size_t bytes = 320;  // keys, ids, numbers
  tame(span.start_nanos);
  tame(span.duration_nanos);
  for (std::string* text :
       {&span.service_name, &span.name, &span.kind, &span.role, &span.state, &span.defect, &span.status}) {
    bytes += trim(*text, kMaxExhibitTextBytes);
  }
  if (span.attributes.size() > kMaxAttributesPerSpan) span.attributes.resize(kMaxAttributesPerSpan);
  for (auto& attribute : span.attributes) {
    bytes += trim(attribute.first, kMaxExhibitTextBytes) + trim(attribute.second, kMaxExhibitTextBytes) + 4;
  }
  return bytes;
}

// A parent that was cut off, or that a damaged file names beyond the list, is no parent.
size_t trim(std::vector<ExhibitSpan>& spans) {
  if (spans.size() > kMaxSpansPerExhibit) spans.resize(kMaxSpansPerExhibit);
  size_t bytes = 0;
  for (ExhibitSpan& span : spans) {
    if (span.parent < -1 || span.parent >= static_cast<int>(spans.size())) span.parent = -1;
    bytes += trim(span);
  }
  return bytes;
}

size_t trim(Finding& finding) {
  size_t bytes = 320;
  for (std::string* text : {&finding.title, &finding.expected, &finding.actual, &finding.hint, &finding.page,
                            &finding.reproduce, &finding.scenario, &finding.subject.service, &finding.subject.hop,
                            &finding.subject.header, &finding.subject.object}) {
    bytes += trim(*text, kMaxFindingTextBytes);
  }
  if (finding.witnesses.size() > kMaxWitnesses) finding.witnesses.resize(kMaxWitnesses);
  if (finding.consequences.size() > kMaxConsequences) finding.consequences.resize(kMaxConsequences);
  for (Consequence& consequence : finding.consequences) bytes += 64 + trim(consequence.subject, kMaxFindingTextBytes);
  return bytes + finding.witnesses.size() * 96;
}

void trim(std::vector<Finding>& findings, Budget& budget, Notes& notes) {
  const size_t fit = affordable(findings, budget.finding_bytes, [](Finding& finding) { return trim(finding); });
  cut(findings, std::min(fit, kMaxFindingsPerScenario), "findings", notes);
}

void trim(Distribution& distribution, Budget& budget) {
  const size_t kept = std::min(distribution.buckets.size(), budget.buckets);
  distribution.buckets.resize(kept);
  budget.buckets -= kept;
}

void trim(ScenarioResult& scenario, Budget& budget) {
  trim(scenario.findings, budget, scenario.notes);
  cut(scenario.hops, kMaxHopsPerScenario, "hops", scenario.notes);
  for (HopResult& hop : scenario.hops) {
    trim(hop.wire_gap, budget);
    trim(hop.proxy_gap, budget);
    trim(hop.own_time, budget);
  }
  trim(scenario.latency.corrected, budget);
  trim(scenario.latency.uncorrected, budget);
  trim(scenario.latency.send_lateness, budget);

  const size_t lines = affordable(scenario.signature, budget.signature_bytes, [](SignatureLine& line) {
    size_t bytes = 128 + trim(line.path, kMaxExhibitTextBytes) + trim(line.journey, kMaxExhibitTextBytes);
    for (auto* list : {&line.attributes, &line.unlisted, &line.absent}) {
      for (std::string& key : *list) bytes += 4 + trim(key, kMaxExhibitTextBytes);
    }
    return bytes;
  });
  cut(scenario.signature, std::min(lines, kMaxSignatureLines), "signature lines", scenario.notes);
  const size_t exhibits = affordable(scenario.exhibits, budget.exhibit_bytes, [](Exhibit& exhibit) {
    return 128 + trim(exhibit.subject, kMaxFindingTextBytes) + trim(exhibit.expected) + trim(exhibit.observed);
  });
  cut(scenario.exhibits, std::min(exhibits, kMaxExhibitsPerScenario), "exhibits", scenario.notes);
}

}  // namespace

RunResult capped(RunResult result) {
  Notes& notes = result.environment.notes;
  Budget budget;
  cut(result.scenarios, kMaxScenarios, "scenarios", notes);
  cut(result.phases, kMaxPhaseSteps, "phase steps", notes);
  for (PhaseStep& step : result.phases) {
    tame(step.start_unix_nanos);
    tame(step.end_unix_nanos);
  }
  trim(result.findings, budget, notes);
  for (ScenarioResult& scenario : result.scenarios) trim(scenario, budget);
  return result;
}

}  // namespace hopcheck::report
