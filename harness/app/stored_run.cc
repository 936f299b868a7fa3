#include "app/stored_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/version.h"
#include "check/judge.h"
#include "check/span_info.h"
#include "plan/expand.h"
#include "report/html.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "run/canary.h"
#include "run/expectation_check.h"
#include "store/capture.h"
#include "store/source_commit.h"

namespace hopcheck::app {
namespace {

template <class T>
Result<T> from_config(config::Loaded<T> loaded) {
  if (loaded) return std::move(*loaded);
  return fail(ErrorKind::kUsage, "the file is not valid\n" + config::to_text(loaded.error()));
}

// The suite of a stored or named file; a single scenario becomes a suite of one entry without a name.
Result<Suite> load_claims(const std::string& path, const config::SearchPath& search) {
  if (config::kind_of_file(path) == "Suite") return from_config(config::load_suite(path, search));
  auto scenario = from_config(config::load_scenario(path, search));
  if (!scenario) return tl::unexpected(scenario.error());
  Suite out;
  SuiteEntry entry;
  entry.scenario = std::move(*scenario);
  out.entries.push_back(std::move(entry));
  return out;
}

void apply_options(Scenario& scenario, const JudgeOptions& options) {
  scenario.rules.exclude.insert(scenario.rules.exclude.end(), options.without_rules.begin(),
                                options.without_rules.end());
}

// The judge's canary, per scenario: what it misses makes a pass unknown.
Result<void> run_canaries(const check::JudgeInput& input, const check::JudgeResult& judged, uint64_t seed,
                          RunResult& result) {
  for (size_t i = 0; i < input.scenarios.size(); ++i) {
    const auto profile = std::find_if(input.profiles->begin(), input.profiles->end(),
                                      [&](const MeshProfile& p) { return p.name == judged.profiles[i]; });
    auto canary = run::judge_canary(input.scenarios[i].scenario, *profile, seed + i);
    if (!canary) return tl::unexpected(canary.error());
    check::judge_canary_outcome({canary->mutation, canary->reported, canary->clean_passes, canary->detail},
                                input.without_rules, result.scenarios[i]);
  }
  return {};
}

// Which Envoy each proxy is, read from its spans (telemetry.sdk.version), and the profile and proof level that follow
// from it.
void note_profiles(const check::JudgeInput& input, const check::JudgeResult& judged, RunResult& result) {
  std::map<std::string_view, std::string_view> version_of;
  for (const Span& span : *input.spans) {
    if (check::is_mesh_span(span))
      version_of.emplace(check::proxy_key(span), span.resource->attributes.text("telemetry.sdk.version"));
  }
  for (ProxyFact& proxy : result.environment.proxies) {
    const auto found = version_of.find(proxy.pod + "." + proxy.ns);
    if (found == version_of.end()) continue;
    proxy.envoy_version = std::string(found->second);
    if (const MeshProfile* profile = plan::profile_of_envoy(*input.profiles, found->second)) {
      proxy.profile = profile->name;
      proxy.proof = profile->proof;
    }
  }
  for (size_t i = 0; i < result.scenarios.size() && i < judged.profiles.size(); ++i) {
    result.scenarios[i].notes.push_back("profile " + judged.profiles[i]);
  }
  for (const std::string& note : judged.notes) result.environment.notes.push_back(note);
}

Result<RunResult> judge_input(const check::JudgeInput& input, const Suite& suite, uint64_t seed) {
  auto judged = check::judge(input);
  if (!judged) return tl::unexpected(judged.error());
  RunResult result;
  result.suite = suite.name;
  result.suite_file = suite.file;
  result.seed = seed;
  result.tool_version = kVersion;
  result.tool_commit = store::source_commit();
  result.environment = input.environment;
  result.bodies = input.bodies;
  result.rejected_spans = input.rejected_spans;
  result.scenarios = judged->scenarios;
  result.findings = judged->findings;
  result.sums = judged->sums;
  result.spans_by_class = judged->spans_by_class;
  result.spans_stored = judged->spans_stored;
  if (auto canaries = run_canaries(input, *judged, seed, result); !canaries) return tl::unexpected(canaries.error());
  note_profiles(input, *judged, result);
  for (ScenarioResult& scenario : result.scenarios) {
    scenario.bodies = input.bodies;
    for (const SuiteEntry& entry : suite.entries) {
      if (entry.scenario.name == scenario.name) scenario.rows = entry.scenario.rows;
    }
    scenario.rejected_spans = input.rejected_spans;
    for (const SuiteEntry& entry : suite.entries) {
      if (entry.scenario.name == scenario.name && !suite.name.empty()) run::compare_with_expectation(entry, scenario);
    }
  }
  run::settle_run(result);
  return result;
}

// Fills a check::ScenarioInput's ledger with this scenario's lines; journeys get their index back from their name.
void take_ledger(const std::vector<LedgerEntry>& ledger, check::ScenarioInput& input) {
  const auto& journeys = input.scenario.load.journeys;
  for (const LedgerEntry& line : ledger) {
    if (!line.scenario.empty() && line.scenario != input.scenario.name) continue;
    LedgerEntry entry = line;
    for (size_t j = 0; j < journeys.size(); ++j) {
      if (journeys[j].name == entry.journey) entry.intent.journey = static_cast<uint32_t>(j);
    }
    input.ledger.push_back(std::move(entry));
  }
  std::sort(input.ledger.begin(), input.ledger.end(),
            [](const LedgerEntry& a, const LedgerEntry& b) { return a.intent.n < b.intent.n; });
  input.first_n = input.ledger.empty() ? 0 : input.ledger.front().intent.n;
}

}  // namespace

Result<RunResult> judge_stored(const store::RunDirectory& directory, const config::SearchPath& search,
                               const JudgeOptions& options) {
  const auto identity = read_identity(directory);
  if (!identity) return tl::unexpected(identity.error());
  auto suite = load_claims(directory.file("scenario.yaml"), search);
  if (!suite) return tl::unexpected(suite.error());
  // Reports name the files people wrote, not the stored copy.
  suite->file = identity->suite_file;
  for (SuiteEntry& entry : suite->entries) {
    for (const auto& [name, file] : identity->files) {
      if (name == entry.scenario.name) entry.scenario.file = file;
    }
  }
  const auto ledger = directory.read_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  auto environment = directory.read_environment();
  if (!environment) return tl::unexpected(environment.error());
  const auto capture = store::load_capture(directory.file("capture.hcl"));
  if (!capture) return tl::unexpected(capture.error());
  const auto profiles = from_config(config::load_profiles(search));
  if (!profiles) return tl::unexpected(profiles.error());

  check::JudgeInput input;
  input.spans = &capture->spans;
  input.bodies = capture->bodies;
  input.rejected_spans = capture->rejected_spans;
  input.environment = *environment;
  input.tag = identity->tag;
  input.profiles = &*profiles;
  if (!capture->complete) {
    input.environment.capture_complete = false;
    input.environment.capture_problem = capture->problem;
  }
  const auto skip_reason = [&](const std::string& name) -> const std::string* {
    for (const auto& [scenario, reason] : identity->skipped) {
      if (scenario == name) return &reason;
    }
    return nullptr;
  };
  for (const SuiteEntry& entry : suite->entries) {
    if (skip_reason(entry.scenario.name) != nullptr) continue;
    check::ScenarioInput scenario;
    scenario.scenario = entry.scenario;
    apply_options(scenario.scenario, options);
    take_ledger(*ledger, scenario);
    input.scenarios.push_back(std::move(scenario));
  }
  input.reproduce = fmt::format("hopcheck run {{file}} --provider {} --seed {}", identity->provider, identity->seed);
  auto result = judge_input(input, *suite, identity->seed);
  if (!result) return result;
  result->run_id = identity->run_id;
  result->provider = identity->provider;
  result->run_nonce = fmt::format("{:016x}", identity->tag.nonce);
  result->run_key = to_hex(identity->tag.key.data(), identity->tag.key.size());
  result->interrupted = identity->interrupted;
  if (auto phases = directory.read_phases()) result->phases = std::move(*phases);
  for (const SuiteEntry& entry : suite->entries) {
    const std::string* reason = skip_reason(entry.scenario.name);
    if (reason == nullptr) continue;
    ScenarioResult skipped;
    skipped.name = entry.scenario.name;
    skipped.file = entry.scenario.file;
    skipped.skipped = *reason;
    skipped.expected_verdict = entry.expect_verdict;
    skipped.rows = entry.scenario.rows;
    result->scenarios.push_back(std::move(skipped));
  }
  for (ScenarioResult& scenario : result->scenarios) {
    for (const auto& [name, fault] : identity->drawn) {
      if (name == scenario.name) scenario.drawn_fault = fault;
    }
  }
  return result;
}

Result<RunResult> judge_bare(const BareCapture& files, const config::SearchPath& search, const JudgeOptions& options) {
  auto suite = load_claims(files.scenario, search);
  if (!suite) return tl::unexpected(suite.error());
  if (suite->entries.size() != 1 || !suite->name.empty()) {
    return fail(ErrorKind::kUsage, files.scenario + " is a suite", "a bare capture is judged against one scenario",
                "name a scenario file");
  }
  const auto capture = store::load_capture(files.capture);
  if (!capture) return tl::unexpected(capture.error());
  const auto profiles = from_config(config::load_profiles(search));
  if (!profiles) return tl::unexpected(profiles.error());
  check::JudgeInput input;
  input.spans = &capture->spans;
  input.bodies = capture->bodies;
  input.rejected_spans = capture->rejected_spans;
  input.profiles = &*profiles;
  input.environment.provider = "none";
  input.environment.capture_complete = capture->complete;
  input.environment.capture_problem = capture->problem;
  check::ScenarioInput scenario;
  scenario.scenario = suite->entries[0].scenario;
  apply_options(scenario.scenario, options);
  scenario.has_ledger = !files.ledger.empty();
  if (scenario.has_ledger) {
    const auto ledger = store::load_ledger(files.ledger);
    if (!ledger) return tl::unexpected(ledger.error());
    take_ledger(*ledger, scenario);
  }
  input.scenarios.push_back(std::move(scenario));
  input.reproduce = fmt::format("hopcheck check --capture {} --scenario {{file}}{}", files.capture,
                                files.ledger.empty() ? " --without-ledger" : " --ledger " + files.ledger);
  auto result = judge_input(input, *suite, 0);
  if (result) result->provider = "none";
  return result;
}

Result<void> write_reports(const store::RunDirectory& directory, const RunResult& result) {
  const RunResult capped = report::capped(result);
  for (const auto& written :
       {directory.write_run_json(report::to_json(capped)), directory.write_findings(report::findings_to_jsonl(capped)),
        directory.write("reports/report.html", report::to_html(capped)),
        directory.write("reports/junit.xml", report::to_junit(capped)),
        directory.write("reports/summary.md", report::to_markdown(capped))}) {
    if (!written) return written;
  }
  return {};
}

}  // namespace hopcheck::app
