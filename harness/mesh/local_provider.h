// The local provider: real Envoys, a real Collector, the demo and the sink as processes on one leased /24 of loopback
// (docs/reference/providers.md). No Kubernetes, no Docker: the configuration that istiod would send is rendered
// (envoy_config.h), and requests into the mesh or to a bare service come from this process, from the address of the pod
// they stand for. One object is one environment and lives as long as the run. Not thread-safe, except that sink_*,
// collector_queue and post_to_collector may be called from several threads once ensure() has returned. All processes
// die with this one, however it dies (reaper.h, local_processes.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mesh/env_record.h"
#include "mesh/envoy_config.h"
#include "mesh/http_request.h"
#include "mesh/local_mesh.h"
#include "mesh/local_parts.h"
#include "mesh/local_processes.h"
#include "mesh/loopback.h"
#include "mesh/prometheus.h"
#include "mesh/reaper.h"
#include "run/provider.h"

namespace hopcheck::mesh {

struct LocalOptions {
  std::string share;       // root that holds kind/ and scripts/
  std::string executable;  // this binary: sink and reaper; hopcheck-demo stands beside it
  std::string istio;  // dotted prefix with at least the minor; "" = as EnvironmentState says, else the pins' default
  std::string run;         // run id, written into the capture's header
  std::string state_dir;   // "" = default_state_dir()
  std::string log_dir;     // of the processes; "" = <environment>/logs
  std::vector<MeshProfile> profiles;
  std::function<std::string(const Topology&)> topology_to_yaml;  // config's writer; must be set before ensure()
};

// What this provider can do, of the closed list in docs/reference/providers.md. Not: kubernetes, telemetry-api (there
// is no API to put an object in), mtls, rbac and the rest.
// `share`: root that holds scripts/.
std::vector<std::string> local_capabilities(const std::string& share);

class LocalProvider final : public run::Provider {
 public:
  explicit LocalProvider(LocalOptions options);  // nothing is made yet
  ~LocalProvider() override;

  std::string name() const override { return "local"; }
  std::vector<std::string> capabilities() const override { return local_capabilities(options_.share); }
  Result<void> ensure(const run::EnvironmentState& state, run::StepLog& log, const std::atomic<bool>& stop) override;
  Result<void> wait_tracing_settled(run::StepLog& log, const std::atomic<bool>& stop) override;
  Result<run::DriveTarget> target(Entry entry, const run::TopologyInstance& instance) override;
  Result<void> agent_start(const std::string& agent, const LoadPlan& plan) override;
  Result<run::AgentProgress> agent_poll(const std::string& agent, uint64_t first_n, uint64_t from) override;
  Result<void> agent_stop(const std::string& agent) override;
  Result<void> set_fault(const run::TopologyInstance& instance, const Fault& fault) override;
  Result<void> post_to_collector(const std::string& otlp_json) override;
  Result<run::SinkStatus> sink_status() override;
  Result<std::string> sink_capture(uint64_t from, int wait_ms) override;
  Result<void> sink_seal() override;
  Result<void> mark(Mark mark, Environment& environment) override;
  std::optional<uint64_t> collector_queue() override;
  Result<void> describe(Environment& environment) override;
  std::vector<std::string> collect_evidence(const std::string& dir) override;
  Result<void> release(run::StepLog& log) override;

  const std::string& id() const { return id_; }

 private:
  using Stop = const std::atomic<bool>&;
  // Steps (local_steps.cc).
  Result<void> prepare(const run::EnvironmentState& state, Stop stop);  // parts, profile, lease, folder, reaper
  Result<void> write_files(const run::EnvironmentState& state);
  Result<void> write_proxy_files(const run::EnvironmentState& state);
  Result<void> start_backend(Stop stop);  // sink and Collector
  Result<void> start_apps(Stop stop);
  Result<void> start_proxies(Stop stop);
  Result<void> restart_proxies(const run::EnvironmentState& state, Stop stop);  // what only a start can change
  Result<void> change_listeners(const run::EnvironmentState& state, Stop stop);
  Result<void> find_real_apps(Stop stop);
  Result<std::vector<ChildSpec>> app_specs(const LocalWorkload& workload) const;
  ChildSpec demo_of(const LocalWorkload& workload) const;
  std::vector<const LocalWorkload*> proxied() const;  // the gateway first
  // What plays a sidecar: the mesh's own Envoy, or that of the version the instance names for the service.
  struct ProxyKind {
    LocalParts parts;
    const MeshProfile* profile = nullptr;  // into options_.profiles
  };
  Result<ProxyKind> proxy_kind(const std::string& istio, Stop stop) const;
  const ProxyKind& proxy_of(const LocalWorkload& workload) const;
  Result<EnvoyFiles> files_of(const run::EnvironmentState& state, const LocalWorkload& workload) const;
  std::string file(const LocalWorkload& workload, const std::string& suffix) const;

  Result<Metrics> scrape(const LocalWorkload& workload) const;
  HttpRequest sink_call(const std::string& method, const std::string& path) const;
  std::string collector_url(uint16_t port, const std::string& path) const;
  void note_crash(Environment& environment);

  LocalOptions options_;
  std::string id_, dir_;
  std::unique_ptr<ProcessRunner> runner_;
  ProxyKind own_;                           // the mesh's
  std::map<std::string, ProxyKind> further_;  // by version as instances name it
  LoopbackLease lease_;
  EnvTokens tokens_;
  run::EnvironmentState state_;
  LocalMesh mesh_;
  std::string sdk_packages_;                // once a workload needs them
  std::unique_ptr<Reaper> reaper_;
  std::unique_ptr<LocalProcesses> processes_;
  std::map<std::string, uint64_t> updates_before_;  // node id → listener updates before the last tracing change
  bool up_ = false, released_ = false;
};

}  // namespace hopcheck::mesh
