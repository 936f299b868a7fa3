#include "mesh/local_apps.h"

#include <fmt/format.h>

#include <algorithm>

#include "mesh/local_ports.h"
#include "mesh/sdk_app.h"

namespace hopcheck::mesh {
namespace {

RealApp redis(const LocalAppPlace& place, const LocalWorkload& workload) {
  ChildSpec spec;
  spec.argv = {"redis-server", "--bind", workload.app_ip, "--port", std::to_string(app_port(workload))};
  for (const char* each : {"--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no", "--dir"})
    spec.argv.emplace_back(each);
  spec.argv.push_back(place.dir);
  return {{std::move(spec)}, {}};
}

// Its sidecar is its HTTP proxy: names are not resolved, Host and URL stay those of the call.
Result<RealApp> sdk_app(const LocalAppPlace& place, const LocalWorkload& workload) {
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
  return RealApp{{std::move(spec)}, {}};
}

// "127,93,7,5": an address as Erlang writes it.
std::string erlang_address(std::string ip) {
  std::replace(ip.begin(), ip.end(), '.', ',');
  return ip;
}

// Nothing of it is shared with another broker of this machine: the port mapper (which a broker would otherwise start as
// a daemon that outlives it), the address it is reached at by other nodes, the cookie, data, log and plugins.
RealApp broker(const LocalAppPlace& place, const LocalWorkload& workload) {
  const std::string home = fmt::format("{}/{}.{}.broker", place.dir, workload.pod, workload.service.ns);
  const std::map<std::string, std::string> mapper_env{{"ERL_EPMD_ADDRESS", workload.app_ip},
                                                      {"ERL_EPMD_PORT", std::to_string(place.epmd_port)}};
  ChildSpec mapper;
  mapper.name = "epmd " + workload.pod;
  mapper.argv = {"epmd"};
  mapper.env = mapper_env;
  ChildSpec spec;
  spec.argv = {place.broker};
  spec.env = mapper_env;
  spec.env.insert(
      {{"HOME", home},
       {"RABBITMQ_NODENAME", "hopcheck@localhost"},
       {"RABBITMQ_DIST_PORT", std::to_string(place.dist_port)},
       {"RABBITMQ_BASE", home},
       {"ERL_CRASH_DUMP", home + "/erl_crash.dump"},
       {"RABBITMQ_MNESIA_BASE", home + "/mnesia"},
       {"RABBITMQ_LOG_BASE", home},
       {"RABBITMQ_LOGS", "-"},
       {"RABBITMQ_PID_FILE", home + "/pid"},
       {"RABBITMQ_CONFIG_FILE", home + "/rabbitmq"},
       {"RABBITMQ_CONF_ENV_FILE", home + "/none"},
       {"RABBITMQ_ENABLED_PLUGINS_FILE", home + "/enabled_plugins"},
       {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
        fmt::format("-kernel inet_dist_use_interface {{{}}} +sbwt none", erlang_address(workload.app_ip))}});
  RealApp out;
  out.files[home + "/rabbitmq.conf"] = fmt::format("listeners.tcp.1 = {}:{}\ndisk_free_limit.absolute = 1MB\n",
                                                   workload.app_ip, app_port(workload));
  out.files[home + "/enabled_plugins"] = "[].\n";
  out.children = {std::move(mapper), std::move(spec)};
  return out;
}

}  // namespace

LocalApp app_of(const LocalWorkload& workload) {
  if (workload.service.instrumentation == Instrumentation::kAuto) return LocalApp::kSdkApp;
  if (workload.service.image_role == "amqp") return LocalApp::kBroker;
  return workload.service.image_role == "redis" ? LocalApp::kRedis : LocalApp::kDemo;
}

Result<RealApp> real_app(const LocalAppPlace& place, const LocalWorkload& workload) {
  Result<RealApp> out;
  switch (app_of(workload)) {
    case LocalApp::kRedis: out = redis(place, workload); break;
    case LocalApp::kBroker: out = broker(place, workload); break;
    case LocalApp::kSdkApp: out = sdk_app(place, workload); break;
    case LocalApp::kDemo: return fail(ErrorKind::kInternal, "the demo is no real app");
  }
  if (out) out->children.back().name = workload.pod;
  return out;
}

}  // namespace hopcheck::mesh
