// How an Envoy is started: the part of envoy_config.h that is no JSON.
#include <fmt/format.h>

#include "mesh/envoy_config.h"

namespace hopcheck::mesh {

std::map<std::string, std::string> envoy_environment(const run::EnvironmentState& state, const LocalWorkload& w) {
  if (state.naming != NamingMode::kOtelSemanticConventions || w.gateway) return {};
  const std::string& container = w.service.name;
  std::string text = fmt::format("service.namespace={},service.instance.id={}.{}.{}", w.service.ns, w.service.ns, w.pod,
                                 container);
  const auto version = w.labels.find("app.kubernetes.io/version");
  // Without that label Istio takes the tag of the only container's image; the harness's images are tagged "local".
  text += ",service.version=" + (version == w.labels.end() ? std::string("local") : version->second);
  return {{"OTEL_RESOURCE_ATTRIBUTES", text}};
}

std::string envoy_admin_address(const LocalWorkload& workload) {
  return fmt::format("{}:{}", workload.ip, kEnvoyAdminPort);
}

std::vector<std::string> envoy_arguments(const std::string& bootstrap_path, int drain_seconds) {
  return {"--config-path",     bootstrap_path, "--disable-hot-restart", "--concurrency", "2",
          "--drain-time-s",    fmt::format("{}", drain_seconds),
          "--drain-strategy",  "immediate",
          "--local-address-ip-version", "v4",
          "--log-level",       "warning",
          "--skip-deprecated-logs"};
}

}  // namespace hopcheck::mesh
