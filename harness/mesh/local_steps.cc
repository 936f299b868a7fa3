// Setting up the local environment: files, processes, and what a Telemetry change does to them.
#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "mesh/counters.h"
#include "mesh/kind_provider.h"
#include "mesh/local_apps.h"
#include "mesh/local_leftovers.h"
#include "mesh/local_ports.h"
#include "mesh/local_provider.h"
#include "mesh/preflight.h"
#include "mesh/sdk_app.h"
#include "mesh/template.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kReadyMs = 30'000;

std::string minor_of(const std::string& version) {
  const size_t dot = version.find('.');
  return version.substr(0, version.find('.', dot == std::string::npos ? dot : dot + 1));
}

}  // namespace

std::string LocalProvider::file(const LocalWorkload& workload, const std::string& suffix) const {
  return fmt::format("{}/{}.{}.{}", dir_, workload.pod, workload.service.ns, suffix);
}

std::vector<const LocalWorkload*> LocalProvider::proxied() const {
  std::vector<const LocalWorkload*> out{&mesh_.gateway};
  for (const LocalWorkload& workload : mesh_.workloads) {
    if (workload.sidecar) out.push_back(&workload);
  }
  return out;
}

Result<LocalProvider::ProxyKind> LocalProvider::proxy_kind(const std::string& istio, Stop stop) const {
  LocalPartsSpec spec{options_.share, istio, ""};
  if (!options_.log_dir.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(options_.log_dir, ignored);
    spec.log_path = options_.log_dir + "/local-parts.log";
  }
  Result<LocalParts> parts = make_local_parts(*runner_, spec, stop);
  if (!parts) return tl::unexpected<Error>(parts.error());
  ProxyKind kind{std::move(*parts), nullptr};
  for (const MeshProfile& profile : options_.profiles) {
    if (profile.envoy_minor == minor_of(kind.parts.envoy_version)) kind.profile = &profile;
  }
  if (kind.profile != nullptr) return kind;
  return fail(ErrorKind::kUsage, "no mesh profile says what Envoy " + kind.parts.envoy_version + " must export", "",
              "name an Istio version that fixtures/profiles has");
}

const LocalProvider::ProxyKind& LocalProvider::proxy_of(const LocalWorkload& workload) const {
  if (workload.gateway || workload.load_client) return own_;
  const auto& versions = mesh_.instances[workload.instance].proxy_versions;
  const auto named = versions.find(workload.service.name);
  return named == versions.end() ? own_ : further_.at(named->second);
}

Result<void> LocalProvider::prepare(const run::EnvironmentState& state, Stop stop) {
  Result<ProxyKind> own = proxy_kind(options_.istio.empty() ? state.istio : options_.istio, stop);
  if (!own) return tl::unexpected<Error>(own.error());
  own_ = std::move(*own);
  for (const run::TopologyInstance& instance : state.instances) {
    for (const auto& [service, version] : instance.proxy_versions) {
      if (further_.count(version) > 0) continue;
      Result<ProxyKind> kind = proxy_kind(version, stop);
      if (!kind) return with_context(kind.error(), "the proxies of " + service);
      further_[version] = std::move(*kind);
    }
  }
  LoopbackLease::Spec wanted{options_.state_dir, {}};
  wanted.ports = {kGatewayHttpPort, kEnvoyAdminPort, kSidecarOutboundPort, kCollectorGrpcPort, kCollectorHttpPort};
  Result<LoopbackLease> lease = LoopbackLease::acquire(wanted);
  if (!lease) return tl::unexpected<Error>(lease.error());
  lease_ = std::move(*lease);
  Result<void> done = claim_local_dir(options_.state_dir, id_, options_.run);
  if (!done) return done;
  Reaper::Spec reaper{options_.executable, id_, options_.state_dir};
  reaper.local = true;
  reaper.keep_open = lease_.descriptors();
  Result<std::unique_ptr<Reaper>> started = Reaper::start(reaper);
  if (!started) return tl::unexpected<Error>(started.error());
  reaper_ = std::move(*started);
  processes_ = std::make_unique<LocalProcesses>(
      [this](pid_t group, bool begun) {
        if (reaper_) reaper_->group(group, begun);
      },
      dir_ + "/" + kLocalProcessesFile);
  if (options_.log_dir.empty()) {
    options_.log_dir = dir_ + "/logs";
    done = make_private_dir(options_.log_dir);
  }
  tokens_ = {random_hex(16), random_hex(16)};
  return done;
}

Result<EnvoyFiles> LocalProvider::files_of(const run::EnvironmentState& state, const LocalWorkload& workload) const {
  return envoy_files({mesh_, state, *proxy_of(workload).profile, {file(workload, "listeners.json")}}, workload);
}

Result<void> LocalProvider::write_files(const run::EnvironmentState& state) {
  state_ = state;
  Result<LocalMesh> mesh = plan_local_mesh(lease_.prefix(), state.instances);
  if (!mesh) return tl::unexpected<Error>(mesh.error());
  mesh_ = std::move(*mesh);
  for (const run::TopologyInstance& instance : mesh_.instances) {
    const Result<void> written = write_private(fmt::format("{}/{}.topology.yaml", dir_, instance.topology.ns),
                                               options_.topology_to_yaml(instance.topology));
    if (!written) return written;
  }
  const Result<void> proxies = write_proxy_files(state);
  if (!proxies) return proxies;
  const Result<std::string> collector = read_template(options_.share, "local-collector.yaml");
  if (!collector) return tl::unexpected<Error>(collector.error());
  const Result<std::string> filled =
      render(*collector, {{"collector", mesh_.collector_ip}, {"sink", mesh_.sink_ip}}, "local-collector.yaml");
  if (!filled) return tl::unexpected<Error>(filled.error());
  return write_private(dir_ + "/collector.yaml", *filled);
}

Result<void> LocalProvider::write_proxy_files(const run::EnvironmentState& state) {
  for (const LocalWorkload* workload : proxied()) {
    const Result<EnvoyFiles> files = files_of(state, *workload);
    if (!files) return tl::unexpected<Error>(files.error());
    Result<void> written = write_private(file(*workload, "listeners.json"), files->listeners);
    if (written) written = write_private(file(*workload, "envoy.json"), files->bootstrap);
    if (!written) return written;
  }
  return {};
}

Result<void> LocalProvider::start_backend(Stop stop) {
  ChildSpec sink;
  sink.name = "sink";
  sink.argv = {options_.executable,
               "sink",
               "--http",
               fmt::format("{}:{}", mesh_.sink_ip, kSinkOtlpPort),
               "--grpc",
               fmt::format("{}:{}", mesh_.sink_ip, kSinkGrpcPort),
               "--control",
               fmt::format("{}:{}", mesh_.sink_ip, kSinkControlPort),
               "--out",
               dir_ + "/capture",
               "--run-id",
               options_.run,
               "--expect-header",
               "Authentication=env:HOPCHECK_BACKEND_TOKEN"};
  sink.env = {{"HOPCHECK_BACKEND_TOKEN", tokens_.backend}, {"HOPCHECK_CONTROL_TOKEN", tokens_.control}};
  sink.log_path = options_.log_dir + "/sink.log";
  ChildSpec collector;
  collector.name = "collector";
  collector.argv = {own_.parts.otelcol, "--config=" + dir_ + "/collector.yaml"};
  collector.env = {{"HOPCHECK_BACKEND_TOKEN", tokens_.backend}};
  collector.log_path = options_.log_dir + "/collector.log";
  const Result<void> folder = make_private_dir(dir_ + "/capture");
  if (!folder) return folder;
  for (const ChildSpec& spec : {sink, collector}) {
    const Result<pid_t> started = processes_->start(spec);
    if (!started) return tl::unexpected<Error>(started.error());
  }
  return stop.load() ? fail(ErrorKind::kInterrupted, "interrupted") : Result<void>{};
}

// The workload's app, calling through its sidecar where it has one. Its exports go straight to the Collector, as with
// traffic.sidecar.istio.io/excludeOutboundPorts, unless the instance says otherwise.
ChildSpec LocalProvider::demo_of(const LocalWorkload& workload) const {
  const run::TopologyInstance& instance = mesh_.instances[workload.instance];
  const std::string collector = fmt::format("{}.{}.svc.cluster.local", kCollectorService, kCollectorNamespace);
  const bool export_through = instance.app_export_through_sidecar && workload.sidecar;
  ChildSpec spec;
  spec.name = workload.pod;
  spec.argv = {(std::filesystem::path(options_.executable).parent_path() / "hopcheck-demo").string(),
               fmt::format("--topology={}/{}.topology.yaml", dir_, instance.topology.ns),
               "--service=" + workload.service.name,
               "--workload=" + workload.workload.name,
               fmt::format("--listen={}:{}", workload.app_ip, app_port(workload)),
               fmt::format("--control={}:{}", workload.app_ip, kDemoControlPort),
               fmt::format("--otlp=http://{}:{}/v1/traces", collector, kCollectorHttpPort),
               "--interface=" + workload.ip};
  if (!export_through) {
    spec.argv.push_back(fmt::format("--connect-to={}:{}:{}:{}", collector, kCollectorHttpPort, mesh_.collector_ip,
                                    kCollectorHttpPort));
  }
  if (workload.sidecar) {
    // The first rule that matches wins: what cannot be routed by Host before the rest.
    std::set<std::string> raw;
    for (const Call& call : workload.service.calls) {
      const auto behind = workloads_behind(mesh_, workload.instance, call.to);
      if (behind.empty() || behind[0]->service.ports.empty()) continue;
      const Service& called = behind[0]->service;
      const uint16_t port = call.port != 0 ? call.port : called.ports[0].port;
      if (raw_outbound_port(instance.topology, call.to, port) == 0) continue;
      const std::string rule = fmt::format("--connect-to={}.{}:{}:{}", called.name, called.ns, port,
                                           connect_address(mesh_, workload, call.to, port));
      if (raw.insert(rule).second) spec.argv.push_back(rule);
    }
    spec.argv.push_back(fmt::format("--connect-to=::{}:{}", workload.ip, kSidecarOutboundPort));
  } else {
    for (const Call& call : workload.service.calls) {
      const auto behind = workloads_behind(mesh_, workload.instance, call.to);
      if (behind.empty() || behind[0]->service.ports.empty()) continue;
      const Service& called = behind[0]->service;
      const uint16_t port = call.port != 0 ? call.port : called.ports[0].port;
      spec.argv.push_back(fmt::format("--connect-to={}.{}:{}:{}", called.name, called.ns, port,
                                      connect_address(mesh_, workload, call.to, port)));
    }
  }
  spec.log_path = fmt::format("{}/{}.{}.log", options_.log_dir, workload.pod, workload.service.ns);
  return spec;
}

// What real apps need to know of this machine, looked up when the first of them needs it.
Result<void> LocalProvider::find_real_apps(Stop stop) {
  for (const LocalWorkload& workload : mesh_.workloads) {
    if (app_of(workload) == LocalApp::kSdkApp && sdk_packages_.empty()) {
      Result<std::string> packages = find_sdk_app(*runner_, options_.share, stop);
      if (!packages) return tl::unexpected<Error>(packages.error());
      sdk_packages_ = std::move(*packages);
    }
  }
  return {};
}

Result<std::vector<ChildSpec>> LocalProvider::app_specs(const LocalWorkload& workload) const {
  if (app_of(workload) == LocalApp::kDemo) return std::vector<ChildSpec>{demo_of(workload)};
  LocalAppPlace place{mesh_, dir_, options_.share, sdk_packages_, "", 0, 0};
  if (app_of(workload) == LocalApp::kBroker) {
    for (uint16_t* port : {&place.epmd_port, &place.dist_port}) {
      const Result<uint16_t> free = pick_port(0);
      if (!free) return tl::unexpected<Error>(free.error());
      *port = *free;
    }
    place.broker = find_broker();
  }
  Result<RealApp> app = real_app(place, workload);
  if (!app) return tl::unexpected<Error>(app.error());
  for (const auto& [path, text] : app->files) {
    Result<void> written = make_private_dir(std::filesystem::path(path).parent_path().string());
    if (written) written = write_private(path, text);
    if (!written) return tl::unexpected<Error>(written.error());
  }
  for (ChildSpec& spec : app->children)
    spec.log_path = fmt::format("{}/{}.{}.log", options_.log_dir, workload.pod, workload.service.ns);
  return std::move(app->children);
}

Result<void> LocalProvider::start_apps(Stop stop) {
  const Result<void> found = find_real_apps(stop);
  if (!found) return found;
  for (const LocalWorkload& workload : mesh_.workloads) {
    if (workload.load_client) continue;
    if (stop.load()) return fail(ErrorKind::kInterrupted, "interrupted");
    const Result<std::vector<ChildSpec>> specs = app_specs(workload);
    if (!specs) return tl::unexpected<Error>(specs.error());
    for (const ChildSpec& spec : *specs) {
      const Result<pid_t> started = processes_->start(spec);
      if (!started) return tl::unexpected<Error>(started.error());
    }
  }
  return {};
}

// Starts them and waits for everything: by now sink, Collector and apps have had time to come up.
Result<void> LocalProvider::start_proxies(Stop stop) {
  std::vector<ReadyCheck> checks{{"collector", collector_url(kCollectorHealthPort, "/")}};
  for (const LocalWorkload* workload : proxied()) {
    const Result<EnvoyFiles> files = files_of(state_, *workload);
    if (!files) return tl::unexpected<Error>(files.error());
    ChildSpec spec;
    spec.name = "envoy " + workload->pod;
    spec.argv = envoy_arguments(file(*workload, "envoy.json"));
    spec.argv.insert(spec.argv.begin(), proxy_of(*workload).parts.envoy);
    spec.env = files->environment;
    spec.log_path = fmt::format("{}/{}.{}.envoy.log", options_.log_dir, workload->pod, workload->service.ns);
    const Result<pid_t> started = processes_->start(spec);
    if (!started) return tl::unexpected<Error>(started.error());
    checks.push_back({spec.name, "http://" + envoy_admin_address(*workload) + "/ready"});
  }
  for (const LocalWorkload& workload : mesh_.workloads) {
    if (workload.load_client) continue;
    checks.push_back({workload.pod, has_control(workload) ? control_url(workload, "/healthz") : tcp_url(workload)});
  }
  const Result<void> ready = processes_->wait_ready(checks, scaled_ms(kReadyMs), stop);
  if (!ready) return ready;
  const Result<run::SinkStatus> sink = sink_status();
  return sink ? Result<void>{} : tl::unexpected<Error>(sink.error());
}

// A rollout of every workload, as far as proxies go: the apps behind them run on.
Result<void> LocalProvider::restart_proxies(const run::EnvironmentState& state, Stop stop) {
  std::vector<std::string> names;
  for (const LocalWorkload* workload : proxied()) names.push_back("envoy " + workload->pod);
  Result<void> done = processes_->stop(names);
  if (!done) return done;
  state_ = state;
  updates_before_.clear();
  done = write_proxy_files(state);
  return done ? start_proxies(stop) : done;
}

Result<void> LocalProvider::change_listeners(const run::EnvironmentState& state, Stop stop) {
  if (state.instances.size() != state_.instances.size()) {
    return fail(ErrorKind::kUsage, "a standing local mesh can change its Telemetry only", "",
                "run these scenarios one by one");
  }
  for (const LocalWorkload* workload : proxied()) {
    const Result<Metrics> metrics = scrape(*workload);
    if (metrics) updates_before_[workload->node_id] = listener_update_count(*metrics);
    const Result<EnvoyFiles> files = files_of(state, *workload);
    if (!files) return tl::unexpected<Error>(files.error());
    const Result<void> written = write_private(file(*workload, "listeners.json"), files->listeners);  // by rename
    if (!written) return written;
    if (stop.load()) return fail(ErrorKind::kInterrupted, "interrupted");
  }
  state_ = state;
  return {};
}

}  // namespace hopcheck::mesh
