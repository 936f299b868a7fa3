// Fake KubeClient for tests: answers by method and path prefix, records every request; a watch plays back given lines.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "mesh/kube_client.h"

namespace hopcheck::mesh {

class FakeKubeClient final : public KubeClient {
 public:
  struct Rule {
    std::string method, path_prefix;
    KubeResponse response;
  };
  // Later rules win, so that a test can change an answer.
  void on(std::string method, std::string path_prefix, int status, std::string body) {
    const std::lock_guard<std::mutex> lock(mutex_);
    rules_.push_back({std::move(method), std::move(path_prefix), {status, std::move(body)}});
  }
  void on_watch(std::vector<std::string> lines) { watch_lines_ = std::move(lines); }

  Result<KubeResponse> request(const KubeRequest& request) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(request);
    for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
      if (rule->method == request.method && request.path.rfind(rule->path_prefix, 0) == 0) return rule->response;
    }
    return KubeResponse{404, R"({"kind":"Status","message":"not found by the fake"})"};
  }
  Result<void> watch(const std::string&, const std::function<bool(std::string_view)>& on_line, int64_t,
                     const std::atomic<bool>&) override {
    for (const std::string& line : watch_lines_) {
      if (!on_line(line)) return {};
    }
    return {};
  }
  // Method EXEC, path "ns/pod word word"
  Result<KubeResponse> exec(const PodCommand& command) override {
    KubeRequest asked;
    asked.method = "EXEC";
    asked.path = command.ns + "/" + command.pod;
    for (const std::string& word : command.argv) asked.path += " " + word;
    return request(asked);
  }
  std::vector<KubeRequest> requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Rule> rules_;
  std::vector<KubeRequest> requests_;
  std::vector<std::string> watch_lines_;
};

}  // namespace hopcheck::mesh
