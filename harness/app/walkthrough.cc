#include "app/walkthrough.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "app/stored_run.h"
#include "app/walkthrough_steps.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/walkthrough.h"
#include "report/walkthrough.h"
#include "store/proofs.h"

namespace hopcheck::app {
namespace {

namespace fs = std::filesystem;

// What is known before anything is made.
struct Planned {
  Walkthrough walkthrough;
  run::EnvironmentState state;  // the application alone; the steps make the rest
  std::map<std::string, WalkScenario> scenarios;
  std::vector<MeshProfile> profiles;
};

tl::unexpected<Error> invalid(const std::string& what, const std::vector<config::Problem>& problems) {
  return fail(ErrorKind::kUsage, what + " is not valid\n" + config::to_text(problems));
}

void move_to(Topology& topology, const std::string& ns) {
  for (Service& service : topology.services) {
    if (service.ns == topology.ns) service.ns = ns;
  }
  topology.ns = ns;
}

// Beside the walkthrough, else in the installation.
std::string scenario_path(const Walkthrough& walkthrough, const std::string& ref, const Context& context) {
  const std::string beside = (fs::path(walkthrough.file).parent_path() / ref).lexically_normal().string();
  return fs::exists(beside) ? beside : context.share + "/" + ref;
}

Result<WalkScenario> plan_scenario(const Planned& planned, const std::string& path, const std::string& istio,
                                   const WalkthroughRequest& request, const Context& context) {
  auto scenario = config::load_scenario(path, {context.share});
  if (!scenario) return invalid("the walkthrough's scenario", scenario.error());
  const Topology& topology = planned.state.instances.front().topology;
  if (scenario->topology.name != topology.name)
    return fail(ErrorKind::kUsage, path + " is about another topology than the walkthrough",
                scenario->topology.name + " and " + topology.name);
  scenario->topology = topology;
  if (request.options.requests) scenario->load.requests = *request.options.requests;
  std::vector<Scenario> scenarios{*scenario};
  if (auto settled = settle_spawn(planned.profiles, istio, scenarios); !settled) return tl::unexpected(settled.error());
  WalkScenario out;
  out.plan = run::plan_environment(scenarios, istio, request.options.seed.value_or(0));
  out.scenario = scenarios.front();
  return out;
}

Result<Planned> plan_walkthrough(const WalkthroughRequest& request, const std::string& istio, const Context& context) {
  Planned out;
  auto walkthrough = config::load_walkthrough(request.options.paths.front());
  if (!walkthrough) return invalid("the walkthrough", walkthrough.error());
  out.walkthrough = std::move(*walkthrough);
  auto topology = config::load_topology(out.walkthrough.topology, out.walkthrough.file, {context.share});
  if (!topology) return invalid("the walkthrough's topology", topology.error());
  move_to(*topology, out.walkthrough.ns);
  run::TopologyInstance instance;
  instance.topology = std::move(*topology);
  out.state.istio = request.options.istio;
  out.state.instances = {std::move(instance)};
  auto profiles = config::load_profiles({context.share});
  if (!profiles) return invalid("the set of mesh profiles", profiles.error());
  out.profiles = std::move(*profiles);
  for (const WalkStep& step : out.walkthrough.steps) {
    if (step.action != StepAction::kScenario) continue;
    auto scenario =
        plan_scenario(out, scenario_path(out.walkthrough, step.scenario, context), istio, request, context);
    if (!scenario) return tl::unexpected(scenario.error());
    out.scenarios[step.name] = std::move(*scenario);
  }
  return out;
}

Result<store::RunDirectory> make_directory(const WalkthroughRequest& request, const std::string& name,
                                           const std::string& run_id) {
  std::string path = request.options.out;
  if (path.empty()) {
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    path = fmt::format("reports/runs/{:%Y%m%dT%H%M%SZ}-{}-{}", fmt::gmtime(now), name, run_id);
  }
  return store::RunDirectory::create(path);
}

std::string plan_text(const Walkthrough& walkthrough) {
  std::string out = fmt::format("walkthrough {}: {}\n", walkthrough.name, printable(walkthrough.description));
  for (const WalkStep& step : walkthrough.steps) {
    std::string needs;
    for (const std::string& need : step.needs) needs += (needs.empty() ? ", after " : ", ") + need;
    out += fmt::format("  {}{}: {}{}\n", step.name, step.is_counter_test() ? " (must fail)" : "", printable(step.does),
                       needs);
  }
  return out;
}

run::WalkActions actions_of(WalkSteps& steps, PhaseLog& log, const Context& context) {
  auto token = std::make_shared<size_t>(0);
  run::WalkActions out;
  out.perform = [&steps](const WalkStep& step, const run::Variables& variables) {
    return steps.perform(step, variables);
  };
  out.now_nanos = [] { return system_clock().monotonic_nanos(); };
  out.wait = [](int64_t nanos) { std::this_thread::sleep_for(std::chrono::nanoseconds(nanos)); };
  out.stopped = [&context] { return context.stop->load(); };
  out.began = [&steps, &log, token](const WalkStep& step) {
    steps.began(step);
    *token = log.begin(step.does);
  };
  out.ended = [&log, token](const WalkStep& step, const StepResult& result) {
    if (result.outcome == StepOutcome::kSkipped && result.tries == 0) *token = log.begin(step.does);
    log.end(*token, result.outcome == StepOutcome::kHeld ? "ok" : to_string(result.outcome));
  };
  return out;
}

std::vector<std::string> notes_of(const mesh::Ground& ground, const Topology& topology) {
  std::vector<std::string> out = ground.notes;
  std::string played;
  for (const Service& service : topology.services) {
    if (ground.stock_services.count(service.name) == 0) played += (played.empty() ? "" : ", ") + service.name;
  }
  if (!played.empty()) out.push_back("hopcheck-demo plays " + played + ": their official images are not at hand");
  return out;
}

void record_proofs(const Walkthrough& walkthrough, const WalkthroughResult& result) {
  for (const Proof& proof : run::walkthrough_proofs(walkthrough, result)) {
    const auto recorded = store::append_proof(proof);
    if (recorded) continue;
    fmt::print(stderr, "warning: proofs of conformance rows are not recorded\n{}", to_text(recorded.error()));
    return;
  }
}

Result<void> write_results(const store::RunDirectory& directory, const WalkthroughRequest& request,
                           const Walkthrough& walkthrough, const WalkthroughResult& result) {
  const Verdict verdict = run::verdict_of(walkthrough, result);
  const std::string json = report::walkthrough_json(walkthrough, result, verdict);
  const std::string junit = report::walkthrough_junit(walkthrough, result);
  if (auto written = directory.write("walkthrough.json", json); !written) return written;
  if (auto written = directory.write("reports/junit.xml", junit); !written) return written;
  for (const std::string& item : request.output.reports) {
    std::ofstream out(item.substr(item.find('=') + 1), std::ios::binary);
    out << (item.rfind("json=", 0) == 0 ? json : junit);
    out.close();
    if (!out) return fail(ErrorKind::kUsage, "--report " + item + " cannot be written", "", "name a writable path");
  }
  const bool as_json = request.output.output == "json";
  std::fputs((as_json ? json : report::walkthrough_text(walkthrough, result, verdict)).c_str(), stdout);
  std::fflush(stdout);
  return {};
}

Result<void> check_options(const WalkthroughRequest& request) {
  if (request.choice.name != "kind")
    return fail(ErrorKind::kUsage, "a walkthrough needs Kubernetes",
                request.choice.why.empty() ? "the local provider has none" : request.choice.why,
                "use --provider kind, on a machine with Docker");
  for (const std::string& item : request.output.reports) {
    if (item.rfind("junit=", 0) == 0 || item.rfind("json=", 0) == 0) continue;
    return fail(ErrorKind::kUsage, "--report " + printable(item) + ": a walkthrough has no such report", "",
                "junit=PATH or json=PATH");
  }
  return {};
}

// The environment is there; everything from here on ends with its release.
Result<WalkthroughResult> walk_on(mesh::KindProvider& provider, Planned& planned, WalkPlace place, PhaseLog& log,
                                  Context& context) {
  log.start_phase("environment");
  auto ground = provider.ensure_ground(planned.state, log, *context.stop);
  log.end_phase(ground ? "ok" : "failed");
  if (!ground) return tl::unexpected(ground.error());
  WalkthroughResult result;
  result.provider = "kind";
  result.istio = ground->istio_version;
  result.kubernetes = provider.kubernetes_version().value_or("");
  result.notes = notes_of(*ground, planned.state.instances.front().topology);
  for (const std::string& note : result.notes) log.note(note);
  place.ground = std::move(*ground);
  WalkSteps steps(std::move(place), context);
  if (auto prepared = steps.prepare(); !prepared) return tl::unexpected(prepared.error());
  log.start_phase("walkthrough");
  result.steps = run::walk(planned.walkthrough, steps.capabilities(), actions_of(steps, log, context));
  result.interrupted = context.stop->load();
  log.end_phase(run::verdict_of(planned.walkthrough, result) == Verdict::kPass ? "ok" : "failed");
  return result;
}

int code_of(Verdict verdict) {
  return verdict == Verdict::kPass ? 0 : verdict == Verdict::kFail ? 1 : 2;
}

}  // namespace

bool is_walkthrough(const std::vector<std::string>& paths) {
  return paths.size() == 1 && config::kind_of_file(paths.front()) == "Walkthrough";
}

Result<int> run_walkthrough(const WalkthroughRequest& request, Context& context) {
  if (auto allowed = check_options(request); !allowed) return tl::unexpected(allowed.error());
  const auto facts = facts_of(request.choice.name, request.options, context);
  if (!facts) return tl::unexpected(facts.error());
  auto planned = plan_walkthrough(request, facts->istio, context);
  if (!planned) return tl::unexpected(planned.error());
  if (request.options.dry_run) {
    std::fputs(plan_text(planned->walkthrough).c_str(), stdout);
    return 0;
  }
  if (auto ready = preflight(request.choice.name, request.options, context); !ready)
    return tl::unexpected(ready.error());
  const RunIdentity identity = new_identity(request.options.seed.value_or(0), "kind");
  auto directory = make_directory(request, planned->walkthrough.name, identity.run_id);
  if (!directory) return tl::unexpected(directory.error());
  auto environment = open_environment(request.choice.name, request.options,
                                      {identity.run_id, directory->file("logs")}, RunRequest{}, context);
  if (!environment) return tl::unexpected(environment.error());
  auto* provider = dynamic_cast<mesh::KindProvider*>(&(*environment)->provider());
  if (provider == nullptr) return fail(ErrorKind::kInternal, "the environment is not the kind provider's");
  ui::ProgressOptions progress_options;
  progress_options.mode = ui::parse_progress_mode(request.options.progress).value_or(ui::ProgressMode::kAuto);
  progress_options.is_tty = isatty(STDERR_FILENO) == 1;
  ui::Progress progress(progress_options, system_clock(), ui::write_stderr);
  PhaseLog log(&progress, &*directory);
  WalkPlace place;
  place.provider = provider;
  place.directory = &*directory;
  place.log = &log;
  place.scenarios = planned->scenarios;
  place.profiles = planned->profiles;
  place.seed = request.options.seed.value_or(0);
  const auto result = walk_on(*provider, *planned, std::move(place), log, context);
  const Verdict verdict = result ? run::verdict_of(planned->walkthrough, *result) : Verdict::kUnknown;
  if (verdict != Verdict::kPass && !context.stop->load()) {
    for (const std::string& missing : provider->collect_evidence(directory->file("logs"))) log.note(missing);
  }
  const std::string& keep = request.options.keep;
  const auto released =
      (*environment)->finish(keep == "always" || (keep == "on-failure" && verdict != Verdict::kPass), log);
  if (!result) return tl::unexpected(result.error());
  record_proofs(planned->walkthrough, *result);
  if (auto written = write_results(*directory, request, planned->walkthrough, *result); !written)
    return tl::unexpected(written.error());
  fmt::print(stderr, "what was found is in {}\n", directory->path());
  if (context.stop_signal() != 0) return 128 + context.stop_signal();
  if (!released && verdict == Verdict::kPass) return tl::unexpected(released.error());
  return code_of(verdict);
}

}  // namespace hopcheck::app
