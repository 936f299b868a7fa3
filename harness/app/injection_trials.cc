#include "app/injection_trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "mesh/env_record.h"
#include "report/json.h"
#include "store/proofs.h"
#include "store/run_dir.h"

namespace hopcheck::app {
namespace {

namespace fs = std::filesystem;
using doctor::Trial;
using Strings = std::vector<std::string>;

constexpr const char* kUnusable = "environment unusable";  // where codes of findings stand otherwise
constexpr int64_t kCommandMs = 150'000, kRunMs = 240'000, kDoctorMs = 60'000, kUpMs = 600'000;
// istiod pushes a change within a second or two; connections of before are closed by the drain of our proxies (5 s),
// most of which the start of the next run waits anyway.
constexpr auto kSettle = std::chrono::milliseconds(2'500);

Result<Diagnosed> read_diagnosis(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("causes"))
    return fail(ErrorKind::kEnvironment, "hopcheck doctor gave no diagnosis");
  Diagnosed out;
  for (const auto& cause : json["causes"])
    out.causes.push_back({cause.value("id", ""), cause.value("subject", ""), cause.value("commands", Strings{})});
  return out;
}

}  // namespace

Strings Diagnosed::ids() const {
  Strings out;
  for (const Cause& cause : causes) out.push_back(cause.id);
  return out;
}

std::string Performer::kubeconfig() const { return mesh::default_state_dir() + "/" + env_ + "/kubeconfig"; }

// One of our own verbs. Its proofs are left out: what a mesh that was broken on purpose gives is no proof about rows.
Result<mesh::ProcessResult> Performer::call(const Strings& arguments, const std::string& log, int64_t timeout_ms) {
  mesh::ProcessSpec spec;
  spec.argv = {context_.executable};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.env = {{"HOPCHECK_PROOFS", "off"}};
  spec.log_path = log;
  spec.timeout_ms = timeout_ms;
  auto result = runner_->run(spec, *context_.stop);
  if (result && (result->interrupted || result->timed_out))
    return fail(ErrorKind::kEnvironment, "hopcheck " + arguments.front() + " was ended before its time");
  return result;
}

Result<void> Performer::open_environment() {
  if (!options_.run.env.empty()) {
    env_ = options_.run.env;
    const auto record = mesh::load_env(mesh::default_state_dir(), env_);
    return record ? Result<void>() : tl::unexpected<Error>(record.error());
  }
  env_ = fmt::format("faults-{}", draw_seed());
  Strings arguments = {"up", "--name", env_, suite_.scenario};
  if (!options_.run.istio.empty()) arguments.insert(arguments.end(), {"--istio", options_.run.istio});
  if (!options_.run.images.empty()) arguments.insert(arguments.end(), {"--images", options_.run.images});
  for (const std::string& image : options_.run.image_overrides) arguments.insert(arguments.end(), {"--image", image});
  fmt::print(stderr, "environment {}: hopcheck up\n", env_);
  const auto up = call(arguments, options_.run.out + "/up.log", kUpMs);
  if (!up) return tl::unexpected(up.error());
  if (up->exit_code != 0)
    return fail(ErrorKind::kEnvironment, "the environment did not come up", mesh::last_lines(up->err, 3));
  ours_ = true;
  return {};
}

Result<void> Performer::close_environment() {
  if (!ours_) return {};
  mesh::ProcessSpec spec;
  spec.argv = {context_.executable, "down", "--env", env_};
  spec.timeout_ms = kUpMs;
  const std::atomic<bool> never{false};  // also when the trials were interrupted
  return mesh::run_checked(*runner_, spec, never, "removing environment " + env_).map([](const auto&) {});
}

Result<void> Performer::shell(const Strings& commands, const std::string& folder) {
  std::string path = fs::path(context_.executable).parent_path().string();  // the fixes call hopcheck too
  for (const char* name : {"HOPCHECK_TOOLS", "PATH"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') path += std::string(":") + value;
  }
  for (const std::string& command : commands) {
    mesh::ProcessSpec spec;
    spec.argv = {"/bin/sh", "-euc", "cd \"$HOPCHECK_FOLDER\"\n" + command};
    spec.env = {{"KUBECONFIG", kubeconfig()},
                {"HOPCHECK_FOLDER", folder},
                {"PATH", path}};
    spec.log_path = folder + "/commands.log";
    spec.timeout_ms = kCommandMs;
    const auto done = mesh::run_checked(*runner_, spec, *context_.stop, command);
    if (!done) return tl::unexpected(done.error());
  }
  return {};
}

// Every rollout is finished and no old pod is left, so that nothing of before answers.
Result<void> Performer::wait_whole(const std::string& folder) {
  Strings commands;
  for (const std::string& ns : {std::string("istio-system"), std::string("observability"), suite_.ns})
    commands.push_back("kubectl rollout status deployment -n " + ns + " --timeout=120s >/dev/null");
  commands.push_back(
      "i=0; while kubectl get pods -n " + suite_.ns +
      " -o jsonpath='{.items[*].metadata.deletionTimestamp}' | grep -q . && [ $i -lt 60 ]; do i=$((i+1)); "
      "sleep 0.5; done");
  return shell(commands, folder);
}

Result<Driven> Performer::drive(const std::string& scenario, const std::string& folder) {
  const auto ran = call({"run", scenario, "--provider", "kind", "--env", env_, "--requests",
                         std::to_string(suite_.requests), "--out", folder, "--progress", "none"},
                        folder + ".log", kRunMs);
  if (!ran) return tl::unexpected(ran.error());
  Driven out;
  out.exit_code = ran->exit_code;
  if (ran->exit_code == exit_code_of(ErrorKind::kEnvironment) && !fs::exists(folder + "/run.json")) {
    out.codes = {kUnusable};
    return out;
  }
  const auto directory = store::RunDirectory::open(folder);
  const auto text = directory ? directory->read_run_json() : tl::unexpected(directory.error());
  if (!text) return fail(ErrorKind::kEnvironment, "the run left no result", mesh::last_lines(ran->err, 3));
  const auto result = report::from_json(*text);
  if (!result) return tl::unexpected(result.error());
  std::set<std::string> codes;
  for (const ScenarioResult& one : result->scenarios) {
    for (const Finding& finding : one.findings) codes.insert(finding.code);
  }
  out.codes.assign(codes.begin(), codes.end());
  out.istio = result->environment.istio;
  return out;
}

Result<Diagnosed> Performer::diagnose(const std::string& folder, const std::string& run) {
  Strings arguments = {"doctor", "--kubeconfig", kubeconfig(), "-n", suite_.ns, "-o", "json"};
  if (fs::exists(run + "/run.json")) arguments.insert(arguments.end(), {"--run", run});
  const auto asked = call(arguments, folder + "/doctor.log", kDoctorMs);
  if (!asked) return tl::unexpected(asked.error());
  auto diagnosed = read_diagnosis(asked->out);
  if (!diagnosed) return fail(ErrorKind::kEnvironment, diagnosed.error().what, mesh::last_lines(asked->err, 3));
  return diagnosed;
}

Result<void> Performer::check_healthy() {
  const std::string folder = fs::absolute(options_.run.out + "/00-healthy").string();
  fs::create_directories(folder);
  const auto driven = drive(suite_.scenario, folder + "/run");
  if (!driven) return tl::unexpected(driven.error());
  const auto diagnosed = diagnose(folder, folder + "/run");
  if (!diagnosed) return tl::unexpected(diagnosed.error());
  istio_ = driven->istio;
  if (driven->exit_code == 0 && diagnosed->causes.empty()) return {};
  return fail(ErrorKind::kEnvironment, "the mesh is not healthy before anything is injected",
              fmt::format("the run exits {}, the doctor names {} causes", driven->exit_code, diagnosed->causes.size()),
              "look into " + folder);
}

// Goes on after what cannot be mended, so that one failure does not spoil the next trial.
Result<void> Performer::mend(const std::vector<const Injection*>& injections, const Diagnosed& diagnosed,
                             const std::string& folder, Trial& trial) {
  Result<void> result;
  const auto run_fix = [&](const Strings& commands) {
    trial.fixes.insert(trial.fixes.end(), commands.begin(), commands.end());
    if (auto done = shell(commands, folder); !done && result) result = done;
  };
  Strings left;
  for (const Injection* one : injections) left.push_back(one->cause);
  for (const Diagnosed::Cause& cause : diagnosed.causes) {
    const auto known = std::find_if(injections.begin(), injections.end(),
                                    [&](const Injection* one) { return one->cause == cause.id; });
    const bool in_words = known != injections.end() && !(*known)->mend.empty();
    trial.fix_printed = trial.fix_printed && !in_words;
    left.erase(std::remove(left.begin(), left.end(), cause.id), left.end());
    if (!in_words && cause.commands.empty() && result)
      result = fail(ErrorKind::kEnvironment, "the doctor's fix for " + cause.id + " is no command");
    run_fix(in_words ? (*known)->mend : cause.commands);
  }
  for (const Injection* one : injections) {  // what was not named is still in force
    if (std::find(left.begin(), left.end(), one->cause) != left.end()) run_fix(one->mend);
  }
  return result;
}

Result<void> Performer::perform_steps(const std::vector<const Injection*>& injections, const std::string& folder,
                                      Trial& trial) {
  std::string scenario = suite_.scenario;
  for (const Injection* one : injections) {
    if (auto done = shell(one->inject, folder); !done) return done;
    if (!one->scenario.empty()) scenario = one->scenario;
  }
  std::this_thread::sleep_for(kSettle);
  const auto broken = drive(scenario, folder + "/injected");
  if (!broken) return tl::unexpected(broken.error());
  trial.findings = broken->codes;
  const auto diagnosed = diagnose(folder, folder + "/injected");
  if (!diagnosed) return tl::unexpected(diagnosed.error());
  trial.diagnosed = diagnosed->ids();
  for (const Injection* one : injections) {
    for (const Diagnosed::Cause& cause : diagnosed->causes) {
      if (cause.id == one->cause && !one->subject.empty() && cause.subject != one->subject)
        trial.wrong_subjects.push_back(cause.id + " of " + cause.subject + ", expected " + one->subject);
    }
  }
  if (auto done = mend(injections, *diagnosed, folder, trial); !done) return done;
  if (auto whole = wait_whole(folder); !whole) return whole;
  std::this_thread::sleep_for(kSettle);
  const auto mended = drive(suite_.scenario, folder + "/mended");
  if (!mended) return tl::unexpected(mended.error());
  trial.exit_after = mended->exit_code;
  const auto after = diagnose(folder, folder + "/mended");
  if (!after) return tl::unexpected(after.error());
  trial.after = after->ids();
  for (const Injection* one : injections) {
    if (one->restore.empty()) continue;
    if (auto done = shell(one->restore, folder); !done) return done;
    if (auto whole = wait_whole(folder); !whole) return whole;
  }
  return {};
}

// After a trial that broke off, so that the next one begins on a mesh that is whole: as far as it goes.
void Performer::clean_up(const std::vector<const Injection*>& injections, const std::string& folder) {
  if (*context_.stop) return;
  Trial unused;
  const auto diagnosed = diagnose(folder, "");
  Result<void> done = diagnosed ? mend(injections, *diagnosed, folder, unused) : tl::unexpected(diagnosed.error());
  for (const Injection* one : injections) {
    if (const auto restored = shell(one->restore, folder); !restored) done = restored;
  }
  if (done) done = wait_whole(folder);
  if (!done) fmt::print(stderr, "the mesh is not put back: {}\n", done.error().what);
}

Trial Performer::perform(const std::vector<const Injection*>& injections) {
  const auto began = std::chrono::steady_clock::now();
  Trial trial;
  std::string name;
  for (const Injection* one : injections) {
    trial.injected.push_back(one->cause);
    name += (name.empty() ? "" : "+") + one->cause;
  }
  trial.findings_asked = injections.size() == 1;
  if (trial.findings_asked) trial.expected_findings = injections.front()->findings;
  if (injections.front()->unusable) trial.expected_findings = {kUnusable};
  const std::string folder = fs::absolute(fmt::format("{}/{:02}-{}", options_.run.out, ++number_, name)).string();
  fs::create_directories(folder);
  const auto done = perform_steps(injections, folder, trial);
  if (!done) {
    trial.problem = done.error().what + (done.error().why.empty() ? "" : ": " + done.error().why);
    clean_up(injections, folder);
  }
  trial.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const char* named = trial.named() ? "named alone" : "NOT named alone";
  if (injections.size() > 1) named = trial.named() ? "both named, nothing else" : "NOT both named alone";
  fmt::print(stderr, "{:>6.1f}s  {}: {}; {}\n", trial.seconds, name, named,
             trial.mended() ? "whole again after the fix" : "NOT whole after the fix");
  return trial;
}

void Performer::record(const Strings& rows, const std::string& result, const std::vector<Trial>& trials) {
  const bool named = std::all_of(trials.begin(), trials.end(), [](const Trial& trial) { return trial.named(); });
  const bool mended = std::all_of(trials.begin(), trials.end(), [](const Trial& trial) { return trial.mended(); });
  for (const std::string& row : rows) {
    for (const Polarity polarity : {Polarity::kNegative, Polarity::kPositive}) {
      Proof proof;
      proof.row = row;
      proof.polarity = polarity;
      proof.result = result;
      proof.kind = ProofKind::kLive;
      proof.provider = "kind";
      proof.istio = istio_;
      proof.held = polarity == Polarity::kNegative ? named : mended;
      proof.verdict = proof.held == (polarity == Polarity::kPositive) ? "pass" : "fail";
      if (auto recorded = store::append_proof(proof); !recorded)
        fmt::print(stderr, "warning: proofs of conformance rows are not recorded\n{}", to_text(recorded.error()));
    }
  }
}

}  // namespace hopcheck::app
