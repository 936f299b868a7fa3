#include "mesh/kube_wait.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/text.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;

constexpr int kPollMs = 200;
constexpr size_t kMaxPods = 2'000;

int64_t now_ms() { return system_clock().monotonic_nanos() / 1'000'000; }

int64_t number(const json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_number_integer() ? object[key].get<int64_t>() : 0;
}
std::string text(const json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}
const json& child(const json& object, const char* key) {
  static const json kNone;
  return object.is_object() && object.contains(key) ? object[key] : kNone;
}

bool is_ready(const json& deployment) {
  const json& spec = child(deployment, "spec");
  const json& status = child(deployment, "status");
  const int64_t replicas = spec.contains("replicas") ? number(spec, "replicas") : 1;
  return number(status, "observedGeneration") >= number(child(deployment, "metadata"), "generation") &&
         number(status, "updatedReplicas") == replicas && number(status, "availableReplicas") == replicas &&
         number(status, "replicas") == replicas;
}

ObjectName name_of(const json& object) {
  const json& metadata = child(object, "metadata");
  return {text(metadata, "namespace"), text(metadata, "name")};
}

// "ErrImagePull" and the like; "" when the container runs.
std::string waiting_reason(const json& status) {
  const json& waiting = child(child(status, "state"), "waiting");
  const std::string reason = text(waiting, "reason"), message = text(waiting, "message");
  if (reason.empty()) return "";
  return text(status, "name") + ": " + reason + (message.empty() ? "" : " (" + printable(message.substr(0, 160)) + ")");
}

void read_containers(const json& pod, const char* spec_key, const char* status_key, PodInfo& info) {
  for (const json& container : child(child(pod, "spec"), spec_key)) {
    const std::string name = text(container, "name");
    if (name == "istio-proxy") {
      info.injected = true;
      info.proxy_image = text(container, "image");
    }
    const bool is_init = std::string(spec_key) == "initContainers";
    if (!is_init || text(container, "restartPolicy") == "Always") info.containers.push_back(name);
  }
  for (const json& status : child(child(pod, "status"), status_key)) {
    const int restarts = static_cast<int>(number(status, "restartCount"));
    info.restarts += restarts;
    if (text(status, "name") == "istio-proxy") info.proxy_restarts += restarts;
    if (info.waiting.empty()) info.waiting = waiting_reason(status);
  }
}

PodInfo read_pod(const json& pod) {
  PodInfo info;
  const ObjectName name = name_of(pod);
  info.ns = name.ns;
  info.name = name.name;
  const json& metadata = child(pod, "metadata");
  const json& labels = child(metadata, "labels");
  info.service = text(labels, "hopcheck.dev/service");
  info.workload = text(labels, "hopcheck.dev/workload");
  info.expected_meshed = text(labels, "hopcheck.dev/meshed") != "false";
  info.deleting = metadata.contains("deletionTimestamp");
  const json& status = child(pod, "status");
  info.phase = text(status, "phase");
  info.ip = text(status, "podIP");
  for (const json& condition : child(status, "conditions")) {
    if (text(condition, "type") == "Ready") info.ready = text(condition, "status") == "True";
    if (text(condition, "type") == "PodScheduled" && text(condition, "status") == "False") {
      info.waiting = "not scheduled: " + printable(text(condition, "message").substr(0, 160));
    }
  }
  read_containers(pod, "initContainers", "initContainerStatuses", info);
  read_containers(pod, "containers", "containerStatuses", info);
  return info;
}

std::string why_not_ready(KubeClient& client, const std::set<ObjectName>& missing) {
  std::string out;
  for (const ObjectName& name : missing) {
    out += (out.empty() ? "" : "; ") + name.ns + "/" + name.name;
    const Result<std::vector<PodInfo>> pods = list_pods(client, name.ns, "");
    if (!pods) continue;
    bool found = false;
    for (const PodInfo& pod : *pods) {
      if (pod.ready || pod.name.rfind(name.name + "-", 0) != 0) continue;
      found = true;
      out += " (" + pod.name + " is " + pod.phase + (pod.waiting.empty() ? ", not ready" : ", " + pod.waiting) + ")";
    }
    if (!found) out += " (no pod was made: kubectl -n " + name.ns + " get events)";
  }
  return out.substr(0, 900);
}

}  // namespace

bool deployment_ready(std::string_view deployment_json) {
  const json deployment = json::parse(deployment_json, nullptr, false);
  return deployment.is_object() && is_ready(deployment);
}

Result<void> wait_deployments(KubeClient& client, const std::set<ObjectName>& wanted, int64_t timeout_ms,
                              const std::atomic<bool>& stop) {
  const int64_t deadline = now_ms() + timeout_ms;
  std::set<ObjectName> missing = wanted;
  while (!missing.empty()) {
    if (stop.load()) return fail(ErrorKind::kInterrupted, "waiting for pods was interrupted");
    const int64_t left = deadline - now_ms();
    if (left <= 0) {
      return fail(ErrorKind::kEnvironment,
                  "not all workloads became ready within " + format_nanos(timeout_ms * 1'000'000),
                  why_not_ready(client, missing),
                  "look at logs/ of the run directory; a slow machine can set HOPCHECK_TIME_FACTOR=2");
    }
    const Result<std::string> listed = kube_get(client, "/apis/apps/v1/deployments");
    if (!listed) return tl::unexpected<Error>(listed.error());
    const json list = json::parse(*listed, nullptr, false);
    for (const json& item : child(list, "items")) {
      if (is_ready(item)) missing.erase(name_of(item));
    }
    if (missing.empty()) break;
    const auto on_line = [&](std::string_view line) {
      const json event = json::parse(line, nullptr, false);
      if (text(event, "type") == "ERROR") return false;
      const json& object = child(event, "object");
      if (is_ready(object)) missing.erase(name_of(object));
      return !missing.empty();
    };
    const Result<void> watched = client.watch(
        "/apis/apps/v1/deployments?watch=1&resourceVersion=" + text(child(list, "metadata"), "resourceVersion"),
        on_line, std::min<int64_t>(left, 60'000), stop);
    if (!watched) return watched;
  }
  return {};
}

Result<void> wait_until(KubeClient& client, const std::string& path,
                        const std::function<bool(const std::string&)>& done, int64_t timeout_ms,
                        const std::string& what, const std::atomic<bool>& stop) {
  const int64_t deadline = now_ms() + timeout_ms;
  std::string last;
  while (!stop.load()) {
    const Result<KubeResponse> response = client.request({"GET", path, "", {}, 5'000});
    if (response && response->status == 200 && done(response->body)) return {};
    last = response ? "HTTP " + std::to_string(response->status) : response.error().why;
    if (now_ms() >= deadline)
      return fail(ErrorKind::kEnvironment, what + ": not within " + format_nanos(timeout_ms * 1'000'000),
                  "last answer: " + last);
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
  }
  return fail(ErrorKind::kInterrupted, what + ": interrupted");
}

Result<std::vector<PodInfo>> list_pods(KubeClient& client, const std::string& ns, const std::string& selector) {
  std::string path = ns.empty() ? "/api/v1/pods" : "/api/v1/namespaces/" + ns + "/pods";
  path += "?limit=" + std::to_string(kMaxPods) + (selector.empty() ? "" : "&labelSelector=" + selector);
  const Result<std::string> body = kube_get(client, path);
  if (!body) return tl::unexpected<Error>(body.error());
  const json list = json::parse(*body, nullptr, false);
  if (!list.is_object()) return fail(ErrorKind::kEnvironment, "the Kubernetes API's list of pods is not JSON");
  std::vector<PodInfo> pods;
  for (const json& item : child(list, "items")) pods.push_back(read_pod(item));
  std::sort(pods.begin(), pods.end(),
            [](const PodInfo& a, const PodInfo& b) { return std::tie(a.ns, a.name) < std::tie(b.ns, b.name); });
  return pods;
}

}  // namespace hopcheck::mesh
