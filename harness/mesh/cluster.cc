#include "mesh/cluster.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/text.h"

namespace hopcheck::mesh {
namespace {

constexpr const char* kOwnerPath = "/etc/hopcheck/owner.json";
constexpr const char* kClusterLabel = "io.x-k8s.kind.cluster";
constexpr int kNodePollMs = 150;
constexpr int64_t kCreateMs = 300'000;
constexpr int64_t kLoadMs = 300'000;
constexpr int64_t kDeleteMs = 120'000;

int64_t now_ms() { return system_clock().monotonic_nanos() / 1'000'000; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) out.emplace_back(line);
  }
  return out;
}

ProcessSpec spec_of(std::vector<std::string> argv, int64_t timeout_ms, std::string log = "") {
  ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.timeout_ms = timeout_ms;
  spec.log_path = std::move(log);
  return spec;
}

Result<std::vector<std::string>> ask_docker(ProcessRunner& runner, const Tools& tools,
                                            std::vector<std::string> arguments, const std::atomic<bool>& stop) {
  arguments.insert(arguments.begin(), tools.docker);
  const std::string what = "docker " + arguments[1];
  const Result<ProcessResult> done =
      run_checked(runner, spec_of(std::move(arguments), 30'000), stop, what, "see whether Docker runs: docker ps");
  if (!done) return tl::unexpected<Error>(done.error());
  return lines_of(done->out);
}

Result<std::vector<std::string>> containers_of(ProcessRunner& runner, const Tools& tools, const std::string& cluster,
                                               const std::atomic<bool>& stop) {
  return ask_docker(runner, tools, {"ps", "-aq", "--filter", std::string("label=") + kClusterLabel + "=" + cluster},
                    stop);
}

// The owner file a container mounts, read on the host, else in the container; and the container's volumes.
void read_mounts(ProcessRunner& runner, const Tools& tools, const std::string& container, const std::atomic<bool>& stop,
                 FoundCluster& found) {
  const Result<std::vector<std::string>> mounts =
      ask_docker(runner, tools, {"inspect", "--format", "{{json .Mounts}}", container}, stop);
  if (!mounts || mounts->empty()) return;
  const nlohmann::json list = nlohmann::json::parse(mounts->front(), nullptr, false);
  if (!list.is_array()) return;
  for (const nlohmann::json& mount : list) {
    if (!mount.is_object()) continue;
    if (mount.value("Type", "") == "volume") found.volumes.push_back(mount.value("Name", ""));
    if (mount.value("Destination", "") != kOwnerPath) continue;
    const Result<std::string> text = read_small(mount.value("Source", ""));
    if (text) found.owner = owner_from_json(*text);
    if (found.owner) continue;
    const Result<std::vector<std::string>> inside =
        ask_docker(runner, tools, {"exec", container, "cat", kOwnerPath}, stop);
    std::string joined;
    if (inside) {
      for (const std::string& line : *inside) joined += line + "\n";
    }
    found.owner = owner_from_json(joined);
  }
}

Result<void> wait_for_containerd(ProcessRunner& runner, const Tools& tools, const std::string& node, int64_t timeout_ms,
                                 const std::atomic<bool>& stop) {
  const int64_t deadline = now_ms() + timeout_ms;
  while (!stop.load()) {
    const Result<ProcessResult> asked =
        runner.run(spec_of({tools.docker, "exec", node, "ctr", "version"}, 10'000), stop);
    if (!asked) return tl::unexpected<Error>(asked.error());
    if (asked->ok()) return {};
    if (now_ms() >= deadline) {
      return fail(ErrorKind::kEnvironment, "the node container " + node + " did not come up", last_lines(asked->err, 2),
                  "see logs/kind.log");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kNodePollMs));
  }
  return fail(ErrorKind::kInterrupted, "loading images was interrupted");
}

}  // namespace

Result<Tools> find_tools() {
  Tools tools;
  for (const auto& [name, path] : {std::pair<const char*, std::string*>{"docker", &tools.docker},
                                   {"kind", &tools.kind},
                                   {"kubectl", &tools.kubectl}}) {
    *path = find_tool(name);
    if (path->empty()) return tool_missing(name);
  }
  return tools;
}

std::string node_of(const std::string& cluster) { return cluster + "-control-plane"; }

Result<void> create_cluster(ProcessRunner& runner, const Tools& tools, const ClusterSpec& spec,
                            const std::atomic<bool>& stop) {
  const ProcessSpec process = spec_of({tools.kind, "create", "cluster", "--name", spec.name, "--image", spec.node_image,
                                       "--config", spec.config_file, "--kubeconfig", spec.kubeconfig, "--wait", "0s"},
                                      kCreateMs, tools.log("kind"));
  const Result<ProcessResult> done = run_checked(runner, process, stop, "kind create cluster " + spec.name,
                                                 "see the log; memory (3 GiB) and disk (8 GiB) are the usual causes");
  if (!done) return tl::unexpected<Error>(done.error());
  return {};
}

Result<void> load_images_into(ProcessRunner& runner, const Tools& tools, const std::string& cluster,
                              const std::vector<std::string>& images, int64_t wait_for_node_ms,
                              const std::atomic<bool>& stop) {
  const std::string node = node_of(cluster);
  const Result<void> up = wait_for_containerd(runner, tools, node, wait_for_node_ms, stop);
  if (!up) return up;
  ProcessSpec stream =
      spec_of({tools.docker, "exec", "-i", node, "ctr", "--namespace=k8s.io", "images", "import", "--digests", "-"},
              kLoadMs, tools.log("images"));
  stream.feeder = {tools.docker, "save"};
  stream.feeder.insert(stream.feeder.end(), images.begin(), images.end());
  const Result<ProcessResult> imported = run_checked(runner, stream, stop, "importing images into " + node);
  if (imported || imported.error().kind == ErrorKind::kInterrupted) {
    if (!imported) return tl::unexpected<Error>(imported.error());
    return {};
  }
  ProcessSpec load = spec_of({tools.kind, "load", "docker-image", "--name", cluster}, kLoadMs, tools.log("images"));
  load.argv.insert(load.argv.end(), images.begin(), images.end());
  const Result<ProcessResult> loaded =
      run_checked(runner, load, stop, "kind load docker-image", "see that the images exist: docker images");
  if (!loaded) return tl::unexpected<Error>(loaded.error());
  return {};
}

Result<void> check_name_free(ProcessRunner& runner, const Tools& tools, const std::string& cluster,
                             const std::atomic<bool>& stop) {
  const Result<std::vector<std::string>> containers = containers_of(runner, tools, cluster, stop);
  if (!containers) return tl::unexpected<Error>(containers.error());
  if (containers->empty()) return {};
  return fail(ErrorKind::kEnvironment, "a kind cluster named " + cluster + " exists already",
              "it was not made for this environment",
              "choose another name, or remove it: hopcheck gc, or kind delete cluster --name " + cluster);
}

Result<std::vector<FoundCluster>> find_clusters(ProcessRunner& runner, const Tools& tools, const std::string& state_dir,
                                                const std::atomic<bool>& stop) {
  const Result<std::vector<std::string>> rows =
      ask_docker(runner, tools,
                 {"ps", "-a", "--filter", std::string("label=") + kClusterLabel, "--format",
                  std::string("{{.ID}} {{.Label \"") + kClusterLabel + "\"}}"},
                 stop);
  if (!rows) return tl::unexpected<Error>(rows.error());
  std::vector<FoundCluster> out;
  for (const std::string& row : *rows) {
    const size_t blank = row.find(' ');
    const std::string name = blank == std::string::npos ? "" : row.substr(blank + 1);
    if (name.rfind("hopcheck-", 0) != 0) continue;
    auto found =
        std::find_if(out.begin(), out.end(), [&](const FoundCluster& cluster) { return cluster.name == name; });
    if (found == out.end()) {
      out.push_back({name, {}, {}, std::nullopt, false, false});
      found = out.end() - 1;
    }
    found->containers.push_back(row.substr(0, blank));
    read_mounts(runner, tools, row.substr(0, blank), stop, *found);
  }
  for (FoundCluster& cluster : out) {
    if (cluster.owner && "hopcheck-" + cluster.owner->env != cluster.name) cluster.owner.reset();
    if (!cluster.owner) continue;
    cluster.alive = owner_alive(*cluster.owner);
    const Result<EnvRecord> record = load_env(state_dir, cluster.owner->env);
    cluster.kept = record && record->kept;
  }
  std::sort(out.begin(), out.end(), [](const FoundCluster& a, const FoundCluster& b) { return a.name < b.name; });
  return out;
}

Result<void> delete_cluster(ProcessRunner& runner, const Tools& tools, const ClusterName& cluster,
                            const std::atomic<bool>& stop) {
  const Result<std::vector<std::string>> before = containers_of(runner, tools, cluster.name, stop);
  if (!before) return tl::unexpected<Error>(before.error());
  FoundCluster mounts;
  for (const std::string& container : *before) {
    mounts.owner.reset();
    read_mounts(runner, tools, container, stop, mounts);
    if (mounts.owner && "hopcheck-" + mounts.owner->env == cluster.name) continue;
    return fail(ErrorKind::kEnvironment, "cluster " + cluster.name + " is not ours and was left alone",
                "its node mounts no owner file of hopcheck",
                "if you made it: kind delete cluster --name " + cluster.name);
  }
  const Result<ProcessResult> deleted =
      run_checked(runner,
                  spec_of({tools.kind, "delete", "cluster", "--name", cluster.name, "--kubeconfig", cluster.kubeconfig},
                          kDeleteMs, tools.log("kind")),
                  stop, "kind delete cluster " + cluster.name);
  const Result<std::vector<std::string>> after = containers_of(runner, tools, cluster.name, stop);
  if (!after) return tl::unexpected<Error>(after.error());
  if (!after->empty()) {
    return fail(ErrorKind::kEnvironment, "containers of cluster " + cluster.name + " are left: " + after->front(),
                deleted ? "" : deleted.error().why, "docker rm -f -v " + after->front());
  }
  if (mounts.volumes.empty()) return {};
  const Result<std::vector<std::string>> volumes = ask_docker(runner, tools, {"volume", "ls", "-q"}, stop);
  if (!volumes) return tl::unexpected<Error>(volumes.error());
  for (const std::string& volume : mounts.volumes) {
    if (std::find(volumes->begin(), volumes->end(), volume) != volumes->end()) {
      return fail(ErrorKind::kEnvironment, "volume " + volume + " of cluster " + cluster.name + " is left", "",
                  "docker volume rm " + volume);
    }
  }
  return {};
}

}  // namespace hopcheck::mesh
