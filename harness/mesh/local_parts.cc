#include "mesh/local_parts.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kFindTimeoutMs = 30'000, kMakeTimeoutMs = 20 * 60'000;
constexpr int kUnusable = 3;  // the script's exit code when it has said what, why and what to do

// The runner hides the user's proxy settings from children; a script that reaches registries needs them.
std::vector<std::string> command(const LocalPartsSpec& spec) {
  std::vector<std::string> argv{"/usr/bin/env"};
  for (const char* name : {"NO_PROXY", "no_proxy"}) {
    argv.insert(argv.end(), {"-u", name});
  }
  for (const char* name : {"NO_PROXY", "no_proxy"}) {
    if (const char* value = std::getenv(name); value != nullptr) argv.push_back(std::string(name) + "=" + value);
  }
  argv.push_back(spec.share + "/scripts/local-parts");
  if (!spec.istio.empty()) argv.insert(argv.end(), {"--istio", spec.istio});
  return argv;
}

// The script's last message: "error: what", "  why: ...", "  fix: ...".
Error error_in(const std::string& said) {
  Error error{ErrorKind::kEnvironment, "scripts/local-parts failed", last_lines(said, 3), ""};
  for (const std::string_view line : split(said, '\n')) {
    const auto after = [line](std::string_view head, std::string& field) {
      if (line.substr(0, head.size()) == head) field = printable(line.substr(head.size()));
    };
    if (line.substr(0, 7) == "error: ") error.why = error.fix = "";
    after("error: ", error.what);
    after("  why: ", error.why);
    after("  fix: ", error.fix);
  }
  return error;
}

// Lines "envoy VERSION PATH" and "otelcol VERSION PATH".
Result<LocalParts> parts_of(const std::string& out) {
  LocalParts parts;
  for (const std::string_view line : split(out, '\n')) {
    std::istringstream words{std::string(line)};
    std::string name, version, path;
    words >> name >> version >> std::ws;
    std::getline(words, path);
    if (name == "envoy") parts.envoy_version = version, parts.envoy = path;
    if (name == "otelcol") parts.otelcol_version = version, parts.otelcol = path;
  }
  if (!parts.envoy.empty() && !parts.otelcol.empty()) return parts;
  return fail(ErrorKind::kInternal, "scripts/local-parts named no Envoy or no Collector", last_lines(out, 2));
}

Result<LocalParts> run_script(ProcessRunner& runner, const ProcessSpec& spec, const std::atomic<bool>& stop) {
  const Result<ProcessResult> ran = runner.run(spec, stop);
  if (!ran) return tl::unexpected<Error>(ran.error());
  if (ran->interrupted) return fail(ErrorKind::kInterrupted, "scripts/local-parts was interrupted");
  if (ran->timed_out)
    return fail(ErrorKind::kEnvironment,
                "scripts/local-parts did not finish within " + format_nanos(spec.timeout_ms * 1'000'000),
                last_lines(ran->err, 3), "run it by hand and see where it waits");
  if (ran->ok()) return parts_of(ran->out);
  Error error = error_in(ran->err);
  if (ran->exit_code != kUnusable) error.kind = ErrorKind::kInternal;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Result<LocalParts> find_local_parts(ProcessRunner& runner, const LocalPartsSpec& spec, const std::atomic<bool>& stop) {
  ProcessSpec process;
  process.argv = command(spec);
  process.argv.emplace_back("--find");
  process.log_path = spec.log_path;
  process.timeout_ms = kFindTimeoutMs;
  return run_script(runner, process, stop);
}

Result<std::string> default_istio_of_parts(const std::string& share) {
  const std::string path = share + "/kind/local-parts.yaml";
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {  // one field, one line, as the script reads it
    constexpr std::string_view kField = "  defaultIstio: \"";
    if (line.compare(0, kField.size(), kField) == 0)
      return line.substr(kField.size(), line.find('"', kField.size()) - kField.size());
  }
  return fail(ErrorKind::kEnvironment, "cannot read spec.defaultIstio of " + path, "the installation is incomplete",
              "set HOPCHECK_SHARE to the folder that holds kind/, scenarios/ and fixtures/");
}

Result<LocalParts> make_local_parts(ProcessRunner& runner, const LocalPartsSpec& spec, const std::atomic<bool>& stop) {
  ProcessSpec process;
  process.argv = command(spec);
  process.log_path = spec.log_path;
  process.timeout_ms = kMakeTimeoutMs;
  return run_script(runner, process, stop);
}

std::string find_broker() {
  const std::string command = find_tool("rabbitmq-server");
  if (command.empty() || find_tool("epmd").empty()) return "";
  const std::string behind = "/usr/lib/rabbitmq/bin/rabbitmq-server";
  return ::access(behind.c_str(), X_OK) == 0 ? behind : command;
}

}  // namespace hopcheck::mesh
