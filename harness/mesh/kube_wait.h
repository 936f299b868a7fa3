// Readiness by watching: one list and one watch stream for all Deployments of the cluster.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/kube_client.h"

namespace hopcheck::mesh {

struct ObjectName {
  std::string ns, name;
  auto operator<=>(const ObjectName&) const = default;
};

// Every container's rollout is finished: observed generation current, all replicas updated and available, none old.
bool deployment_ready(std::string_view deployment_json);
// Blocks until all are ready. On the deadline the Error says which are not and what their pods wait for.
Result<void> wait_deployments(KubeClient& client, const std::set<ObjectName>& wanted, int64_t timeout_ms,
                              const std::atomic<bool>& stop);
// Blocks until GET path satisfies `done` (body given); watches nothing, asks every interval_ms.
Result<void> wait_until(KubeClient& client, const std::string& path,
                        const std::function<bool(const std::string&)>& done, int64_t timeout_ms,
                        const std::string& what, const std::atomic<bool>& stop);

struct PodInfo {
  std::string ns, name, service, workload, phase, ip, proxy_image;
  std::string waiting;  // "payments: ErrImagePull", "" when nothing waits
  bool expected_meshed = true;
  bool injected = false;  // has a container istio-proxy, native sidecar or not
  bool ready = false;
  bool deleting = false;
  int proxy_restarts = 0, restarts = 0;  // of istio-proxy, of all containers
  std::vector<std::string> containers;   // native sidecars included
};
// Pods of the whole cluster or of one namespace ("" = all) by label selector ("" = all), sorted by namespace and name.
Result<std::vector<PodInfo>> list_pods(KubeClient& client, const std::string& ns, const std::string& selector);

}  // namespace hopcheck::mesh
