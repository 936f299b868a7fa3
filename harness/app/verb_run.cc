// run: the main job. Environment up (or reused), traffic, capture, verdict, reports, environment down.
#include <sys/stat.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "app/injections.h"
#include "app/mesh_environment.h"
#include "app/output.h"
#include "app/record_rows.h"
#include "app/run_request.h"
#include "app/session.h"
#include "app/verbs.h"
#include "app/walkthrough.h"
#include "base/text.h"
#include "report/terminal.h"

namespace hopcheck::app {
namespace {

// Sets the stop flag when the whole run takes longer than --timeout.
class Watchdog {
 public:
  Watchdog(int64_t nanos, std::atomic<bool>& stop) {
    if (nanos <= 0) return;
    thread_ = std::thread([this, nanos, &stop] {
      std::unique_lock lock(mutex_);
      if (!ended_.wait_for(lock, std::chrono::nanoseconds(nanos), [this] { return end_; })) {
        expired_ = true;
        stop = true;
      }
    });
  }
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      end_ = true;
    }
    ended_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  bool expired() const { return expired_; }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::atomic<bool> expired_{false};
  std::thread thread_;
};

struct RunVerb {
  RunOptions options;
  OutputOptions output;
  std::vector<std::string> only;  // of an injection suite
};

std::string default_directory(const RunRequest& request, const RunIdentity& identity) {
  const std::string name =
      request.suite.name.empty() ? request.suite.entries.front().scenario.name : request.suite.name;
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("reports/runs/{:%Y%m%dT%H%M%SZ}-{}-{}", fmt::gmtime(now), name, identity.run_id);
}

Result<store::RunDirectory> make_directory(const RunVerb& verb, const RunRequest& request,
                                           const RunIdentity& identity) {
  const std::string path = verb.options.out.empty() ? default_directory(request, identity) : verb.options.out;
  auto directory = store::RunDirectory::create(path);
  if (!directory) return directory;
  const bool plain = request.suite.name.empty() && request.suite.entries.size() == 1;
  const auto written = directory->write_scenario(plain ? config::to_yaml(request.suite.entries[0].scenario)
                                                       : config::to_yaml(request.suite));
  if (!written) return tl::unexpected(written.error());
  if (verb.options.out.empty()) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (auto linked = store::link_latest(folder.string(), std::filesystem::path(path).filename().string()); !linked)
      return tl::unexpected(linked.error());
    store::KeepRuns keep;
    keep.now_unix_nanos = system_clock().wall_unix_nanos();
    keep.always = {std::filesystem::path(path).filename().string()};
    if (auto pruned = store::prune_runs(folder.string(), keep); !pruned) return tl::unexpected(pruned.error());
  }
  return directory;
}

std::vector<bool> completeness(const RunRequest& request) {
  std::vector<bool> out;
  for (const run::PlannedScenario& item : request.plan.scenarios) {
    bool whole = item.scenario.inject.empty() && item.scenario.environment.without_sidecar.empty();
    for (const SuiteEntry& entry : request.suite.entries) {
      if (entry.scenario.name == item.scenario.name && entry.expect_verdict != "pass") whole = false;
    }
    out.push_back(whole);
  }
  return out;
}

ui::ProgressOptions progress_options(const RunVerb& verb) {
  ui::ProgressOptions out;
  out.mode = ui::parse_progress_mode(verb.options.progress).value_or(ui::ProgressMode::kAuto);
  out.is_tty = isatty(STDERR_FILENO) == 1;
  return out;
}

struct Ran {
  Result<void> session;
  Result<void> released;
  std::optional<RunResult> result;
};

// Deploys, drives, judges, releases. The environment is released whatever happened, unless it is to be kept.
Ran run_on(MeshEnvironment& environment, const RunVerb& verb, const RunRequest& request, store::RunDirectory& directory,
           const RunIdentity& identity, PhaseLog& log, const config::SearchPath& search, Context& context) {
  Ran out;
  SessionInput input;
  input.provider = &environment.provider();
  input.plan = &request.plan;
  input.profiles = &request.profiles;
  input.must_be_complete = completeness(request);
  input.directory = &directory;
  input.identity = identity;
  input.log = &log;
  input.suite_rate = request.suite.name.empty() ? 0 : request.suite.rate;
  input.stop = context.stop;
  Session session(std::move(input));
  out.session = session.run();
  if (session.drove() && std::filesystem::exists(directory.file("capture.hcl"))) {
    log.start_phase("judge");
    auto judged = judge_stored(directory, search, {verb.options.without_rules});
    log.end_phase(judged ? "ok" : "failed");
    if (judged) {
      out.result = std::move(*judged);
    } else if (out.session) {
      out.session = tl::unexpected(judged.error());
    }
  }
  const bool failed = !out.session || !out.result || out.result->exit_code != 0;
  if (failed && !*context.stop) {
    log.start_phase("evidence");
    for (const std::string& missing : environment.provider().collect_evidence(directory.file("logs")))
      log.note(missing);
    log.end_phase("ok");
  }
  log.start_phase("tear down");
  const bool keep = verb.options.keep == "always" || (verb.options.keep == "on-failure" && failed);
  out.released = environment.finish(keep, log);
  log.end_phase(out.released ? "ok" : "failed");
  return out;
}

int finish_run(Ran ran, const RunVerb& verb, const store::RunDirectory& directory, const PhaseLog& log, bool timed_out,
               Context& context) {
  int code = 0;
  if (ran.result) {
    ran.result->phases = log.steps();
    code = ran.result->exit_code;
    if (!timed_out && context.stop_signal() == 0) {
      const bool all = verb.options.without_rules.empty();
      record_rows(*ran.result, run::ProofSource::kRun, all ? run::RuleSelection::kAll : run::RuleSelection::kSome);
    }
    if (auto written = write_reports(directory, *ran.result); !written) code = report_error(written.error());
    if (auto emitted = emit(verb.output, *ran.result, directory.path()); !emitted) code = report_error(emitted.error());
    std::fputs(report::phase_timeline(*ran.result, {}).c_str(), stderr);
  }
  const int signal = context.stop_signal();
  if (signal != 0) {
    fmt::print(stderr, "interrupted: what was collected is in {}\n", directory.path());
    return 128 + signal;
  }
  if (timed_out) {
    return report_error(Error{ErrorKind::kEnvironment, "the run took longer than --timeout " + verb.options.timeout,
                              "what was collected is in " + directory.path(),
                              "allow more time, or look at the timeline for what waits"});
  }
  if (!ran.session) {
    const int error_code = report_error(ran.session.error());
    fmt::print(stderr, "what was collected is in {}\n", directory.path());
    if (code != 1) code = error_code;  // a failed verdict stands before an environment error (verdict.md section 3)
  }
  if (!ran.released) {
    const int error_code = report_error(ran.released.error());
    if (code == 0 || code == 2) code = error_code;
  }
  return code;
}

// What a suite of injected causes leaves out is refused rather than ignored.
Result<int> injections_verb(const RunVerb& verb, Context& context) {
  const RunOptions& options = verb.options;
  const auto refuse = [](const std::string& flag) -> Result<int> {
    return fail(ErrorKind::kUsage, flag + " is not for a suite of injected causes", "", "leave it out");
  };
  if (options.paths.size() > 1) return fail(ErrorKind::kUsage, "a suite of injected causes runs by itself");
  if (options.provider == "local") return fail(ErrorKind::kUsage, "injected causes need Kubernetes: --provider kind");
  if (options.dry_run) return refuse("--dry-run");
  if (options.requests || options.rate) return refuse("--requests, --rate");
  if (!options.without_rules.empty()) return refuse("--without-rule");
  if (!verb.output.reports.empty()) return refuse("--report");
  if (options.keep != "never") return refuse("--keep");
  if (!options.timeout.empty()) return refuse("--timeout");
  return run_injections({options, verb.only, verb.output.output}, context);
}

Result<int> run_verb(const RunVerb& verb, Context& context) {
  if (!verb.only.empty())
    return fail(ErrorKind::kUsage, "--only is for a suite of injected causes", "", "leave it out");
  const config::SearchPath search{context.share};
  int64_t timeout = 0;
  if (!verb.options.timeout.empty()) {
    const auto parsed = parse_duration_nanos(verb.options.timeout);
    if (!parsed || *parsed == 0)
      return fail(ErrorKind::kUsage, "--timeout " + verb.options.timeout + " is no duration", "",
                  "write it as 10m or 90s");
    timeout = *parsed;
  }
  const auto choice = choose_provider(verb.options, context);
  if (!choice) return tl::unexpected(choice.error());
  if (is_walkthrough(verb.options.paths)) {
    const Watchdog watchdog(timeout, *context.stop);
    return run_walkthrough({verb.options, verb.output, *choice}, context);
  }
  if (!verb.options.dry_run) fmt::print(stderr, "seed {}\n", verb.options.seed.value_or(0));
  const auto facts = facts_of(choice->name, verb.options, context);
  if (!facts) return tl::unexpected(facts.error());
  const auto request = resolve_run(verb.options, search, *facts);
  if (!request) return tl::unexpected(request.error());
  if (verb.options.dry_run) {
    if (verb.output.output == "json") {
      std::fputs(dry_run_json(*request, *choice).c_str(), stdout);
      return 0;
    }
    const auto text = dry_run_text(*request, facts->istio, *choice);
    if (!text) return tl::unexpected(text.error());
    std::fputs(text->c_str(), stdout);
    return 0;
  }
  if (!choice->why.empty()) fmt::print(stderr, "provider {}: {}\n", choice->name, choice->why);
  const Watchdog watchdog(timeout, *context.stop);
  const RunIdentity identity = [&] {
    RunIdentity made = new_identity(request->seed, choice->name);
    made.skipped = request->skipped;
    made.drawn = request->drawn;
    made.suite_file = request->suite.file;
    for (const SuiteEntry& entry : request->suite.entries)
      made.files.emplace_back(entry.scenario.name, entry.scenario.file);
    return made;
  }();
  if (auto ready = preflight(choice->name, verb.options, context); !ready) return tl::unexpected(ready.error());
  auto directory = make_directory(verb, *request, identity);
  if (!directory) return tl::unexpected(directory.error());
  auto environment =
      open_environment(choice->name, verb.options, {identity.run_id, directory->file("logs")}, *request, context);
  if (!environment) return tl::unexpected(environment.error());
  ui::Progress progress(progress_options(verb), system_clock(), ui::write_stderr);
  PhaseLog log(&progress, &*directory);
  Ran ran = run_on(**environment, verb, *request, *directory, identity, log, search, context);
  return finish_run(std::move(ran), verb, *directory, log, watchdog.expired(), context);
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto verb = std::make_shared<RunVerb>();
  CLI::App* run = app.add_subcommand("run", "Drive scenarios or a suite through a mesh and judge every request");
  RunOptions& options = verb->options;
  run->add_option("paths", options.paths, "scenario files, or one suite file, or one walkthrough")->required();
  run->add_option("--provider", options.provider, "where the mesh comes from: auto, kind, local")
      ->check(CLI::IsMember({"auto", "kind", "local"}));
  run->add_option("--istio", options.istio, "Istio version by dotted prefix, e.g. 1.31");
  run->add_option("--images", options.images, "images file over kind/images.yaml (HOPCHECK_IMAGES)");
  run->add_option("--image", options.image_overrides, "ROLE=REF: one image; repeatable");
  run->add_option("--env", options.env, "use this standing environment (hopcheck up)");
  run->add_option("--out", options.out, "run directory (default reports/runs/<time>-<name>-<id>)");
  run->add_option("--seed", options.seed, "what is drawn: random faults, the judge's canary");
  run->add_option("--requests", options.requests, "requests of each scenario");
  run->add_option("--rate", options.rate, "requests per second, all scenarios of a suite together");
  run->add_flag("--dry-run", options.dry_run, "print the plan: environment, expected trees, faults drawn");
  run->add_option("--keep", options.keep, "keep the environment: always, on-failure, never")
      ->check(CLI::IsMember({"always", "on-failure", "never"}));
  run->add_option("--timeout", options.timeout, "bound of the whole run, e.g. 10m");
  run->add_option("--progress", options.progress, "auto, tty, plain, json, none")
      ->check(CLI::IsMember({"auto", "tty", "plain", "json", "none"}));
  run->add_option("--without-rule", options.without_rules, "leave out a code or family; repeatable");
  run->add_option("--only", verb->only, "of an injection suite: this cause, and no pair; repeatable");
  add_output_options(*run, verb->output);
  run->callback([verb, &context] {
    if (!verb->options.seed) verb->options.seed = draw_seed();
    const auto code = config::kind_of_file(verb->options.paths.front()) == "InjectionSuite"
                          ? injections_verb(*verb, context)
                          : run_verb(*verb, context);
    context.exit_code = code ? *code : report_error(code.error());
  });
}

}  // namespace hopcheck::app
