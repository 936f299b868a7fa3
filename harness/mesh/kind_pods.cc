// Talking to pods through the API server's proxy: sink, load agents, demo switches, Collector.
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "mesh/control_json.h"
#include "mesh/kind_provider.h"
#include "plan/load_plan_json.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;

constexpr uint16_t kSinkControlPort = 8080;
constexpr uint16_t kAgentPort = 9902;
constexpr uint16_t kSwitchPort = 9901;
constexpr uint16_t kOtlpHttpPort = 4318;
constexpr int kAgentTries = 20;
constexpr int kAgentRetryMs = 250;
constexpr int kPostTries = 3;
constexpr const char* kSystem = "hopcheck-system";

}  // namespace

Result<std::string> KindProvider::pod_name(const PodTarget& target) {
  const std::string key = target.ns + " " + target.selector;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto known = pods_.find(key);
    if (known != pods_.end()) return known->second;
  }
  const Result<std::vector<PodInfo>> pods = list_pods(*client_, target.ns, target.selector);
  if (!pods) return tl::unexpected<Error>(pods.error());
  for (const PodInfo& pod : *pods) {
    if (pod.deleting || !pod.ready) continue;
    const std::lock_guard<std::mutex> lock(mutex_);
    pods_[key] = pod.name;
    return pod.name;
  }
  return fail(ErrorKind::kEnvironment, "no ready pod " + target.selector + " in namespace " + target.ns,
              pods->empty() ? "there is none" : (*pods)[0].waiting,
              "kubectl -n " + target.ns + " describe pods; kubeconfig: " + kubeconfig());
}

void KindProvider::forget_pod(const PodTarget& target) {
  const std::lock_guard<std::mutex> lock(mutex_);
  pods_.erase(target.ns + " " + target.selector);
}

Result<KubeResponse> KindProvider::call_pod(const PodTarget& target, const PodCall& call) {
  if (!client_) return fail(ErrorKind::kEnvironment, "the environment is not up");
  const Result<std::string> pod = pod_name(target);
  if (!pod) return tl::unexpected<Error>(pod.error());
  Result<KubeResponse> response =
      client_->request({call.method,
                        pod_proxy_path(target.ns, *pod, target.port, call.path),
                        call.body,
                        {{"X-Hopcheck-Token", tokens_.control}, {"Content-Type", "application/json"}},
                        call.timeout_ms});
  // 404 and 503 may mean that the pod was replaced: the next call looks its name up again.
  if (!response || response->status == 404 || response->status == 503) forget_pod(target);
  return response;
}

Result<std::string> KindProvider::call_ok(const PodTarget& target, const PodCall& call, const std::string& what) {
  Result<KubeResponse> response = call_pod(target, call);
  if (!response) return with_context(response.error(), what);
  if (response->status / 100 == 2) return std::move(response->body);
  return fail(ErrorKind::kEnvironment, what + ": HTTP " + std::to_string(response->status),
              kube_message(response->body));
}

Result<run::DriveTarget> KindProvider::target(Entry entry, const run::TopologyInstance& instance) {
  const Topology& topology = instance.topology;
  const int index = topology.find(topology.entry);
  if (index < 0)
    return fail(ErrorKind::kUsage, "topology " + topology.name + " has no entry service " + topology.entry);
  const Service& service = topology.services[static_cast<size_t>(index)];
  const uint16_t port = service.ports.empty() ? uint16_t{8080} : service.ports[0].port;
  run::DriveTarget out;
  if (entry == Entry::kGateway) {
    out.base_url = "http://127.0.0.1:" + std::to_string(record_.gateway_port);
    out.host_header = gateway_host(topology);
    return out;
  }
  if (entry == Entry::kMesh && !instance.mesh_client) {
    return fail(ErrorKind::kInternal, "namespace " + topology.ns + " has no meshed load agent");
  }
  out.from_host = false;
  out.base_url = "http://" + fqdn(service) + (port == 80 ? "" : ":" + std::to_string(port));
  out.agent = (entry == Entry::kMesh ? topology.ns : std::string(kSystem)) + "/loadgen";
  return out;
}

Result<void> KindProvider::agent_start(const std::string& agent, const LoadPlan& plan) {
  const PodTarget target{agent.substr(0, agent.find('/')), "app=loadgen", kAgentPort};
  const std::string body = plan::to_json(plan);
  for (int i = 0; i < kAgentTries; ++i) {
    const Result<KubeResponse> response = call_pod(target, {"POST", "/drive", body});
    if (!response) return with_context(response.error(), "starting load agent " + agent);
    if (response->status / 100 == 2) return {};
    if (response->status != 409) {
      return fail(ErrorKind::kEnvironment,
                  "starting load agent " + agent + ": HTTP " + std::to_string(response->status),
                  kube_message(response->body));
    }
    // The drive of a run that died: it ends within two seconds of being told.
    const Result<KubeResponse> stopped = call_pod(target, {"POST", "/stop", ""});
    if (!stopped) return with_context(stopped.error(), "stopping load agent " + agent);
    std::this_thread::sleep_for(std::chrono::milliseconds(kAgentRetryMs));
  }
  return fail(ErrorKind::kEnvironment, "load agent " + agent + " still drives an earlier run", "it did not stop",
              "kubectl -n " + target.ns + " rollout restart deployment loadgen");
}

Result<run::AgentProgress> KindProvider::agent_poll(const std::string& agent, uint64_t first_n, uint64_t from) {
  const PodTarget target{agent.substr(0, agent.find('/')), "app=loadgen", kAgentPort};
  const std::string path = "/outcomes?first_n=" + std::to_string(first_n) + "&from=" + std::to_string(from);
  const Result<std::string> body = call_ok(target, {"GET", path, ""}, "asking load agent " + agent);
  if (!body) return tl::unexpected<Error>(body.error());
  Result<plan::OutcomePage> page = plan::outcomes_from_json(*body);
  if (!page) return tl::unexpected<Error>(page.error());
  return run::AgentProgress{std::move(page->outcomes), page->finished};
}

Result<void> KindProvider::agent_stop(const std::string& agent) {
  const PodTarget target{agent.substr(0, agent.find('/')), "app=loadgen", kAgentPort};
  const Result<std::string> answer = call_ok(target, {"POST", "/stop", "", 3000}, "stopping load agent " + agent);
  return answer ? Result<void>{} : tl::unexpected<Error>(answer.error());
}

Result<void> KindProvider::set_fault(const run::TopologyInstance& instance, const Fault& fault) {
  const Result<std::string> body = switches_of(fault);
  if (!body) return tl::unexpected<Error>(body.error());
  const int at = instance.topology.find(fault.at);
  const std::string& ns = at < 0 ? instance.topology.ns : instance.topology.services[static_cast<size_t>(at)].ns;
  const Result<std::vector<PodInfo>> pods = list_pods(*client_, ns, "hopcheck.dev/service=" + fault.at);
  if (!pods) return tl::unexpected<Error>(pods.error());
  size_t set = 0;
  for (const PodInfo& pod : *pods) {
    if (pod.deleting) continue;
    const Result<KubeResponse> response = client_->request({body->empty() ? "DELETE" : "PUT",
                                                            pod_proxy_path(ns, pod.name, kSwitchPort, "/switches"),
                                                            *body,
                                                            {{"Content-Type", "application/json"}},
                                                            10'000});
    if (!response) return with_context(response.error(), "setting the switches of " + fault.at);
    if (response->status / 100 != 2) {
      return fail(ErrorKind::kEnvironment,
                  "setting the switches of " + ns + "/" + pod.name + ": HTTP " + std::to_string(response->status),
                  kube_message(response->body), "a service played by a stock image has no switches");
    }
    ++set;
  }
  if (set > 0) return {};
  return fail(ErrorKind::kEnvironment, "service " + fault.at + " has no pod in namespace " + ns);
}

void KindProvider::clear_switches() {
  const Result<std::vector<PodInfo>> pods = mesh_pods();
  for (size_t i = 0; pods && i < pods->size(); ++i) {
    const PodInfo& pod = (*pods)[i];
    // The load agent has none, and the request would leave a span of its sidecar that no counter of the run knows.
    if (pod.service == "loadgen") continue;
    // A service played by a stock image has none either, and answers nothing of use.
    static_cast<void>(
        client_->request({"DELETE", pod_proxy_path(pod.ns, pod.name, kSwitchPort, "/switches"), "", {}, 5'000}));
  }
}

Result<void> KindProvider::post_to_collector(const std::string& otlp_json) {
  const PodTarget target{"observability", "app=opentelemetry-collector", kOtlpHttpPort};
  Result<void> posted;
  for (int tries = 0; tries < kPostTries; ++tries) {  // twice the same span is harmless
    const Result<std::string> done = call_ok(target, {"POST", "/v1/traces", otlp_json}, "posting to the Collector");
    if (done) return {};
    posted = tl::unexpected<Error>(done.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(kAgentRetryMs));
  }
  return posted;
}

Result<run::SinkStatus> KindProvider::sink_status() {
  const Result<std::string> body =
      call_ok({kSystem, "app=sink", kSinkControlPort}, {"GET", "/status", ""}, "asking the sink");
  if (!body) return tl::unexpected<Error>(body.error());
  return sink_status_from_json(*body);
}

Result<std::string> KindProvider::sink_capture(uint64_t from, int wait_ms) {
  const std::string path = "/capture?from=" + std::to_string(from) + "&wait=" + std::to_string(wait_ms);
  return call_ok({kSystem, "app=sink", kSinkControlPort}, {"GET", path, "", wait_ms + 15'000}, "reading the capture");
}

Result<void> KindProvider::sink_seal() {
  const Result<std::string> done =
      call_ok({kSystem, "app=sink", kSinkControlPort}, {"POST", "/seal", ""}, "sealing the capture");
  if (!done) return tl::unexpected<Error>(done.error());
  return {};
}

}  // namespace hopcheck::mesh
