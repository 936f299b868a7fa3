// Evidence after a failure: pod logs, events, Istio's and Envoy's configuration. Best effort, bounded in size and time.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "mesh/kind_provider.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kBudgetMs = 45'000;
constexpr size_t kMaxPods = 60;
constexpr size_t kMaxDumps = 24;
constexpr size_t kMaxDumpBytes = size_t{8} << 20;

struct Collector {
  std::string dir;
  std::vector<std::string> missing;
  int64_t deadline = 0;

  bool late() const { return system_clock().monotonic_nanos() / 1'000'000 > deadline; }
  void write(const std::string& name, const std::string& text) {
    std::ofstream out(dir + "/" + name, std::ios::binary);
    out << text;
    if (!out) missing.push_back(name + ": cannot be written");
  }
  void get(KubeClient& client, const std::string& path, const std::string& name) {
    const Result<KubeResponse> response = client.request({"GET", path, "", {}, 10'000});
    if (!response) {
      missing.push_back(name + ": " + response.error().why);
    } else if (response->status != 200) {
      missing.push_back(name + ": HTTP " + std::to_string(response->status));
    } else {
      write(name, response->body);
    }
  }
};

}  // namespace

std::vector<std::string> KindProvider::collect_evidence(const std::string& dir) {
  Collector out{dir, {}, system_clock().monotonic_nanos() / 1'000'000 + kBudgetMs};
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  // Secrets are left behind: only these kinds are copied.
  if (error) return {dir + ": " + error.message()};
  for (std::filesystem::directory_iterator it(dir_ + "/logs", error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    std::filesystem::copy_file(it->path(), dir + "/" + it->path().filename().string(),
                               std::filesystem::copy_options::overwrite_existing, ignored);
  }
  if (!client_) {
    out.missing.push_back("everything in the cluster: it was never up");
    return out.missing;
  }
  out.get(*client_, "/api/v1/pods", "pods.json");
  out.get(*client_, "/api/v1/events?limit=2000", "events.json");
  out.get(*client_, "/apis/apps/v1/deployments", "deployments.json");
  out.get(*client_, "/api/v1/namespaces/istio-system/configmaps/istio", "istio-mesh-config.json");
  out.get(*client_, "/apis/telemetry.istio.io/v1/telemetries", "telemetry.json");
  out.get(*client_, "/apis/networking.istio.io/v1/virtualservices", "virtualservices.json");
  Result<std::vector<PodInfo>> pods = list_pods(*client_, "", "");
  if (!pods) {
    out.missing.push_back("pod logs: " + pods.error().what);
    return out.missing;
  }
  // The platform first: that is what is looked at first, and limits cut the end.
  std::stable_partition(pods->begin(), pods->end(), [](const PodInfo& pod) {
    return pod.ns == "istio-system" || pod.ns == "observability" || pod.ns == "hopcheck-system";
  });
  size_t logged = 0, dumped = 0;
  for (const PodInfo& pod : *pods) {
    if (pod.ns == "kube-system" || pod.ns == "local-path-storage") continue;
    for (const std::string& container : pod.containers) {
      const std::string name = "pod." + pod.ns + "." + pod.name + "." + container + ".log";
      if (logged >= kMaxPods || out.late()) {
        out.missing.push_back(name + ": left out (limit)");
        continue;
      }
      out.get(*client_,
              "/api/v1/namespaces/" + pod.ns + "/pods/" + pod.name +
                  "/log?tailLines=2000&limitBytes=1048576&container=" + container,
              name);
      ++logged;
    }
    if (!pod.injected) continue;
    const std::string name = "envoy." + pod.ns + "." + pod.name + ".config_dump.json";
    if (dumped >= kMaxDumps || out.late()) {
      out.missing.push_back(name + ": left out (limit)");
      continue;
    }
    ProcessSpec spec;
    spec.argv = {tools_.kubectl, "--kubeconfig", kubeconfig(), "-n",          pod.ns,    "exec", pod.name,
                 "-c",           "istio-proxy",  "--",         "pilot-agent", "request", "GET",  "config_dump"};
    spec.timeout_ms = 10'000;
    spec.output_limit = kMaxDumpBytes;
    const std::atomic<bool> never{false};
    const Result<ProcessResult> dump = runner_->run(spec, never);
    if (dump && dump->ok()) {
      out.write(name, dump->out);
    } else {
      out.missing.push_back(name + ": " + (dump ? last_lines(dump->err, 1) : dump.error().why));
    }
    ++dumped;
  }
  return out.missing;
}

}  // namespace hopcheck::mesh
