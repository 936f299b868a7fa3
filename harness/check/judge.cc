#include "check/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "check/catalogue.h"
#include "check/compose.h"
#include "check/evidence.h"
#include "check/exhibit.h"
#include "check/losses.h"
#include "check/scenario_judge.h"
#include "plan/binding.h"

namespace hopcheck::check {
namespace {

// profile: auto → each workload's own, from telemetry.sdk.version of its spans; what has none follows the mesh's
// version.
Result<plan::ProfileBinding> bind_profiles(const JudgeInput& input, const Scenario& scenario,
                                           const Classifier& classifier, std::vector<std::string>& notes) {
  plan::ProfileBinding binding;
  const auto& profiles = *input.profiles;
  if (profiles.empty()) return fail(ErrorKind::kUsage, "no mesh profile found", "fixtures/profiles is empty");
  if (scenario.profile != "auto") {
    std::vector<std::string> names;
    for (const MeshProfile& profile : profiles) {
      names.push_back(profile.name);
      if (profile.name == scenario.profile) binding.fallback = &profile;
    }
    if (binding.fallback != nullptr) return binding;
    const auto near = nearest(scenario.profile, names);
    return fail(ErrorKind::kUsage,
                fmt::format("scenario {}: profile {} does not exist", scenario.name, scenario.profile), "",
                near ? fmt::format("did you mean {}?", *near) : "");
  }
  if (auto bound = plan::bind_declared(scenario, profiles, binding); !bound) return tl::unexpected(bound.error());
  std::map<const MeshProfile*, uint64_t> votes;
  bool nameless = false;  // mesh spans that do not say which Envoy made them: Envoy before 1.33
  std::map<int, std::map<const MeshProfile*, uint64_t>> by_service;
  for (const Span& span : *input.spans) {
    if (!is_mesh_span(span)) continue;
    const MeshProfile* own = plan::profile_of_envoy(profiles, span.resource->attributes.text("telemetry.sdk.version"));
    nameless = nameless || span.resource->attributes.find("telemetry.sdk.version") == nullptr;
    if (own == nullptr) continue;
    const SpanInfo info = classifier.classify(span);
    if (info.service == kUnknownService) continue;
    ++votes[own];
    ++by_service[info.service][own];
  }
  // Most of a workload's spans decide, whatever arrived first; what is declared stands.
  for (const auto& [service, counts] : by_service) {
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    binding.by_service.emplace(service, most->first);
  }
  std::string note;
  if (!input.environment.istio.empty()) {
    const auto chosen = plan::profile_for(profiles, input.environment.istio, note);
    if (!chosen) return tl::unexpected(chosen.error());
    binding.fallback = *chosen;
  } else if (votes.empty() && nameless) {
    return fail(ErrorKind::kUsage, fmt::format("scenario {}: profile auto cannot tell the version", scenario.name),
                "no mesh span carries telemetry.sdk.version, and nothing else says which Istio runs",
                "name a profile in the scenario, for example profile: istio-1.24");
  }
  if (binding.fallback == nullptr) {
    uint64_t best = 0;
    for (const MeshProfile& profile : profiles) {
      const auto found = votes.find(&profile);
      if (found == votes.end() || found->second <= best) continue;
      best = found->second;
      binding.fallback = &profile;
    }
  }
  if (binding.fallback == nullptr) binding.fallback = &profiles.back();
  if (!note.empty()) notes.push_back(note);
  return binding;
}

struct Prepared {
  std::unique_ptr<Classifier> classifier;
  plan::ProfileBinding binding;
  std::unique_ptr<ScenarioJudge> judge;
};

void set_verdict(ScenarioResult& result, const std::vector<Finding>& findings) {
  Verdict verdict = Verdict::kPass;
  for (const Finding& finding : findings) verdict = worst(verdict, finding.severity);
  result.verdict = verdict;
}

bool selected(const RuleOptions& rules, const std::string& code) {
  const auto names = [&](const std::vector<std::string>& list) {
    return std::any_of(list.begin(), list.end(), [&](const std::string& item) { return code.rfind(item, 0) == 0; });
  };
  return (rules.include.empty() || names(rules.include)) && !names(rules.exclude);
}

void add_honesty(ScenarioResult& result, const RuleSet& rules, Aggregates& aggregates) {
  const uint64_t unsent = result.outcomes[static_cast<size_t>(OutcomeKind::kUnsent)];
  const uint64_t open = result.outcomes[static_cast<size_t>(OutcomeKind::kIndeterminate)];
  if (result.requests == 0 || unsent == result.requests) {
    if (!rules.on("HOP1001")) return;
    aggregates.add_finding(0, "HOP1001", {}, "requests", fmt::format("{} planned, none sent", result.requests), {});
  } else if (unsent + open > 0 && rules.on("HOP1007")) {
    aggregates.add_finding(0, "HOP1007", {}, "every request sent and answered",
                           fmt::format("{} unsent, {} indeterminate of {}", unsent, open, result.requests), {});
  }
}

// Up to one request in a hundred may show spans that end a little late on a hop: said, and no finding (HOP0706).
void tolerate_late_ends(ScenarioResult& result, Aggregates& aggregates) {
  const uint64_t most = std::max<uint64_t>(1, result.requests / 100);
  for (auto it = aggregates.all().begin(); it != aggregates.all().end();) {
    const bool tolerated = it->first.code == "HOP0706" && it->second.count <= most;
    if (tolerated) {
      result.notes.push_back(fmt::format("{} of {} requests: a span of {} ends a little after its parent (e.g. {})",
                                         it->second.count, result.requests, it->first.subject, it->second.actual));
    }
    it = tolerated ? aggregates.all().erase(it) : std::next(it);
  }
}

// Damaged evidence proves nothing, neither presence nor absence; after a restart absence is in doubt, and errors that
// were answered in place of what was gone, and so is absence in a run that was not drained or whose last positive
// control did not arrive (verdict.md sections 1, 2).
void doubt(const JudgeInput& input, std::vector<Finding>& findings) {
  const Environment& environment = input.environment;
  const bool live = !environment.provider.empty() && environment.provider != "none";
  const bool cut_short = (live && environment.drain.ended_by.empty()) ||
                         (environment.control.after_sent && !environment.control.after_arrived);
  bool restarted = cut_short || environment.collector_fact.restarts > 0 || environment.sink_restarts > 0 ||
                   !environment.crashes.empty();
  for (const ProxyFact& proxy : environment.proxies) {
    restarted = restarted || proxy.restarts > 0 || proxy.dropped_after.value_or(0) > proxy.dropped_before.value_or(0);
  }
  static constexpr std::string_view kAbsence[] = {"HOP0101", "HOP0102", "HOP0301", "HOP0506",
                                                  "HOP1101", "HOP1103", "HOP0201", "HOP0801"};
  for (Finding& finding : findings) {
    const bool absence = std::find(std::begin(kAbsence), std::end(kAbsence), finding.code) != std::end(kAbsence);
    if (!environment.capture_complete || (restarted && absence)) finding.severity = Verdict::kUnknown;
  }
}

void finish_scenario(const JudgeInput& input, Prepared& item, JudgeResult& out) {
  ScenarioJudge& judge = *item.judge;
  const Scenario& scenario = judge.input().scenario;
  ScenarioResult result = judge.take_result();
  add_honesty(result, RuleSet(input.without_rules), judge.aggregates());
  tolerate_late_ends(result, judge.aggregates());
  for (Finding& finding : judge.aggregates().findings()) {
    if (!selected(scenario.rules, finding.code)) continue;
    finding.scenario = scenario.name;
    finding.reproduce = substitute(input.reproduce, [&](std::string_view name) -> std::optional<std::string> {
      if (name == "file") return scenario.file;
      return std::nullopt;
    });
    result.findings.push_back(std::move(finding));
  }
  doubt(input, result.findings);
  result.exhibits = make_exhibits(judge, result.findings);
  set_verdict(result, result.findings);
  out.profiles.push_back(item.binding.fallback->name);
  out.scenarios.push_back(std::move(result));
}

void count_classes(const JudgeInput& input, const Attribution& attribution, JudgeResult& out) {
  out.spans_stored = input.spans->size();
  for (const SpanClass klass : attribution.span_class) ++out.spans_by_class[static_cast<size_t>(klass)];
  for (const TraceGroup& trace : attribution.traces) {
    if (trace.scenario < 0) continue;
    ScenarioResult& scenario = out.scenarios[trace.scenario];
    for (uint32_t index : trace.spans) {
      ++scenario.spans_by_class[static_cast<size_t>(attribution.span_class[index])];
      ++scenario.spans_stored;
    }
  }
}

}  // namespace

Result<JudgeResult> judge(const JudgeInput& input) {
  JudgeResult out;
  std::vector<std::unique_ptr<Classifier>> classifiers;
  for (const ScenarioInput& scenario : input.scenarios)
    classifiers.push_back(std::make_unique<Classifier>(scenario.scenario.topology));
  std::vector<Prepared> prepared(input.scenarios.size());
  for (size_t i = 0; i < input.scenarios.size(); ++i) {
    auto binding = bind_profiles(input, input.scenarios[i].scenario, *classifiers[i], out.notes);
    if (!binding) return tl::unexpected(binding.error());
    prepared[i].binding = std::move(*binding);
    auto expansion = plan::expand(input.scenarios[i].scenario, prepared[i].binding);
    if (!expansion) return tl::unexpected(expansion.error());
    prepared[i].judge = std::make_unique<ScenarioJudge>(input, input.scenarios[i], static_cast<int>(i), *classifiers[i],
                                                        prepared[i].binding, std::move(*expansion));
  }
  Attribution attribution = attribute(input, classifiers);
  std::vector<Loss> lost = losses(input, attribution);
  for (Prepared& item : prepared) {
    item.judge->run(attribution);
    compose(*item.judge, input, attribution, lost);
  }
  for (Prepared& item : prepared) finish_scenario(input, item, out);
  count_classes(input, attribution, out);
  out.findings = evidence_findings(input, attribution, lost);
  doubt(input, out.findings);
  Sums checked = sums(input, attribution, out);
  out.sums = std::move(checked.checks);
  Aggregates broken;
  if (RuleSet(input.without_rules).on("HOP1004")) {
    for (const std::string& text : checked.broken) broken.add_finding(0, "HOP1004", {}, "left = right", text, {});
  }
  for (Finding& finding : broken.findings()) out.findings.push_back(std::move(finding));
  return out;
}

void judge_canary_outcome(const CanaryOutcome& outcome, const std::vector<std::string>& without_rules,
                          ScenarioResult& scenario) {
  if (outcome.reported && outcome.clean_passes) {
    scenario.notes.push_back(fmt::format("judge canary: planted {}, reported", outcome.planted));
    return;
  }
  if (!RuleSet(without_rules).on("HOP1003")) return;
  Aggregates missed;
  missed.add_finding(0, "HOP1003", {},
                     fmt::format("the planted defect ({}) is reported and the clean trace passes", outcome.planted),
                     outcome.detail.empty() ? "nothing reported" : outcome.detail, {});
  for (Finding& finding : missed.findings()) {
    finding.scenario = scenario.name;
    scenario.verdict = worst(scenario.verdict.value_or(Verdict::kPass), finding.severity);
    scenario.findings.push_back(std::move(finding));
  }
}

}  // namespace hopcheck::check
