#include "mesh/env_record.h"

#include <openssl/sha.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"
#include "mesh/process_groups.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;
constexpr size_t kMaxSmallFile = size_t{4} << 20;
constexpr size_t kMaxEnvs = 1'000;

template <class T>
T field(const json& object, const char* key, T fallback) {
  const auto found = object.find(key);
  if (found == object.end()) return fallback;
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    return fallback;
  }
}

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  in >> id;
  return id;
}

}  // namespace

std::string default_state_dir() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && state[0] == '/')
    return std::string(state) + "/hopcheck/envs";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && *home != 0 ? home : "/tmp") + "/.local/state/hopcheck/envs";
}

std::string random_hex(size_t bytes) {
  std::vector<uint8_t> raw(bytes);
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::getrandom(raw.data() + done, bytes - done, 0);
    if (n > 0) done += static_cast<size_t>(n);
    if (n < 0 && errno != EINTR) std::abort();  // a token that is no secret would be worse
  }
  return to_hex(raw.data(), raw.size());
}

std::string now_rfc3339() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

bool is_env_id(const std::string& id) {
  if (id.empty() || id.size() > 32 || id.front() == '-' || id.back() == '-') return false;
  return id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

Result<void> make_private_dir(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && ::chmod(path.c_str(), 0700) == 0) return {};
  return fail(ErrorKind::kEnvironment, "cannot make the folder " + path, error ? error.message() : std::strerror(errno),
              "set XDG_STATE_HOME to a folder that can be written");
}

Result<void> write_private(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp" + random_hex(4);
  const mode_t old = ::umask(0077);
  std::ofstream out(temporary, std::ios::binary);
  ::umask(old);
  out << text;
  out.close();
  if (out && ::chmod(temporary.c_str(), 0600) == 0 && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const std::string why = std::strerror(errno);
  ::unlink(temporary.c_str());
  return fail(ErrorKind::kEnvironment, "cannot write " + path, why,
              "free some space, or set XDG_STATE_HOME to a folder that can be written");
}

Result<std::string> read_small(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorKind::kEnvironment, "cannot read " + path, std::strerror(errno));
  std::string text(kMaxSmallFile, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

std::string to_json(const EnvRecord& record) {
  json out{{"schemaVersion", 1},
           {"id", record.id},
           {"cluster", record.cluster},
           {"kept", record.kept},
           {"complete", record.complete},
           {"created", record.created},
           {"run", record.run},
           {"gatewayPort", record.gateway_port},
           {"istioVersion", record.istio_version},
           {"istioTag", record.istio_tag},
           {"kubernetes", record.kubernetes},
           {"transport", to_string(record.transport)},
           {"naming", to_string(record.naming)},
           {"gatewaySpawn", record.gateway_spawn},
           {"instances", record.instances},
           {"agents", record.agents},
           {"revisions", record.revisions},
           {"harnessImage", record.harness_image},
           {"collectorImage", record.collector_image},
           {"images", record.images},
           {"notes", record.notes}};
  out["meshTracing"] = record.mesh_tracing;
  out["namingRestart"] = record.naming_restart;
  out["namingUnset"] = record.naming_unset;
  if (record.ground) out["ground"] = true;
  out["telemetryProvider"] = record.telemetry_provider;
  out["telemetryScope"] = record.telemetry_scope;
  out["sampling"] = record.sampling ? json(*record.sampling) : json(nullptr);
  return out.dump(2) + "\n";
}

Result<EnvRecord> env_record_from_json(const std::string& text) {
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object() || field<int>(in, "schemaVersion", 0) != 1) {
    return fail(ErrorKind::kEnvironment, "env.json is damaged", "it is no environment record of this version",
                "hopcheck gc removes what is left of it");
  }
  EnvRecord record;
  record.id = field<std::string>(in, "id", "");
  record.cluster = field<std::string>(in, "cluster", "");
  record.kept = field(in, "kept", false);
  record.complete = field(in, "complete", false);
  record.created = field<std::string>(in, "created", "");
  record.run = field<std::string>(in, "run", "");
  record.gateway_port = field<uint16_t>(in, "gatewayPort", 0);
  record.istio_version = field<std::string>(in, "istioVersion", "");
  record.istio_tag = field<std::string>(in, "istioTag", "");
  record.kubernetes = field<std::string>(in, "kubernetes", "");
  record.transport = field<std::string>(in, "transport", "grpc") == "http" ? Transport::kHttp : Transport::kGrpc;
  const std::string naming = field<std::string>(in, "naming", "");
  for (const NamingMode mode : {NamingMode::kAppLabelAndNamespace, NamingMode::kCanonicalNameOnly,
                                NamingMode::kCanonicalNameAndNamespace, NamingMode::kOtelSemanticConventions}) {
    if (naming == to_string(mode)) record.naming = mode;
  }
  record.gateway_spawn = field(in, "gatewaySpawn", true);
  record.mesh_tracing = field<bool>(in, "meshTracing", true);
  record.naming_restart = field<bool>(in, "namingRestart", true);
  record.naming_unset = field<bool>(in, "namingUnset", false);
  record.ground = field<bool>(in, "ground", false);
  record.telemetry_provider = field<std::string>(in, "telemetryProvider", "");
  record.telemetry_scope = field<std::string>(in, "telemetryScope", kScopeMesh);
  if (in.contains("sampling") && in["sampling"].is_number()) record.sampling = in["sampling"].get<double>();
  record.instances = field<std::map<std::string, std::string>>(in, "instances", {});
  record.agents = field<std::vector<std::string>>(in, "agents", {});
  record.revisions = field<std::vector<std::string>>(in, "revisions", {});
  record.harness_image = field<std::string>(in, "harnessImage", "");
  record.collector_image = field<std::string>(in, "collectorImage", "");
  record.images = field<std::vector<std::string>>(in, "images", {});
  record.notes = field<std::vector<std::string>>(in, "notes", {});
  if (!is_env_id(record.id) || record.cluster != "hopcheck-" + record.id) {
    return fail(ErrorKind::kEnvironment, "env.json is damaged", "its id and cluster name do not agree",
                "hopcheck gc removes what is left of it");
  }
  return record;
}

Result<EnvRecord> load_env(const std::string& state_dir, const std::string& id) {
  if (!is_env_id(id))
    return fail(ErrorKind::kUsage, "\"" + printable(id) + "\" is no environment id", "",
                "hopcheck gc --dry-run lists the environments");
  const Result<std::string> text = read_small(state_dir + "/" + id + "/env.json");
  if (!text)
    return fail(ErrorKind::kEnvironment, "there is no environment " + id, text.error().what,
                "make one: hopcheck up --name " + id);
  return env_record_from_json(*text);
}

Result<void> save_env(const std::string& state_dir, const EnvRecord& record) {
  return write_private(state_dir + "/" + record.id + "/env.json", to_json(record));
}

Result<EnvTokens> load_tokens(const std::string& env_dir) {
  const Result<std::string> text = read_small(env_dir + "/tokens.json");
  if (!text) return tl::unexpected<Error>(text.error());
  const json in = json::parse(*text, nullptr, false);
  if (!in.is_object())
    return fail(ErrorKind::kEnvironment, env_dir + "/tokens.json is damaged", "",
                "remove the environment: hopcheck down --env ID");
  return EnvTokens{field<std::string>(in, "backend", ""), field<std::string>(in, "control", "")};
}

Result<void> save_tokens(const std::string& env_dir, const EnvTokens& tokens) {
  return write_private(env_dir + "/tokens.json",
                       json{{"backend", tokens.backend}, {"control", tokens.control}}.dump() + "\n");
}

std::vector<EnvRecord> list_envs(const std::string& state_dir) {
  std::vector<EnvRecord> out;
  std::error_code error;
  for (std::filesystem::directory_iterator it(state_dir, error), end; !error && it != end && out.size() < kMaxEnvs;
       it.increment(error)) {
    const Result<EnvRecord> record = load_env(state_dir, it->path().filename().string());
    if (record) out.push_back(*record);
  }
  std::sort(out.begin(), out.end(), [](const EnvRecord& a, const EnvRecord& b) { return a.id < b.id; });
  return out;
}

std::string to_json(const Owner& owner) {
  return json{{"tool", "hopcheck"},       {"env", owner.env},        {"run", owner.run}, {"created", owner.created},
              {"version", owner.version}, {"bootId", owner.boot_id}, {"pid", owner.pid}, {"pidStart", owner.pid_start}}
             .dump(2) +
         "\n";
}

std::optional<Owner> owner_from_json(const std::string& text) {
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object() || field<std::string>(in, "tool", "") != "hopcheck") return std::nullopt;
  Owner owner;
  owner.env = field<std::string>(in, "env", "");
  owner.run = field<std::string>(in, "run", "");
  owner.created = field<std::string>(in, "created", "");
  owner.version = field<std::string>(in, "version", "");
  owner.boot_id = field<std::string>(in, "bootId", "");
  owner.pid = field<pid_t>(in, "pid", 0);
  owner.pid_start = field<uint64_t>(in, "pidStart", 0);
  if (!is_env_id(owner.env)) return std::nullopt;
  return owner;
}

Owner owner_of_this_process(const std::string& env, const std::string& run) {
  return {env, run, now_rfc3339(), "0.1.0", boot_id(), ::getpid(), start_ticks(::getpid())};
}

bool owner_alive(const Owner& owner) {
  return owner.pid > 0 && owner.boot_id == boot_id() && owner.pid_start != 0 &&
         start_ticks(owner.pid) == owner.pid_start;
}

std::string sha256_hex(const std::string& text) {
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return to_hex(digest, sizeof digest);
}

std::string why_not_fitting(const EnvRecord& record, const run::EnvironmentState& state,
                            const std::map<std::string, std::string>& instance_hashes) {
  if (!record.complete) return "its set-up was never finished";
  if (!state.istio.empty() && !starts_with_dotted(record.istio_version, state.istio))
    return "it runs Istio " + record.istio_version;
  if (state.naming != record.naming) return std::string("its naming is ") + to_string(record.naming);
  if (state.gateway_spawn != record.gateway_spawn)
    return std::string("its gatewaySpawn is ") + (record.gateway_spawn ? "true" : "false");
  for (const auto& [ns, hash] : instance_hashes) {
    const auto found = record.instances.find(ns);
    if (found != record.instances.end() && found->second != hash)
      return "its namespace " + ns + " holds another variant of the topology";
  }
  return "";
}

}  // namespace hopcheck::mesh
