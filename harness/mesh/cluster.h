// kind clusters: making one, loading images into it, finding and removing ours, and nothing but ours. A cluster is ours
// when its name is hopcheck-<id> and its node mounts an owner file of ours at /etc/hopcheck/owner.json. Thread-safe (no
// state).
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/env_record.h"
#include "mesh/process.h"

namespace hopcheck::mesh {

// Absolute paths of the tools and where their output is kept.
struct Tools {
  std::string docker, kind, kubectl;
  std::string log_dir;  // "" = no logs
  std::string log(const std::string& name) const { return log_dir.empty() ? "" : log_dir + "/" + name + ".log"; }
};
// Every tool but istioctl, whose path depends on the Istio version. Errors name the missing tool.
Result<Tools> find_tools();

struct ClusterSpec {
  std::string name, node_image, config_file, kubeconfig;
};
Result<void> create_cluster(ProcessRunner& runner, const Tools& tools, const ClusterSpec& spec,
                            const std::atomic<bool>& stop);
std::string node_of(const std::string& cluster);  // container name of its control plane

// Streams the images into the node's containerd as soon as that answers, which is well before the cluster is up; falls
// back to `kind load docker-image` when containerd does not take the stream. `wait_for_node_ms`: how long the node may
// take to appear.
Result<void> load_images_into(ProcessRunner& runner, const Tools& tools, const std::string& cluster,
                              const std::vector<std::string>& images, int64_t wait_for_node_ms,
                              const std::atomic<bool>& stop);

struct FoundCluster {
  std::string name;
  std::vector<std::string> containers, volumes;
  std::optional<Owner> owner;  // nullopt: not ours
  bool kept = false;           // a standing environment
  bool alive = false;          // the owning process still runs
};
// Error when a kind cluster of that name exists already, whoever made it.
Result<void> check_name_free(ProcessRunner& runner, const Tools& tools, const std::string& cluster,
                             const std::atomic<bool>& stop);
// All kind clusters whose name begins with "hopcheck-", with what is known of their owner.
Result<std::vector<FoundCluster>> find_clusters(ProcessRunner& runner, const Tools& tools, const std::string& state_dir,
                                                const std::atomic<bool>& stop);
// Deletes the cluster and proves that no container and no volume of it is left; idempotent. A cluster without our owner
// file is left alone: an error.
// `kubeconfig` is the cluster's own: kind edits that one, never the user's.
struct ClusterName {
  std::string name, kubeconfig;
};
Result<void> delete_cluster(ProcessRunner& runner, const Tools& tools, const ClusterName& cluster,
                            const std::atomic<bool>& stop);

}  // namespace hopcheck::mesh
