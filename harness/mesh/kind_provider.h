// The kind provider: a real kind cluster, Istio, a Collector, the demo, the sink and the load agents (ARCHITECTURE.md,
// "In the cluster"). One object is one environment, hopcheck-<id>. Its folder is $XDG_STATE_HOME/hopcheck/envs/<id>;
// the user's kubeconfig is neither read nor written. Not thread-safe, except that sink_*, agent_*, collector_queue and
// post_to_collector may be called from several threads once ensure() has returned. A reaper removes the cluster if this
// process dies.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "mesh/cluster.h"
#include "mesh/env_record.h"
#include "mesh/images.h"
#include "mesh/ingress.h"
#include "mesh/kube_client.h"
#include "mesh/kube_wait.h"
#include "mesh/manifests.h"
#include "mesh/preflight.h"
#include "mesh/process.h"
#include "mesh/prometheus.h"
#include "mesh/reaper.h"
#include "mesh/step_graph.h"
#include "run/provider.h"

namespace hopcheck::mesh {

struct KindOptions {
  std::string share;        // root that holds kind/ and scripts/
  std::string executable;   // this binary: the reaper, and its folder is what build-image packs; "" = no reaper
  std::string build_dir;    // holds hopcheck and hopcheck-demo; "" = folder of `executable`
  std::string images_file;  // --images; "" = $HOPCHECK_IMAGES over kind/images.yaml
  std::map<std::string, std::string> image_overrides;  // --image ROLE=REF
  std::string istio;          // --istio: version prefix; "" = as EnvironmentState says, else the images file's default
  std::string id;             // environment id; "" = a new random one
  std::string run;            // run id: name of the capture folder; "" = a random one
  std::string state_dir;      // "" = default_state_dir()
  std::string log_dir;        // where the tools' output goes; "" = <environment>/logs
  uint16_t gateway_port = 0;  // 0 = a free one
  std::function<std::string(const Topology&)> topology_to_yaml;  // config's writer; must be set before ensure()
};

// Everything that can be known before something is made: tools, Docker, Istio version, images, port. kUsage or
// kEnvironment.
Result<void> preflight(const KindOptions& options, const std::atomic<bool>& stop);
// The Istio version that a run with these options has: of the standing environment `id`, else what `istio` selects in
// the images file.
Result<std::string> istio_version_of(const KindOptions& options);
// What this provider can do (docs/reference/providers.md), known before anything is made.
std::vector<std::string> kind_capabilities();
// Those that an image of some role gives, when the images file or --image names one, or scripts/role-image made one.
Result<std::vector<std::string>> role_capabilities(const KindOptions& options);

// Why this machine cannot run it, one clause, "" = it can; tools, engine and images are looked at, nothing is pulled or
// made. Takes 5 s at most. kUsage for options that are wrong on any machine.
Result<std::string> obstacle_to_kind(const KindOptions& options, const std::atomic<bool>& stop);

// What the steps of a walkthrough are told of an environment made for them.
struct Ground {
  std::string folder;                    // private, for the files they write
  std::string kubectl, istioctl;         // absolute paths
  std::vector<std::string> istio_files;  // IstioOperators that this environment needs besides the guide's own
  std::string bookinfo_file;             // the application's objects, for kubectl apply
  std::string backend, token_file;       // HOST:PORT for OTLP/gRPC from inside the cluster; the token it asks for
  std::string collector_version;         // of the current Collector, "0.161.0"
  std::string istio_version;
  uint16_t gateway_port = 0;             // 127.0.0.1:PORT leads to the gateway's NodePort
  std::set<std::string> capabilities;    // collector054: an image of Collector 0.54.0 is at hand
  std::vector<std::string> notes;        // where this differs from what the guide names
  std::set<std::string> stock_services;  // services of the application played by their official images
};

class KindProvider final : public run::Provider {
 public:
  // A new environment (nothing is made yet), or with open() a standing one, which must exist and answer.
  static Result<std::unique_ptr<KindProvider>> create(KindOptions options, const std::atomic<bool>& stop);
  static Result<std::unique_ptr<KindProvider>> open(KindOptions options, const std::atomic<bool>& stop);
  // From parts, as tests do: an environment that is up already, with fakes behind it.
  struct Parts {
    std::unique_ptr<ProcessRunner> runner;
    std::unique_ptr<KubeClient> client;
    EnvRecord record;
    EnvTokens tokens;
  };
  static std::unique_ptr<KindProvider> assemble(KindOptions options, Parts parts);
  ~KindProvider() override;

  std::string name() const override { return "kind"; }
  std::vector<std::string> capabilities() const override;
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

  // A walkthrough's environment (kind_ground.cc): the cluster, images in its node and the mock backend, and neither
  // Istio nor Collector nor application, which the walkthrough installs. On a standing one that was made so, the
  // backend gets a new capture. `state` says which application it will be.
  Result<Ground> ensure_ground(const run::EnvironmentState& state, run::StepLog& log, const std::atomic<bool>& stop);
  // The walkthrough has made `state`: scenarios can be driven on it, with a capture of their own named `run`.
  Result<void> adopt(const run::EnvironmentState& state, const std::string& run);
  // Where the ingress gateway is reached now (ingress.h).
  Result<IngressAddress> ingress();
  Result<std::string> kubernetes_version();  // "v1.34.4"

  // The environment outlives this process; release() then does nothing.
  Result<void> keep();
  // The tools' output goes there from now on (the run directory's logs/).
  void log_to(const std::string& folder) {
    options_.log_dir = folder;
    tools_.log_dir = folder;
  }
  const EnvRecord& record() const { return record_; }
  std::string kubeconfig() const { return dir_ + "/kubeconfig"; }
  // Why this environment cannot become `state` by additions alone; "" = it can.
  std::string why_not(const run::EnvironmentState& state) const;

 private:
  explicit KindProvider(KindOptions options);
  Result<void> prepare(const std::atomic<bool>& stop);  // tools, images
  Result<void> choose_istio(const run::EnvironmentState& state);       // istio_, further_ (kind_istio.cc)
  Result<void> start(const run::EnvironmentState& state, const std::atomic<bool>& stop);
  Result<void> connect();
  Result<void> create_all(const run::EnvironmentState& state, run::StepLog& log, const std::atomic<bool>& stop);
  Result<void> apply_difference(const run::EnvironmentState& state, run::StepLog& log, const std::atomic<bool>& stop);
  Result<void> check_prerequisites(run::StepLog& log);
  void clear_switches();  // of every demo pod: a run that died may have left some on
  Result<void> begin_run(const std::string& run, run::StepLog& log, const std::atomic<bool>& stop);

  // Step bodies (kind_steps.cc).
  Result<void> make_cluster(const std::atomic<bool>& stop);
  Result<void> make_ground(run::StepLog& log, const std::atomic<bool>& stop);
  Result<void> name_images_as_the_guide(const std::atomic<bool>& stop);
  Result<Ground> ground_files(const run::EnvironmentState& state);
  Result<void> pack_harness(const std::atomic<bool>& stop);
  Result<void> install_istio(const run::EnvironmentState& state, const std::string& revision,
                             const std::atomic<bool>& stop);
  Result<void> install_all(const run::EnvironmentState& state, const std::atomic<bool>& stop);  // further ones too
  run::EnvironmentState applied_naming() const;
  bool tracing_differs(const run::EnvironmentState& state) const;
  void note_tracing(const run::EnvironmentState& state);
  Result<void> change_before_run(const run::EnvironmentState& state, run::StepLog& log, const std::atomic<bool>& stop);
  Result<void> change_telemetry(const run::EnvironmentState& state, const std::atomic<bool>& stop);
  Result<void> restart_pods(const run::EnvironmentState& state, const std::atomic<bool>& stop);
  Result<void> render_all(const run::EnvironmentState& state);
  Result<void> wait_crds(const std::atomic<bool>& stop);
  Result<void> wait_webhook(const std::string& revision, const std::atomic<bool>& stop);
  Result<void> wait_routes(const std::vector<std::string>& hosts, const std::atomic<bool>& stop);
  Result<void> wait_faults(const std::vector<run::TopologyInstance>& instances, const std::atomic<bool>& stop);
  Result<void> wait_in_routes(const std::string& ns, const std::string& deployment,
                              const std::vector<std::string>& marks, const std::atomic<bool>& stop);
  Result<void> wait_sink_path(const std::atomic<bool>& stop);
  Result<void> wait_all(const std::vector<KubeObject>& objects, const std::atomic<bool>& stop);
  Result<void> provide_role_images(const run::EnvironmentState& state, const std::atomic<bool>& stop);
  Result<void> load_roles(const std::atomic<bool>& stop);
  std::map<std::string, std::string> hashes_of(const run::EnvironmentState& state) const;

  // Talking to pods (kind_pods.cc).
  struct PodTarget {
    std::string ns, selector;
    uint16_t port = 0;
  };
  struct PodCall {
    std::string method, path, body;
    int64_t timeout_ms = 15'000;
  };
  Result<std::string> pod_name(const PodTarget& target);
  void forget_pod(const PodTarget& target);
  Result<KubeResponse> call_pod(const PodTarget& target, const PodCall& call);
  Result<std::string> call_ok(const PodTarget& target, const PodCall& call, const std::string& what);
  Result<Metrics> scrape(const std::string& ns, const std::string& pod);
  Result<std::vector<PodInfo>> mesh_pods();  // the demo's and the gateway's
  Result<std::map<std::string, uint64_t>> listener_updates();
  void read_collector(Mark mark, CollectorFact& fact);

  KindOptions options_;
  std::string dir_;
  EnvRecord record_;
  EnvTokens tokens_;
  Images images_;
  IstioVersion istio_;                            // of the mesh; istioctl is found
  std::map<std::string, IstioVersion> further_;  // by revision
  Tools tools_;
  std::unique_ptr<Reaper> reaper_;
  std::unique_ptr<ProcessRunner> runner_;
  std::unique_ptr<KubeClient> client_;
  ManifestContext context_;
  std::vector<NeededImage> needed_;   // node first
  InstanceManifest manifest_;         // of all instances to be made, by wave
  std::vector<KubeObject> platform_;  // Collector, sink, unmeshed load agent
  std::vector<std::pair<std::string, std::string>>
      aliases_;  // a walkthrough's: image at hand, name it gets in the node
  bool opened_ = false, started_ = false, run_begun_ = false, released_ = false;

  std::mutex mutex_;                                // guards pods_
  std::map<std::string, std::string> pods_;         // "ns selector" → pod name
  std::map<std::string, uint64_t> updates_before_;  // "ns/pod" → listener updates before the last tracing change
  std::map<std::string, int> restarts_before_;
  int collector_restarts_before_ = 0, sink_restarts_before_ = 0;
};

// Timeout × $HOPCHECK_TIME_FACTOR (never below 1).
int64_t scaled_ms(int64_t ms);

}  // namespace hopcheck::mesh
