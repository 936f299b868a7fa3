// A small client of the Kubernetes API (https://kubernetes.io/docs/reference/using-api/): requests, server-side apply,
// watches, the proxy to pods, and commands in them. Authenticates with the kubeconfig's client certificate or token
// over keep-alive connections. The API server strips the Authorization header from proxied requests, hence
// X-Hopcheck-Token. Thread-safe. The seam KubeClient has one real implementation (libcurl; commands by kube_exec.h)
// here and one fake in kube_fake.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "mesh/kubeconfig.h"
#include "mesh/template.h"

namespace hopcheck::mesh {

struct KubeRequest {
  std::string method = "GET";
  std::string path;  // from "/", with query
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t timeout_ms = 30'000;
  size_t limit = size_t{64} << 20;  // bytes of the response; more is an error
};
struct KubeResponse {
  int status = 0;
  std::string body;
};

// A command in a container of a pod; its stdout is the answer's body.
struct PodCommand {
  std::string ns, pod, container;
  std::vector<std::string> argv;
  int64_t timeout_ms = 30'000;
  size_t limit = size_t{16} << 20;  // bytes of stdout; more is an error
};

class KubeClient {
 public:
  virtual ~KubeClient() = default;
  // Error when there was no HTTP answer; any status is a value. A connection that breaks under way is tried again, up
  // to three times within a second, for every method but POST.
  virtual Result<KubeResponse> request(const KubeRequest& request) = 0;
  // Streams a watch line by line until on_line returns false, the server ends it, the deadline passes or `stop` is set
  // (all of which are not errors).
  virtual Result<void> watch(const std::string& path, const std::function<bool(std::string_view)>& on_line,
                             int64_t timeout_ms, const std::atomic<bool>& stop) = 0;
  // Status 200 with stdout, 500 with the API's message when the command failed, else why it was refused.
  virtual Result<KubeResponse> exec(const PodCommand& command) = 0;
};
std::unique_ptr<KubeClient> make_kube_client(Kubeconfig config);

// GET; a status other than 2xx is an Error with the API's message.
Result<std::string> kube_get(KubeClient& client, const std::string& path);
// Server-side apply of one object (field manager hopcheck, forced).
Result<void> kube_apply(KubeClient& client, const KubeObject& object);
// All objects: Namespaces first, one after another, then the rest on a few threads. First error wins.
Result<void> kube_apply_all(KubeClient& client, const std::vector<KubeObject>& objects, const std::atomic<bool>& stop);
// "message" of a Kubernetes Status body, else its first 200 bytes; printable.
std::string kube_message(const std::string& body);
// /api/v1/namespaces/NS/pods/POD:PORT/proxy/PATH
std::string pod_proxy_path(const std::string& ns, const std::string& pod, uint16_t port, const std::string& path);

}  // namespace hopcheck::mesh
