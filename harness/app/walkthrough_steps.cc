#include "app/walkthrough_steps.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "app/record_rows.h"
#include "app/session.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/load.h"
#include "report/oneline.h"
#include "run/drain.h"
#include "store/capture.h"

namespace hopcheck::app {
namespace {

namespace fs = std::filesystem;

constexpr size_t kOutputLimit = size_t{1} << 20;
constexpr size_t kMaxCapture = size_t{512} << 20;
constexpr int64_t kPathNanos = 60'000'000'000;

// One span that belongs to nothing, as OTLP/JSON.
std::string probe_body() {
  const int64_t now = system_clock().wall_unix_nanos();
  return fmt::format(
      R"({{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"hopcheck"}}}}]}},)"
      R"("scopeSpans":[{{"scope":{{"name":"hopcheck"}},"spans":[{{"traceId":"{}","spanId":"{}","name":"path probe",)"
      R"("kind":1,"startTimeUnixNano":"{}","endTimeUnixNano":"{}","status":{{}}}}]}}]}}]}})",
      mesh::random_hex(16), mesh::random_hex(8), now, now);
}

StepSeen impossible(const Error& error) {
  StepSeen seen;
  seen.problem = error.what + (error.why.empty() ? "" : ": " + error.why);
  return seen;
}

std::string quoted_files(const std::vector<std::string>& files) {
  std::string out;
  for (const std::string& file : files) out += (out.empty() ? "-f " : " -f ") + file;
  return out;
}

}  // namespace

WalkSteps::WalkSteps(WalkPlace place, Context& context)
    : place_(std::move(place)), context_(context), runner_(mesh::make_process_runner()) {}

Result<void> WalkSteps::prepare() {
  const std::string bin = place_.ground.folder + "/bin";
  std::error_code error;
  fs::create_directories(bin, error);
  for (const auto& [name, path] : {std::pair<std::string, std::string>{"kubectl", place_.ground.kubectl},
                                   {"istioctl", place_.ground.istioctl},
                                   {"hopcheck", context_.executable}}) {
    fs::remove(bin + "/" + name, error);
    fs::create_symlink(path, bin + "/" + name, error);
    if (error) return fail(ErrorKind::kEnvironment, "cannot make " + bin + "/" + name, error.message());
  }
  const auto token = mesh::read_small(place_.ground.token_file);
  if (!token) return tl::unexpected(token.error());
  token_ = *token;
  find_helm();
  return {};
}

void WalkSteps::find_helm() {
  mesh::ProcessSpec spec;
  spec.argv = {context_.share + "/scripts/helm", "--find"};
  spec.timeout_ms = 5'000;
  const auto found = runner_->run(spec, *context_.stop);
  if (!found || !found->ok()) return;
  for (const std::string_view line : split(found->out, '\n')) {  // "helm PATH", "chart PATH"
    if (line.substr(0, 5) == "helm ") helm_ = line.substr(5);
    if (line.substr(0, 6) == "chart ") chart_ = line.substr(6);
  }
}

std::set<std::string> WalkSteps::capabilities() const {
  std::set<std::string> out = place_.ground.capabilities;
  if (!helm_.empty() && !chart_.empty()) out.insert("helm");
  return out;
}

void WalkSteps::began(const WalkStep& step) {
  began_[step.name] = static_cast<uint64_t>(system_clock().wall_unix_nanos());
}

StepSeen WalkSteps::perform(const WalkStep& step, const run::Variables& variables) {
  StepSeen seen;
  switch (step.action) {
    case StepAction::kRun: seen = run_shell(step, variables); break;
    case StepAction::kAddress: seen = find_address(); break;
    case StepAction::kTraces: seen = find_traces(step); break;
    case StepAction::kScenario: seen = drive_scenario(step); break;
  }
  for (std::string* text : {&seen.out, &seen.err, &seen.problem}) *text = without_token(std::move(*text));
  keep_log(step, seen);
  return seen;
}

StepSeen WalkSteps::run_shell(const WalkStep& step, const run::Variables& variables) {
  const mesh::Ground& ground = place_.ground;
  const char* path = std::getenv("PATH");
  const bool stock = ground.stock_services.count("ratings") > 0;
  mesh::ProcessSpec spec;
  spec.argv = {"/bin/sh", "-euc", "cd \"$WORK\"\n" + step.command};
  spec.env = {{"PATH", ground.folder + "/bin:" + (path == nullptr ? "/usr/bin:/bin" : path)},
              {"KUBECONFIG", place_.provider->kubeconfig()},
              {"HOME", ground.folder},  // no configuration of the user's tools
              {"WORK", ground.folder},
              {"SHARE", context_.share},
              {"ISTIO_SETTINGS", quoted_files(ground.istio_files)},
              {"ISTIO_VERSION", ground.istio_version},
              {"BACKEND", ground.backend},
              {"BACKEND_TOKEN_FILE", ground.token_file},
              {"COLLECTOR_VERSION", ground.collector_version},
              {"BOOKINFO", ground.bookinfo_file},
              {"HELM", helm_},
              {"ISTIOD_CHART", chart_},
              {"IN_MESH_CURL", stock ? "curl -sS" : "hopcheck-demo fetch"}};
  for (const auto& [name, value] : variables) spec.env[name] = value;
  spec.timeout_ms = mesh::scaled_ms(step.timeout_nanos / 1'000'000);
  spec.output_limit = kOutputLimit;
  auto done = runner_->run(spec, *context_.stop);
  if (!done) return impossible(done.error());
  StepSeen seen;
  seen.exit_code = done->signal != 0 ? 128 + done->signal : done->exit_code;
  seen.out = std::move(done->out);
  seen.err = std::move(done->err);
  seen.timed_out = done->timed_out;
  return seen;
}

StepSeen WalkSteps::find_address() {
  const auto address = place_.provider->ingress();
  if (!address) return impossible(address.error());
  StepSeen seen;
  seen.out = fmt::format("{}:{}\n", address->host, address->port);
  seen.err = address->how;
  if (address->fallback) place_.log->note("ingress address: " + address->how);
  return seen;
}

// The backend's capture as it is now, looked through from its beginning.
StepSeen WalkSteps::find_traces(const WalkStep& step) {
  Arena arena;
  std::vector<Span> spans;
  store::CaptureParser parser;
  size_t offset = 0, undecodable = 0;
  while (offset < kMaxCapture) {
    const auto bytes = place_.provider->sink_capture(offset, 0);
    if (!bytes) return impossible(bytes.error());
    if (bytes->empty()) break;
    offset += bytes->size();
    const auto fed = parser.feed(*bytes, [&](const store::Frame& frame) {
      if (frame.status == 200 && !store::decode_frame(frame, arena, spans)) ++undecodable;
    });
    if (!fed) return impossible(fed.error());
  }
  const auto since = began_.find(step.since);
  const uint64_t found = run::count_traces(spans, step.traces, since == began_.end() ? 0 : since->second);
  StepSeen seen;
  seen.out = fmt::format("{} traces of {} {}\n", found, step.traces.service, step.traces.path);
  if (undecodable > 0) seen.err = fmt::format("{} exports could not be decoded", undecodable);
  seen.exit_code = found == step.traces.count ? 0 : 1;
  return seen;
}

// What earlier steps sent has to be out before the backend starts anew: what a proxy flushes meanwhile the Collector
// keeps, and delivers seconds later into the capture of requests that it does not belong to.
void WalkSteps::let_earlier_spans_out() {
  const int64_t start = system_clock().monotonic_nanos();
  const int64_t flushed = start + run::DrainRule().flush_nanos, deadline = start + kPathNanos;
  while (!context_.stop->load()) {
    const int64_t now = system_clock().monotonic_nanos();
    if (now >= deadline || (now >= flushed && place_.provider->collector_queue().value_or(0) == 0)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// A capture of the scenario's own means another backend process, and a Collector that sent to the one before waits
// seconds before it tries again. Only when a span has come through is the drain's silence a silence.
Result<void> WalkSteps::open_capture(const WalkScenario& scenario, const std::string& run) {
  const run::EnvironmentState& state = scenario.plan.groups.front();
  let_earlier_spans_out();
  if (auto adopted = place_.provider->adopt(state, run); !adopted) return adopted;
  if (auto begun = place_.provider->ensure(state, *place_.log, *context_.stop); !begun) return begun;
  const int64_t deadline = system_clock().monotonic_nanos() + kPathNanos;
  while (!context_.stop->load() && system_clock().monotonic_nanos() < deadline) {
    if (auto posted = place_.provider->post_to_collector(probe_body()); !posted) return posted;
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto status = place_.provider->sink_status();
    if (status && status->spans > 0) return {};
  }
  return fail(ErrorKind::kEnvironment, "nothing comes from the Collector to the backend",
              "spans posted to the Collector did not arrive within a minute",
              "see the Collector's log: kubectl -n observability logs deployment/opentelemetry-collector");
}

StepSeen WalkSteps::drive_scenario(const WalkStep& step) {
  const WalkScenario& own = place_.scenarios.at(step.name);
  RunIdentity identity = new_identity(place_.seed, "kind");
  identity.files.emplace_back(own.scenario.name, own.scenario.file);
  if (auto opened = open_capture(own, identity.run_id); !opened) return impossible(opened.error());
  auto directory = store::RunDirectory::create(place_.directory->file("judged-" + step.name));
  if (!directory) return impossible(directory.error());
  if (auto written = directory->write_scenario(config::to_yaml(own.plan.scenarios.front().scenario)); !written)
    return impossible(written.error());
  PhaseLog log(place_.log->progress(), &*directory);
  SessionInput input;
  input.provider = place_.provider;
  input.plan = &own.plan;
  input.profiles = &place_.profiles;
  input.must_be_complete = {true};
  input.directory = &*directory;
  input.identity = identity;
  input.log = &log;
  input.stop = context_.stop;
  Session session(std::move(input));
  if (auto ran = session.run(); !ran) return impossible(ran.error());
  auto result = judge_stored(*directory, {context_.share}, {});
  if (!result) return impossible(result.error());
  result->phases = log.steps();
  record_rows(*result, run::ProofSource::kRun, run::RuleSelection::kAll);
  if (auto written = write_reports(*directory, *result); !written) return impossible(written.error());
  StepSeen seen;
  seen.out = report::to_oneline(*result);
  for (const ScenarioResult& scenario : result->scenarios) {
    for (const Finding& finding : scenario.findings) seen.err += finding.code + " " + finding.title + "\n";
  }
  for (const Finding& finding : result->findings) seen.err += finding.code + " " + finding.title + "\n";
  seen.exit_code = result->exit_code;
  return seen;
}

std::string WalkSteps::without_token(std::string text) const {
  if (token_.empty()) return text;
  constexpr const char* kHidden = "[hidden]";
  for (size_t at = text.find(token_); at != std::string::npos; at = text.find(token_, at))
    text.replace(at, token_.size(), kHidden);
  return text;
}

// logs/steps.log: what every try was given and printed.
void WalkSteps::keep_log(const WalkStep& step, const StepSeen& seen) {
  std::ofstream log(place_.directory->file("logs/steps.log"), std::ios::binary | std::ios::app);
  log << fmt::format("== {}: exit {}{}\n", step.name, seen.exit_code, seen.timed_out ? ", out of time" : "");
  if (!step.command.empty()) log << without_token(step.command) << "\n";
  if (!seen.out.empty()) log << "-- stdout\n" << seen.out << "\n";
  if (!seen.err.empty()) log << "-- stderr\n" << seen.err << "\n";
  if (!seen.problem.empty()) log << "-- " << seen.problem << "\n";
}

}  // namespace hopcheck::app
