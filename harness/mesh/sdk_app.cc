#include "mesh/sdk_app.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kFindTimeoutMs = 10'000;

}  // namespace

Result<std::string> find_sdk_app(ProcessRunner& runner, const std::string& share, const std::atomic<bool>& stop) {
  ProcessSpec spec;
  spec.argv = {share + "/scripts/sdk-app", "--find"};
  spec.timeout_ms = kFindTimeoutMs;
  const Result<ProcessResult> ran = runner.run(spec, stop);
  if (!ran) return tl::unexpected<Error>(ran.error());
  const std::string folder = ran->out.substr(0, ran->out.find('\n'));
  if (ran->ok() && !folder.empty()) return folder;
  return fail(ErrorKind::kEnvironment, "the packages of role sdkApp are not here", last_lines(ran->err, 3),
              "scripts/sdk-app");
}

std::map<std::string, std::string> sdk_app_env(const Topology& topology, const Service& service,
                                               const std::string& otlp) {
  nlohmann::ordered_json calls = nlohmann::ordered_json::array();
  for (const Call& call : service.calls) {
    const int index = topology.find(call.to);
    if (index < 0) continue;
    const Service& called = topology.services[static_cast<size_t>(index)];
    const uint16_t port = call.port != 0 ? call.port : called.ports.empty() ? uint16_t{8080} : called.ports[0].port;
    const std::string& ns = called.ns.empty() ? topology.ns : called.ns;
    for (int i = 0; i < call.count; ++i) {
      calls.push_back(
          {{"method", call.method}, {"url", fmt::format("http://{}.{}:{}{}", called.name, ns, port, call.path)}});
    }
  }
  return {{"APP_ROUTE", service.route},
          {"APP_CALLS", calls.dump()},
          {"OTEL_SERVICE_NAME", service.otel_service_name.empty() ? service.name : service.otel_service_name},
          {"OTEL_TRACES_EXPORTER", "otlp"},
          {"OTEL_METRICS_EXPORTER", "none"},
          {"OTEL_LOGS_EXPORTER", "none"},
          {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
          {"OTEL_EXPORTER_OTLP_ENDPOINT", otlp},
          {"OTEL_BSP_SCHEDULE_DELAY", "500"}};
}

}  // namespace hopcheck::mesh
