// For tests that change a standing environment and put it back: its API, pods through the API server's proxy, sinks
// that we put there, and the doctor. Every failure is a test failure of the caller; waiting is bounded.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mesh/env_record.h"
#include "mesh/kube_client.h"
#include "mesh/kube_wait.h"
#include "mesh/prometheus.h"
#include "store/capture.h"

namespace hopcheck {

constexpr const char* kLab = "hopcheck-lab";  // the namespace of everything that these tests put there

class LiveCluster {
 public:
  void open();  // the environment that HOPCHECK_CI_ENV names
  bool is_open() const { return client_ != nullptr; }
  const mesh::EnvRecord& record() const { return record_; }
  const mesh::EnvTokens& tokens() const { return tokens_; }

  mesh::KubeResponse request(const mesh::KubeRequest& request);
  // A string within the object at `path`, by JSON pointer; "" when it is not there.
  std::string text_at(const std::string& path, const std::string& pointer);
  // Objects that name no namespace go into `ns`.
  void apply(const std::string& manifest, const std::string& ns = kLab);
  // A JSON merge patch (RFC 7386); `text_patch` makes one of a single string.
  void patch(const std::string& path, const std::string& change);
  static std::string text_patch(const std::string& pointer, const std::string& value);
  void wait_ready(const std::set<mesh::ObjectName>& deployments);
  std::vector<std::string> ready_pods(const std::string& ns, const std::string& selector);  // that stay
  // The first of them; that there is none is a failure.
  std::string pod(const std::string& ns, const std::string& selector);
  std::vector<std::string> all_pods(const std::string& ns, const std::string& selector);  // ready or not, that stay
  size_t pods(const std::string& ns, const std::string& selector);  // those that end included
  void new_pods(const mesh::ObjectName& deployment);  // asked for, not waited for
  // New pods for a Deployment, and the end of its old ones.
  void restart(const mesh::ObjectName& deployment, const std::string& selector);
  // GET at a pod.
  mesh::KubeResponse ask(const std::string& ns, const std::string& pod, uint16_t port, const std::string& path);
  mesh::Metrics metrics(const std::string& ns, const std::string& pod, uint16_t port, const std::string& path);
  std::string log_of(const std::string& ns, const std::string& pod);
  // How many spans of this pod's sidecar were handed to its exporter.
  uint64_t spans_sent(const std::string& ns, const std::string& pod);
  uint64_t lookup_failures();  // istiod's provider_lookup_cluster_failures, over all istiods
  // "id subject" of every cause that the doctor finds now, those that follow from others included; pods
  // that are out of the mesh on purpose left out.
  std::set<std::string> diagnose();

 private:
  mesh::EnvRecord record_;
  mesh::EnvTokens tokens_;
  std::unique_ptr<mesh::KubeClient> client_;
  const std::atomic<bool> never_{false};
};

// One export as a sink of ours stored it.
struct StoredExport {
  store::FrameTransport transport = store::FrameTransport::kHttp;
  int status = 0;
  std::map<std::string, std::string> headers;
  std::vector<Span> spans;  // views into the arena of the StoredCapture
};
struct StoredCapture {
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();
  std::vector<StoredExport> exports;
};

// A sink in the cluster, by its control API (docs/reference/sink.md).
class LiveSink {
 public:
  LiveSink(LiveCluster& cluster, std::string name, std::string ns = kLab)
      : cluster_(cluster), name_(std::move(name)), ns_(std::move(ns)) {}

  std::string status();                      // JSON
  uint64_t count(const std::string& pointer);  // a number of the status; 0 when it is not there
  void answer_with(const std::string& steps);  // the list of a file of kind Answers, "" = accept everything
  StoredCapture capture();

 private:
  mesh::KubeResponse call(const std::string& method, const std::string& path, const std::string& body);

  LiveCluster& cluster_;
  std::string name_, ns_, pod_;
};

}  // namespace hopcheck
