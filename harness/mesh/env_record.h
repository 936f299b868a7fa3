// The files of one environment, $XDG_STATE_HOME/hopcheck/envs/<id>/ (folder 0700, files 0600): env.json (what it is),
// tokens.json, owner.json (mounted into the node: whose it is), kubeconfig, rendered configuration, logs/. Not
// thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "run/provider.h"

namespace hopcheck::mesh {

struct EnvRecord {
  std::string id;         // 8 hex digits, or the name given to `up --name`
  std::string cluster;    // hopcheck-<id>
  bool kept = false;      // outlives the process that made it
  bool complete = false;  // the first ensure() succeeded
  bool ground = false;    // made for a walkthrough, which installs Istio, Collector and application itself
  std::string created;    // RFC 3339
  std::string run;        // capture folder in use
  uint16_t gateway_port = 0;
  std::string istio_version, istio_tag, kubernetes;
  Transport transport = Transport::kGrpc;
  NamingMode naming = NamingMode::kAppLabelAndNamespace;
  bool gateway_spawn = true;
  std::optional<double> sampling;
  bool mesh_tracing = true, naming_unset = false, naming_restart = true;
  std::string telemetry_provider;  // as in run::EnvironmentState
  std::string telemetry_scope = kScopeMesh;
  std::map<std::string, std::string> instances;  // namespace → hash of its instance_key()
  std::vector<std::string> agents;               // namespaces with a meshed load agent
  std::vector<std::string> revisions;            // further control planes, by revision
  std::string harness_image, collector_image;
  std::vector<std::string> images;  // "role: reference@id"
  std::vector<std::string> notes;
};

struct EnvTokens {
  std::string backend, control;
};

// Who may delete a cluster: mounted into the node as /etc/hopcheck/owner.json.
struct Owner {
  std::string env, run, created, version, boot_id;
  pid_t pid = 0;
  uint64_t pid_start = 0;  // clock ticks since boot, tells a reused pid
};

std::string default_state_dir();       // $XDG_STATE_HOME/hopcheck/envs, else ~/.local/state/hopcheck/envs
std::string random_hex(size_t bytes);  // from getrandom(2)
std::string now_rfc3339();
bool is_env_id(const std::string& id);  // [a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?

Result<void> write_private(const std::string& path, const std::string& text);  // 0600, by rename
Result<std::string> read_small(const std::string& path);
Result<void> make_private_dir(const std::string& path);

std::string to_json(const EnvRecord& record);
Result<EnvRecord> env_record_from_json(const std::string& text);
Result<EnvRecord> load_env(const std::string& state_dir, const std::string& id);
Result<void> save_env(const std::string& state_dir, const EnvRecord& record);
Result<EnvTokens> load_tokens(const std::string& env_dir);
Result<void> save_tokens(const std::string& env_dir, const EnvTokens& tokens);
// All readable records, sorted by id; damaged ones are left out.
std::vector<EnvRecord> list_envs(const std::string& state_dir);

std::string to_json(const Owner& owner);
std::optional<Owner> owner_from_json(const std::string& text);
Owner owner_of_this_process(const std::string& env, const std::string& run);
// The process that owns it still runs (same boot, same pid, same start time).
bool owner_alive(const Owner& owner);

std::string sha256_hex(const std::string& text);

// Can `state` run in the environment with at most additions (new instances, sampling, transport)? Why not, "" = yes.
std::string why_not_fitting(const EnvRecord& record, const run::EnvironmentState& state,
                            const std::map<std::string, std::string>& instance_hashes);

}  // namespace hopcheck::mesh
