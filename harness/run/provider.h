// Provider: where the mesh comes from (ARCHITECTURE.md, "Providers"). Implemented in mesh/ (kind, local) and faked in
// run/'s tests. All calls block the calling thread; every wait has a deadline; nothing here throws.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/environment.h"
#include "model/ledger.h"
#include "model/run_result.h"
#include "model/scenario.h"

namespace hopcheck::run {

// A fault the mesh does, standing for as long as the instance does.
struct MeshFault {
  Fault fault;
  std::string prefix;  // of the paths it holds for (the journey's, at the calls of fault.at); "" = every request
};

// One copy of a topology in the cluster. Scenarios that need the same instance share it. The topology's namespace is
// already the instance's own (instances() renames it), so expectations and manifests agree.
struct TopologyInstance {
  Topology topology;
  bool direct_entry = false;                 // entry service's inbound port excluded from capture (Entry::kDirect)
  std::vector<std::string> without_sidecar;  // services whose pods get sidecar.istio.io/inject: "false"
  std::vector<std::string> mtls_off;         // services with a PeerAuthentication of mode DISABLE
  bool app_export_through_sidecar = false;   // false: OTLP port is in excludeOutboundPorts
  std::vector<MeshFault> faults;             // instances with faults are nobody else's
  bool done = false;                         // nothing is driven there any more: it may keep what it has
  bool mesh_client = false;                  // a meshed load pod "loadgen" runs in this namespace
  // Service → Istio version (dotted prefix) whose proxy its pods get; what is not named gets the mesh's own.
  std::map<std::string, std::string> proxy_versions;
};

// A value; an equal state means nothing to change. What differs decides what is re-applied (sampling: one Telemetry
// object; transport: the same; naming, spawn: istioctl install and pod restarts).
struct EnvironmentState {
  std::string istio;  // requested version prefix, "" = the images file's default
  Transport transport = Transport::kGrpc;
  NamingMode naming = NamingMode::kAppLabelAndNamespace;
  bool gateway_spawn = true;
  std::optional<double> sampling = 100.0;
  bool mesh_tracing = true;
  bool naming_unset = false;
  bool naming_restart = true;
  std::string telemetry_provider;           // "" = the transport's
  std::string telemetry_scope = kScopeMesh;  // as in SpecEnvironment; it holds for every instance
  std::vector<TopologyInstance> instances;
};

// Proxies read their naming mode (and istiod the gateway's spawn switch) at their start: a change restarts them all,
// unless it is wanted that the old names stay.
inline bool needs_restart(const EnvironmentState& from, const EnvironmentState& to) {
  if (!to.naming_restart) return false;
  return !from.naming_restart || from.naming != to.naming || from.naming_unset != to.naming_unset ||
         from.gateway_spawn != to.gateway_spawn;
}

// Reports the steps of a phase as they start and end; thread-safe. The implementation prints progress and keeps
// phases.jsonl.
class StepLog {
 public:
  virtual ~StepLog() = default;
  // Returns a token for end().
  virtual size_t begin(const std::string& step) = 0;
  virtual void end(size_t token, const std::string& outcome) = 0;  // ok | failed | interrupted | skipped
  virtual void note(const std::string& text) = 0;
};

struct SinkStatus {
  uint64_t capture_bytes = 0;  // of capture.hcl so far, header included
  uint64_t requests = 0, spans = 0, refused = 0, aborted = 0;
  bool sealed = false;
  std::string instance;        // changes when the sink restarted
};

// Which client sends: the host itself through the gateway, or a pod.
struct DriveTarget {
  bool from_host = true;
  std::string base_url;     // for the host: http://127.0.0.1:<port>; for a pod: http://frontend.<ns>.svc.cluster.local
  std::string host_header;
  std::string source_ip;    // from the host: address to connect from, "" = the system chooses
  std::string agent;        // provider's name of the client: scenarios of one client are driven one after the other
};

struct AgentProgress {
  std::vector<Outcome> outcomes;  // finished ones since `from`
  bool finished = false;
};

class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string name() const = 0;
  virtual std::vector<std::string> capabilities() const = 0;

  // Makes the mesh equal `state`: everything the first time, only the difference later. Interruptible by `stop`.
  virtual Result<void> ensure(const EnvironmentState& state, StepLog& log, const std::atomic<bool>& stop) = 0;
  // Waits until no proxy still drains old listener filter chains (facts 9, 14 and 16).
  virtual Result<void> wait_tracing_settled(StepLog& log, const std::atomic<bool>& stop) = 0;
  virtual Result<DriveTarget> target(Entry entry, const TopologyInstance& instance) = 0;

  // In-cluster driving; outcomes are polled from index `from`.
  virtual Result<void> agent_start(const std::string& agent, const LoadPlan& plan) = 0;
  virtual Result<AgentProgress> agent_poll(const std::string& agent, uint64_t first_n, uint64_t from) = 0;
  // Ends what the agent drives, within two seconds; nothing to do when it drives nothing.
  virtual Result<void> agent_stop(const std::string& agent) = 0;

  // Demo switches; fault kind kNone clears every switch of the service.
  virtual Result<void> set_fault(const TopologyInstance& instance, const Fault& fault) = 0;

  // Posts one OTLP/JSON body to the Collector's OTLP/HTTP port (positive control).
  virtual Result<void> post_to_collector(const std::string& otlp_json) = 0;

  virtual Result<SinkStatus> sink_status() = 0;
  // Raw capture bytes from offset `from`; waits up to wait_ms for more; empty = none yet.
  virtual Result<std::string> sink_capture(uint64_t from, int wait_ms) = 0;
  virtual Result<void> sink_seal() = 0;

  enum class Mark { kBefore, kAfter };
  // Reads proxies' and the Collector's counters and restarts into `environment` (proxies are found and listed on
  // kBefore).
  virtual Result<void> mark(Mark mark, Environment& environment) = 0;
  // Collector's exporter queue, nullopt when not exposed.
  virtual std::optional<uint64_t> collector_queue() = 0;
  // Versions, images, Telemetry objects as they are in the cluster, configuration as applied.
  virtual Result<void> describe(Environment& environment) = 0;
  // Pod logs, events, Envoy and Istio configuration into dir (after a failure). Best effort; lists what it could not
  // get.
  virtual std::vector<std::string> collect_evidence(const std::string& dir) = 0;
  // Removes all it made and proves it; idempotent.
  virtual Result<void> release(StepLog& log) = 0;
};

}  // namespace hopcheck::run
