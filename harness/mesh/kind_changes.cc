// What a standing environment goes through when the state asked for is another one: Telemetry objects, further
// instances, and another naming mode, which only new pods read.
#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "doctor/diagnose.h"
#include "mesh/doctor_evidence.h"
#include "mesh/kind_provider.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kReadyMs = 240'000;

}  // namespace

// Versions, istiod, Collector: without them no verdict about traces is worth anything, and the cause has a name.
Result<void> KindProvider::check_prerequisites(run::StepLog& log) {
  const size_t token = log.begin("prerequisites");
  EvidenceRequest request;
  request.depth = EvidenceRequest::Depth::kPrerequisites;
  const std::vector<doctor::Cause> causes = doctor::missing_prerequisites(gather_evidence(*client_, request));
  log.end(token, causes.empty() ? "ok" : "failed");
  if (causes.empty()) return {};
  const doctor::Cause& first = causes.front();
  std::string why, fix;
  for (const std::string& line : first.evidence) why += (why.empty() ? "" : "; ") + line;
  for (const std::string& line : first.fix) fix += (fix.empty() ? "" : "; ") + line;
  return fail(ErrorKind::kEnvironment, first.what + " [" + first.id + "]", why, fix);
}

Result<void> KindProvider::apply_difference(const run::EnvironmentState& state, run::StepLog& log,
                                            const std::atomic<bool>& stop) {
  // A run may change the naming of its mesh from group to group; a standing one that was set up otherwise is refused.
  run::EnvironmentState asked = state;
  if (run_begun_) {
    asked.naming = record_.naming;
    asked.gateway_spawn = record_.gateway_spawn;
  }
  std::string why = why_not(asked);
  for (const auto& [revision, version] : further_) {
    const auto& known = record_.revisions;
    if (why.empty() && std::find(known.begin(), known.end(), revision) == known.end())
      why = "it has no control plane of Istio " + version.version;
  }
  if (!why.empty()) {
    return fail(ErrorKind::kEnvironment, "environment " + record_.id + " does not fit: it needs a new environment", why,
                "leave --env out, or hopcheck down --env " + record_.id);
  }
  const bool first = !run_begun_;
  if (first && tracing_differs(state)) {
    const Result<void> changed = change_before_run(state, log, stop);
    if (!changed) return changed;
  }
  const Result<void> begun = run_begun_ ? Result<void>() : begin_run(options_.run, log, stop);
  if (!begun) return begun;
  const Result<void> rendered = render_all(state);
  if (!rendered) return rendered;
  std::vector<std::string> hosts;
  for (const run::TopologyInstance& instance : state.instances) hosts.push_back(gateway_host(instance.topology));
  using Stop = const std::atomic<bool>&;
  StepGraph graph;
  if (run::needs_restart(applied_naming(), state)) {
    const size_t install = graph.add("istioctl install", {}, [&](Stop s) { return install_all(state, s); });
    const size_t restart = graph.add("restart the pods", {install}, [&](Stop s) { return restart_pods(state, s); });
    graph.add("routes in the proxies", {restart}, [&, hosts](Stop s) {
      const Result<void> routed = wait_routes(hosts, s);
      return routed ? wait_faults(state.instances, s) : routed;
    });
  }
  if (!state.naming_restart && (state.naming != record_.naming || state.naming_unset != record_.naming_unset)) {
    graph.add("istioctl install", {}, [&](Stop s) { return install_all(state, s); });  // and no proxy hears of it
  }
  if (tracing_differs(state)) {
    graph.add("Telemetry mesh-default", {}, [&](Stop s) { return change_telemetry(state, s); });
  }
  if (!manifest_.workloads.empty()) {
    const size_t base =
        graph.add("namespaces and services", {}, [&](Stop s) { return kube_apply_all(*client_, manifest_.base, s); });
    const size_t routing =
        graph.add("routes", {base}, [&](Stop s) { return kube_apply_all(*client_, manifest_.routing, s); });
    const size_t roles = graph.add("role images into the node", {}, [&](Stop s) { return load_roles(s); });
    const size_t apply = graph.add("demo workloads", {base, roles},
                                   [&](Stop s) { return kube_apply_all(*client_, manifest_.workloads, s); });
    const size_t ready = graph.add("demo ready", {apply}, [&](Stop s) { return wait_all(manifest_.workloads, s); });
    graph.add("routes in the proxies", {ready, routing}, [&, hosts](Stop s) {
      const Result<void> routed = wait_routes(hosts, s);
      return routed ? wait_faults(state.instances, s) : routed;
    });
  }
  return graph.run(log, stop);
}

run::EnvironmentState KindProvider::applied_naming() const {
  run::EnvironmentState applied;
  applied.naming = record_.naming;
  applied.naming_unset = record_.naming_unset;
  applied.naming_restart = record_.naming_restart;
  applied.gateway_spawn = record_.gateway_spawn;
  return applied;
}

bool KindProvider::tracing_differs(const run::EnvironmentState& state) const {
  return state.transport != record_.transport || state.sampling != record_.sampling ||
         state.mesh_tracing != record_.mesh_tracing || state.telemetry_provider != record_.telemetry_provider ||
         state.telemetry_scope != record_.telemetry_scope;
}

void KindProvider::note_tracing(const run::EnvironmentState& state) {
  record_.transport = state.transport;
  record_.sampling = state.sampling;
  record_.mesh_tracing = state.mesh_tracing;
  record_.telemetry_provider = state.telemetry_provider;
  record_.telemetry_scope = state.telemetry_scope;
}

// What a run finds otherwise on a standing environment is changed, and in force, before its capture begins: proxies
// that still drain would miss spans, and what they send late would be in the capture and not in their counters.
Result<void> KindProvider::change_before_run(const run::EnvironmentState& state, run::StepLog& log,
                                             const std::atomic<bool>& stop) {
  const size_t token = log.begin("Telemetry mesh-default");
  Result<void> changed = change_telemetry(state, stop);
  log.end(token, changed ? "ok" : "failed");
  if (!changed) return changed;
  note_tracing(state);
  changed = save_env(options_.state_dir, record_);
  return changed ? wait_tracing_settled(log, stop) : changed;
}

// The objects of the new state are applied, then those of the old one that it does not have are removed.
Result<void> KindProvider::change_telemetry(const run::EnvironmentState& state, const std::atomic<bool>& stop) {
  Result<std::map<std::string, uint64_t>> before = listener_updates();
  if (!before) return tl::unexpected<Error>(before.error());
  updates_before_ = std::move(*before);
  run::EnvironmentState old = state;
  old.telemetry_scope = record_.telemetry_scope;
  const Result<std::vector<KubeObject>> objects = telemetry_manifest(context_, state);
  const Result<std::vector<KubeObject>> gone = telemetry_manifest(context_, old);
  if (!objects || !gone) return tl::unexpected<Error>(objects ? gone.error() : objects.error());
  const Result<void> applied = kube_apply_all(*client_, *objects, stop);
  if (!applied) return applied;
  for (const KubeObject& object : *gone) {
    const bool stays =
        std::any_of(objects->begin(), objects->end(), [&](const KubeObject& o) { return o.ns == object.ns; });
    const Result<std::string> path = api_path(object);
    if (stays || !path) continue;
    const Result<KubeResponse> removed = client_->request({"DELETE", *path, "", {}, 30'000});
    if (!removed) return tl::unexpected<Error>(removed.error());
    if (removed->status / 100 != 2 && removed->status != 404) {
      return fail(ErrorKind::kEnvironment, "cannot remove Telemetry " + object.ns + "/" + object.name,
                  kube_message(removed->body));
    }
  }
  return {};
}

// Proxies read their service.name when they start: every workload that is still driven and the gateway roll out anew.
Result<void> KindProvider::restart_pods(const run::EnvironmentState& state, const std::atomic<bool>& stop) {
  std::set<std::string> namespaces;
  for (const run::TopologyInstance& instance : state.instances) {
    if (instance.done) continue;
    namespaces.insert(instance.topology.ns);
    for (const Service& service : instance.topology.services) namespaces.insert(service.ns);
  }
  std::vector<std::vector<std::string>> targets{{"-n", "istio-system", "rollout", "restart",
                                                 "deployment/istio-ingressgateway"}};
  for (const std::string& ns : namespaces) targets.push_back({"-n", ns, "rollout", "restart", "deployment"});
  for (const std::vector<std::string>& target : targets) {
    ProcessSpec spec;
    spec.argv = {tools_.kubectl, "--kubeconfig", kubeconfig()};
    spec.argv.insert(spec.argv.end(), target.begin(), target.end());
    spec.timeout_ms = 30'000;
    spec.log_path = tools_.log("kubectl-restart");
    const Result<ProcessResult> done = run_checked(*runner_, spec, stop, "kubectl rollout restart", "see its log");
    if (!done) return tl::unexpected<Error>(done.error());
  }
  std::set<ObjectName> names{{"istio-system", "istio-ingressgateway"}};
  const Result<std::string> listed = kube_get(*client_, "/apis/apps/v1/deployments");
  if (!listed) return tl::unexpected<Error>(listed.error());
  const nlohmann::json list = nlohmann::json::parse(*listed, nullptr, false);
  for (const nlohmann::json& item : list.value("items", nlohmann::json::array())) {
    const std::string ns = item.value("/metadata/namespace"_json_pointer, "");
    if (namespaces.count(ns) > 0) names.insert({ns, item.value("/metadata/name"_json_pointer, "")});
  }
  const Result<void> ready = wait_deployments(*client_, names, scaled_ms(kReadyMs), stop);
  const std::lock_guard<std::mutex> lock(mutex_);
  pods_.clear();  // every name is new
  return ready;
}

}  // namespace hopcheck::mesh
