#include "mesh/local_apps.h"

#include <fmt/format.h>

#include "mesh/local_ports.h"
#include "mesh/sdk_app.h"

namespace hopcheck::mesh {
namespace {

ChildSpec redis(const LocalAppPlace& place, const LocalWorkload& workload) {
  ChildSpec spec;
  spec.argv = {"redis-server", "--bind", workload.app_ip, "--port", std::to_string(app_port(workload))};
  for (const char* each : {"--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no", "--dir"})
    spec.argv.emplace_back(each);
  spec.argv.push_back(place.dir);
  return spec;
}

// Its sidecar is its HTTP proxy: names are not resolved, Host and URL stay those of the call.
Result<ChildSpec> sdk_app(const LocalAppPlace& place, const LocalWorkload& workload) {
  if (!workload.sidecar) {
    return fail(ErrorKind::kUsage, "service " + workload.service.name + " has no sidecar",
                "on loopback a service with instrumentation auto reaches others through its sidecar only",
                "leave its sidecar on, or use the kind provider");
  }
  const run::TopologyInstance& instance = place.mesh.instances[workload.instance];
  const std::string collector = instance.app_export_through_sidecar
                                    ? fmt::format("{}.{}.svc.cluster.local", kCollectorService, kCollectorNamespace)
                                    : place.mesh.collector_ip;
  ChildSpec spec;
  spec.argv = {"python3", place.sdk_packages + "/bin/opentelemetry-instrument", "python3",
               place.share + "/kind/sdk-app/app.py"};
  spec.env =
      sdk_app_env(instance.topology, workload.service, fmt::format("http://{}:{}", collector, kCollectorHttpPort));
  spec.env["PYTHONPATH"] = place.sdk_packages;
  spec.env["PYTHONNOUSERSITE"] = "1";
  spec.env["PYTHONDONTWRITEBYTECODE"] = "1";
  spec.env["APP_LISTEN"] = fmt::format("{}:{}", workload.app_ip, app_port(workload));
  spec.env["APP_SOURCE"] = workload.ip;
  spec.env["http_proxy"] = fmt::format("http://{}:{}", workload.ip, kSidecarOutboundPort);
  for (const char* name : {"no_proxy", "NO_PROXY"}) spec.env[name] = place.mesh.collector_ip;
  return spec;
}

}  // namespace

LocalApp app_of(const LocalWorkload& workload) {
  if (workload.service.instrumentation == Instrumentation::kAuto) return LocalApp::kSdkApp;
  return workload.service.image_role == "redis" ? LocalApp::kRedis : LocalApp::kDemo;
}

Result<ChildSpec> real_app(const LocalAppPlace& place, const LocalWorkload& workload) {
  switch (app_of(workload)) {
    case LocalApp::kRedis: return redis(place, workload);
    case LocalApp::kSdkApp: return sdk_app(place, workload);
    case LocalApp::kDemo: break;
  }
  return fail(ErrorKind::kInternal, "the demo is no real app");
}

}  // namespace hopcheck::mesh
