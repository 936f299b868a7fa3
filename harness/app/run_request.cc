#include "app/run_request.h"

#include <sys/random.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "plan/binding.h"

namespace hopcheck::app {
namespace {

Result<void> load_paths(const RunOptions& options, const config::SearchPath& search, Suite& suite) {
  for (const std::string& path : options.paths) {
    if (config::kind_of_file(path) == "Suite") {
      auto loaded = config::load_suite(path, search);
      if (!loaded) return fail(ErrorKind::kUsage, "the suite is not valid\n" + config::to_text(loaded.error()));
      if (options.paths.size() > 1)
        return fail(ErrorKind::kUsage, "a suite runs by itself", path + " is a suite", "name one suite, or scenarios");
      suite = std::move(*loaded);
      continue;
    }
    auto loaded = config::load_scenario(path, search);
    if (!loaded) return fail(ErrorKind::kUsage, "the scenario is not valid\n" + config::to_text(loaded.error()));
    SuiteEntry entry;
    entry.scenario = std::move(*loaded);
    suite.entries.push_back(std::move(entry));
  }
  return {};
}

// Why this provider cannot run the scenario; "" = it can.
std::string why_not(const Scenario& scenario, const ProviderFacts& provider) {
  std::vector<std::string> all = scenario.requires_capabilities;
  for (const auto* faults : {&scenario.faults, &scenario.inject}) {
    const bool any = std::any_of(faults->begin(), faults->end(), [](const Fault& f) { return is_mesh_fault(f.kind); });
    if (any) all.push_back("fault-injection");  // whether the scenario says so or not
  }
  const auto& has = provider.capabilities;
  for (const std::string& needed : all) {
    if (std::find(has.begin(), has.end(), needed) == has.end()) return "needs capability " + needed;
  }
  const std::string& istio = scenario.environment.istio;
  if (istio.empty() || starts_with_dotted(provider.istio, istio)) return "";
  return "needs Istio " + istio + ", this run has " + provider.istio;
}

std::string why_skipped(const RunRequest& request) {
  std::string out = "every scenario was skipped";
  const char* separator = ": ";
  for (const auto& [name, reason] : request.skipped) out += std::exchange(separator, ", ") + name + " " + reason;
  return out;
}

// What the seed drew becomes part of the stored suite, so that a stored run is judged without drawing again.
void settle_draw(run::PlannedScenario& item, SuiteEntry& entry, RunRequest& request) {
  item.scenario.inject_random = false;
  if (item.drawn) {
    const Fault fault = item.scenario.inject.empty() ? Fault{} : item.scenario.inject.back();
    request.drawn.emplace_back(item.scenario.name, run::describe(fault));
    if (entry.expect_verdict == "drawn") {
      entry.expect_findings = run::findings_of_fault(item.scenario.topology, fault);
      entry.expect_verdict = entry.expect_findings.empty() ? "pass" : "fail";
    }
  }
  entry.scenario = item.scenario;
}

void print_tree(const ExpectedTree& tree, std::string& out) {
  std::vector<int> depth(tree.spans.size(), 0);
  for (size_t i = 0; i < tree.spans.size(); ++i) {
    const ExpectedSpan& span = tree.spans[i];
    depth[i] = span.parent < 0 ? 0 : depth[span.parent] + 1;
    out += fmt::format("      {:{}}{} {} · {}\n", "", depth[i] * 2, to_string(span.kind), span.service_name, span.name);
  }
}

}  // namespace

Result<void> settle_spawn(const std::vector<MeshProfile>& profiles, const std::string& istio,
                          std::vector<Scenario>& scenarios) {
  std::string note;
  const auto profile = plan::profile_for(profiles, istio, note);
  if (!profile) return tl::unexpected(profile.error());
  for (Scenario& scenario : scenarios) {
    auto& spawn = scenario.environment.gateway_spawn;
    spawn = (*profile)->spawns(spawn);
  }
  return {};
}

uint64_t draw_seed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) std::abort();
  return seed % 1'000'000;
}

Result<RunRequest> resolve_run(const RunOptions& options, const config::SearchPath& search,
                               const ProviderFacts& provider) {
  RunRequest request;
  request.seed = options.seed ? *options.seed : draw_seed();
  if (auto loaded = load_paths(options, search, request.suite); !loaded) return tl::unexpected(loaded.error());
  // Several scenarios without a suite are one that expects each of them to pass.
  if (request.suite.name.empty() && request.suite.entries.size() > 1) request.suite.name = "scenarios";
  if (options.rate) request.suite.rate = *options.rate;
  std::vector<Scenario> scenarios;
  std::vector<size_t> entry_of;
  for (size_t i = 0; i < request.suite.entries.size(); ++i) {
    Scenario& scenario = request.suite.entries[i].scenario;
    if (options.requests) scenario.load.requests = *options.requests;
    if (options.rate) scenario.load.rate = *options.rate;
    for (const Journey& journey : scenario.load.journeys) {
      if (!journey.outside) continue;
      return fail(ErrorKind::kUsage, fmt::format("scenario {} cannot be driven", scenario.name),
                  fmt::format("journey {} goes to a place outside the topology", journey.name),
                  "judge a recorded capture by it: hopcheck check --capture");
    }
    const std::string reason = why_not(scenario, provider);
    if (!reason.empty()) {
      request.skipped.emplace_back(scenario.name, reason);
      continue;
    }
    scenarios.push_back(scenario);
    entry_of.push_back(i);
  }
  if (scenarios.empty())
    return fail(ErrorKind::kNothing, "nothing to run", why_skipped(request),
                "name other scenarios or another provider");
  auto profiles = config::load_profiles(search);
  if (!profiles)
    return fail(ErrorKind::kUsage, "the mesh profiles are not valid\n" + config::to_text(profiles.error()));
  request.profiles = std::move(*profiles);
  if (auto settled = settle_spawn(request.profiles, provider.istio, scenarios); !settled)
    return tl::unexpected(settled.error());
  request.plan = run::plan_environment(scenarios, options.istio, request.seed);
  for (run::PlannedScenario& item : request.plan.scenarios)
    settle_draw(item, request.suite.entries[entry_of[item.source]], request);
  return request;
}

std::string dry_run_json(const RunRequest& request, const ProviderChoice& choice) {
  using Json = nlohmann::ordered_json;
  Json out{{"provider", {{"name", choice.name}, {"why", choice.why}}}, {"seed", request.seed}};
  out["drawn"] = Json::object();
  for (const auto& [name, fault] : request.drawn) out["drawn"][name] = fault;
  out["skipped"] = Json::object();
  for (const auto& [name, reason] : request.skipped) out["skipped"][name] = reason;
  out["scenarios"] = Json::array();
  for (const run::PlannedScenario& item : request.plan.scenarios) {
    out["scenarios"].push_back({{"name", item.scenario.name},
                                {"requests", item.scenario.load.requests},
                                {"entry", to_string(item.scenario.entry)},
                                {"traceparent", to_string(item.scenario.load.traceparent)},
                                {"environment", item.group + 1},
                                {"namespace", item.scenario.topology.ns}});
  }
  return out.dump(2) + "\n";
}

Result<std::string> dry_run_text(const RunRequest& request, const std::string& istio, const ProviderChoice& choice) {
  std::string note;
  plan::ProfileBinding binding;
  const auto profile = plan::profile_for(request.profiles, istio, note);
  if (!profile) return tl::unexpected(profile.error());
  binding.fallback = *profile;
  std::string out = fmt::format("seed {}\nprovider {}{}\nprofile {}\n", request.seed, choice.name,
                                choice.why.empty() ? "" : ": " + choice.why, binding.fallback->name);
  if (!note.empty()) out += fmt::format("note {}\n", note);
  for (const auto& [name, fault] : request.drawn) out += fmt::format("drawn {}: {}\n", name, fault);
  for (size_t g = 0; g < request.plan.groups.size(); ++g) {
    const run::EnvironmentState& state = request.plan.groups[g];
    out += fmt::format("environment {}: transport {}, naming {}, sampling {}{}{}\n", g + 1, to_string(state.transport),
                       state.naming_unset ? "unset" : to_string(state.naming),
                       state.sampling ? fmt::format("{:g} %", *state.sampling) : "unset",
                       state.mesh_tracing ? "" : ", mesh tracing off",
                       state.telemetry_scope == kScopeMesh ? "" : ", scope " + state.telemetry_scope);
    if (g > 0) continue;
    for (const run::TopologyInstance& instance : state.instances) {
      out += fmt::format("  namespace {}: topology {}\n", instance.topology.ns, instance.topology.name);
    }
  }
  for (const run::PlannedScenario& item : request.plan.scenarios) {
    out += fmt::format("scenario {}: {} requests, entry {}, traceparent {}, environment {}, namespace {}\n",
                       item.scenario.name, item.scenario.load.requests, to_string(item.scenario.entry),
                       to_string(item.scenario.load.traceparent), item.group + 1, item.scenario.topology.ns);
    for (const Fault& fault : item.scenario.inject) out += fmt::format("    inject {}\n", run::describe(fault));
    plan::ProfileBinding own = binding;
    if (auto bound = plan::bind_declared(item.scenario, request.profiles, own); !bound)
      return tl::unexpected(bound.error());
    const auto expansion = plan::expand(item.scenario, own);
    if (!expansion) return tl::unexpected(expansion.error());
    for (const ExpectedTree& tree : expansion->trees) {
      out += fmt::format("    {}{}: {} spans\n", tree.journey, tree.variant.empty() ? "" : " (" + tree.variant + ")",
                         tree.spans.size());
      print_tree(tree, out);
    }
  }
  for (const auto& [name, reason] : request.skipped) out += fmt::format("skipped {}: {}\n", name, reason);
  return out;
}

}  // namespace hopcheck::app
