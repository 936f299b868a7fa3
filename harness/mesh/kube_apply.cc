// The parts of kube_client.h that need no connection of their own.
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "mesh/kube_client.h"

namespace hopcheck::mesh {
namespace {

constexpr size_t kApplyThreads = 6;
// A webhook that is not up yet, or a CRD not served yet, answers so for a moment; applying again is right.
constexpr int kApplyTries = 40;
constexpr int kRetryMs = 250;

bool is_passing(int status) { return status == 429 || status >= 500 || status == 404; }

}  // namespace

std::string kube_message(const std::string& body) {
  const nlohmann::json status = nlohmann::json::parse(body, nullptr, false);
  if (status.is_object() && status.contains("message") && status["message"].is_string()) {
    return printable(status["message"].get<std::string>().substr(0, 400));
  }
  return printable(body.substr(0, 200));
}

std::string pod_proxy_path(const std::string& ns, const std::string& pod, uint16_t port, const std::string& path) {
  return "/api/v1/namespaces/" + ns + "/pods/" + pod + ":" + std::to_string(port) + "/proxy" + path;
}

Result<std::string> kube_get(KubeClient& client, const std::string& path) {
  Result<KubeResponse> response = client.request({"GET", path, "", {}, 30'000});
  if (!response) return tl::unexpected<Error>(response.error());
  if (response->status / 100 == 2) return std::move(response->body);
  return fail(ErrorKind::kEnvironment,
              "the Kubernetes API answered " + std::to_string(response->status) + " to GET " + path,
              kube_message(response->body));
}

Result<void> kube_apply(KubeClient& client, const KubeObject& object) {
  const Result<std::string> path = api_path(object);
  if (!path) return tl::unexpected<Error>(path.error());
  const Result<KubeResponse> response = client.request({"PATCH",
                                                        *path + "?fieldManager=hopcheck&force=true",
                                                        object.body,
                                                        {{"Content-Type", "application/apply-patch+yaml"}},
                                                        30'000});
  if (!response) return tl::unexpected<Error>(response.error());
  if (response->status / 100 == 2) return {};
  const ErrorKind kind = is_passing(response->status) ? ErrorKind::kEnvironment : ErrorKind::kInternal;
  return fail(kind, "cannot apply " + object.kind + " " + object.ns + (object.ns.empty() ? "" : "/") + object.name,
              "the Kubernetes API answered " + std::to_string(response->status) + ": " + kube_message(response->body));
}

namespace {

Result<void> apply_patiently(KubeClient& client, const KubeObject& object, const std::atomic<bool>& stop) {
  Result<void> done;
  for (int i = 0; i < kApplyTries; ++i) {
    if (stop.load())
      return fail(ErrorKind::kInterrupted, "applying " + object.kind + " " + object.name + " was interrupted");
    done = kube_apply(client, object);
    if (done || done.error().kind != ErrorKind::kEnvironment) return done;
    std::this_thread::sleep_for(std::chrono::milliseconds(kRetryMs));
  }
  return done;
}

}  // namespace

Result<void> kube_apply_all(KubeClient& client, const std::vector<KubeObject>& objects, const std::atomic<bool>& stop) {
  std::vector<const KubeObject*> rest;
  for (const KubeObject& object : objects) {
    if (object.kind != "Namespace") {
      rest.push_back(&object);
      continue;
    }
    const Result<void> done = apply_patiently(client, object, stop);
    if (!done) return done;
  }
  std::mutex mutex;
  std::atomic<size_t> next{0};
  Result<void> first;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(kApplyThreads, rest.size()); ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < rest.size(); at = next++) {
        const Result<void> done = apply_patiently(client, *rest[at], stop);
        const std::lock_guard<std::mutex> lock(mutex);
        if (!first) return;
        if (!done) {
          first = done;
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return first;
}

}  // namespace hopcheck::mesh
