#include "mesh/local_provider.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "mesh/control_json.h"
#include "mesh/counters.h"
#include "mesh/http_request.h"
#include "mesh/local_apps.h"
#include "mesh/local_leftovers.h"
#include "mesh/local_ports.h"
#include "mesh/manifests.h"
#include "mesh/sdk_app.h"

namespace hopcheck::mesh {
namespace {

// "frontend.hop.svc.cluster.local", with the port unless it is HTTP's own: what a client in a cluster would send.
std::string host_of(const Service& service, uint16_t port) {
  return fqdn(service) + (port == 80 ? "" : fmt::format(":{}", port));
}

tl::unexpected<Error> no_agents() {
  return fail(ErrorKind::kInternal, "the local provider has no load agents", "this process drives everything itself");
}

}  // namespace

std::vector<std::string> local_capabilities(const std::string& share) {
  std::vector<std::string> out{"gateway",     "injection", "naming-restart", "grpc-export", "http-export",
                               "proxy-admin", "tcp",       "h2-app",         "upgrade",     "fault-injection"};
  if (!find_tool("redis-server").empty()) out.emplace_back("redis");
  if (!find_broker().empty()) out.emplace_back("amqp");
  const std::atomic<bool> never{false};
  const auto runner = make_process_runner();
  if (find_sdk_app(*runner, share, never)) out.emplace_back("sdk-app");
  return out;
}

LocalProvider::LocalProvider(LocalOptions options) : options_(std::move(options)), id_(random_hex(4)) {
  if (options_.state_dir.empty()) options_.state_dir = default_state_dir();
  if (options_.run.empty()) options_.run = random_hex(4);
  dir_ = options_.state_dir + "/" + id_;
  runner_ = make_process_runner([this](pid_t group, bool started) {
    if (reaper_) reaper_->group(group, started);
  });
}

LocalProvider::~LocalProvider() {
  if (!processes_ || released_) return;
  // Whoever owns this did not release it: the processes end here, the reaper removes the folder.
  static_cast<void>(processes_->stop_all());
}

Result<void> LocalProvider::ensure(const run::EnvironmentState& state, run::StepLog& log, Stop stop) {
  if (!options_.topology_to_yaml) return fail(ErrorKind::kInternal, "LocalOptions::topology_to_yaml is not set");
  const auto step = [&](const char* name, const std::function<Result<void>()>& body) {
    const size_t token = log.begin(name);
    const Result<void> done = body();
    log.end(token, done ? "ok" : stop.load() ? "interrupted" : "failed");
    return done;
  };
  if (up_ && run::needs_restart(state_, state)) {
    return step("restart the proxies", [&] { return restart_proxies(state, stop); });
  }
  if (up_) {
    return step("Telemetry mesh-default", [&] { return change_listeners(state, stop); });
  }
  Result<void> done = step("tools and addresses", [&] { return prepare(state, stop); });
  if (!done) return done;
  log.note(fmt::format("Envoy {} plays Istio {} on {}.0/24", own_.parts.envoy_version, own_.profile->istio_minor,
                       lease_.prefix()));
  done = step("configuration", [&] { return write_files(state); });
  // Nothing is waited for until the proxies, the last to start, are under way.
  if (done) done = step("sink and Collector", [&] { return start_backend(stop); });
  if (done) done = step("demo", [&] { return start_apps(stop); });
  if (done) done = step("proxies", [&] { return start_proxies(stop); });
  up_ = done.has_value();
  return done;
}

Result<run::DriveTarget> LocalProvider::target(Entry entry, const run::TopologyInstance& instance) {
  const Topology& topology = instance.topology;
  run::DriveTarget out;
  if (entry == Entry::kGateway) {
    out.base_url = "http://" + gateway_address(mesh_);
    out.host_header = gateway_host(topology);
    return out;
  }
  for (size_t i = 0; i < mesh_.instances.size(); ++i) {
    if (mesh_.instances[i].topology.ns != topology.ns) continue;
    const auto behind = workloads_behind(mesh_, i, topology.entry);
    if (behind.empty()) break;
    const uint16_t port = behind[0]->service.ports.empty() ? uint16_t{8080} : behind[0]->service.ports[0].port;
    out.host_header = host_of(behind[0]->service, port);
    LocalWorkload outsider;  // a client without sidecar, at an address that plays no pod of the mesh
    outsider.instance = i;
    outsider.ip = mesh_.sink_ip;
    const LocalWorkload* client = entry == Entry::kMesh ? find_workload(mesh_, topology.ns, "loadgen") : &outsider;
    if (client == nullptr) return fail(ErrorKind::kInternal, topology.ns + " has no meshed load client");
    out.base_url = "http://" + connect_address(mesh_, *client, topology.entry, port);
    out.source_ip = client->ip;
    out.agent = entry == Entry::kMesh ? topology.ns + "/loadgen" : "unmeshed";
    return out;
  }
  return fail(ErrorKind::kUsage, "topology " + topology.name + " has no entry service " + topology.entry);
}

Result<void> LocalProvider::agent_start(const std::string&, const LoadPlan&) { return no_agents(); }
Result<run::AgentProgress> LocalProvider::agent_poll(const std::string&, uint64_t, uint64_t) { return no_agents(); }
Result<void> LocalProvider::agent_stop(const std::string&) { return {}; }

Result<void> LocalProvider::set_fault(const run::TopologyInstance& instance, const Fault& fault) {
  const Result<std::string> body = switches_of(fault);
  if (!body) return tl::unexpected<Error>(body.error());
  for (size_t i = 0; i < mesh_.instances.size(); ++i) {
    if (mesh_.instances[i].topology.ns != instance.topology.ns) continue;
    const auto behind = workloads_behind(mesh_, i, fault.at);
    if (!behind.empty() && !has_control(*behind[0]))
      return fail(ErrorKind::kUsage, "service " + fault.at + " is not played by hopcheck-demo",
                  "it has no switches to set");
    for (const LocalWorkload* workload : behind) {
      HttpRequest call{body->empty() ? "DELETE" : "PUT", control_url(*workload, "/switches"), *body, {}};
      call.headers = {{"Content-Type", "application/json"}};
      const Result<std::string> done = http_ok(call, "setting the switches of " + workload->pod);
      if (!done) return tl::unexpected<Error>(done.error());
    }
    if (!behind.empty()) return {};
  }
  return fail(ErrorKind::kEnvironment, "service " + fault.at + " has no process in " + instance.topology.ns);
}

std::string LocalProvider::collector_url(uint16_t port, const std::string& path) const {
  return fmt::format("http://{}:{}{}", mesh_.collector_ip, port, path);
}

Result<void> LocalProvider::post_to_collector(const std::string& otlp_json) {
  HttpRequest call{"POST", collector_url(kCollectorHttpPort, "/v1/traces"), otlp_json, {}};
  call.headers = {{"Content-Type", "application/json"}};
  const Result<std::string> done = http_ok(call, "posting to the Collector");
  return done ? Result<void>{} : tl::unexpected<Error>(done.error());
}

HttpRequest LocalProvider::sink_call(const std::string& method, const std::string& path) const {
  HttpRequest call{method, fmt::format("http://{}:{}{}", mesh_.sink_ip, kSinkControlPort, path), "", {}};
  call.headers = {{"X-Hopcheck-Token", tokens_.control}};
  call.timeout_ms = 15'000;
  return call;
}

Result<run::SinkStatus> LocalProvider::sink_status() {
  const Result<std::string> body = http_ok(sink_call("GET", "/status"), "asking the sink");
  if (!body) return tl::unexpected<Error>(body.error());
  return sink_status_from_json(*body);
}

Result<std::string> LocalProvider::sink_capture(uint64_t from, int wait_ms) {
  HttpRequest call = sink_call("GET", fmt::format("/capture?from={}&wait={}", from, wait_ms));
  call.timeout_ms = wait_ms + 15'000;
  return http_ok(call, "reading the capture");
}

Result<void> LocalProvider::sink_seal() {
  const Result<std::string> done = http_ok(sink_call("POST", "/seal"), "sealing the capture");
  return done ? Result<void>{} : tl::unexpected<Error>(done.error());
}

Result<void> LocalProvider::release(run::StepLog& log) {
  if (released_) return {};
  const size_t token = log.begin("end the processes");
  Result<void> done = processes_ ? processes_->stop_all() : Result<void>{};
  log.end(token, done ? "ok" : "failed");
  if (!done) return done;  // the reaper tries again
  released_ = true;
  std::error_code error;
  std::filesystem::remove_all(dir_, error);
  if (error) return fail(ErrorKind::kEnvironment, "cannot remove " + dir_, error.message());
  if (reaper_) reaper_->done();
  lease_ = LoopbackLease();
  return {};
}

}  // namespace hopcheck::mesh
