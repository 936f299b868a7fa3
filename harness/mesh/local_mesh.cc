#include "mesh/local_mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "plan/naming.h"
#include "plan/port_protocol.h"

namespace hopcheck::mesh {
namespace {

constexpr int kFirstWorkload = 4;  // 1 gateway, 2 Collector, 3 sink
constexpr int kLastAddress = 254;

// Letters and digits of generated Kubernetes names: no vowels, so that no words come up.
constexpr std::string_view kNameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

// FNV-1a, 64 bits (draft-eastlake-fnv).
uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  return hash;
}

std::string name_suffix(std::string_view seed, size_t length) {
  uint64_t hash = fnv1a(seed);
  std::string out;
  for (size_t i = 0; i < length; ++i) {
    out += kNameAlphabet[hash % kNameAlphabet.size()];
    hash /= kNameAlphabet.size();
  }
  return out;
}

bool valid_prefix(const std::string& prefix) {
  if (prefix.rfind("127.", 0) != 0) return false;
  int dots = 0, digits = 0, value = 0;
  for (const char c : prefix) {
    if (c == '.') {
      if (digits == 0) return false;
      ++dots;
      digits = value = 0;
    } else if (c >= '0' && c <= '9' && ++digits <= 3) {
      value = value * 10 + (c - '0');
      if (value > 255) return false;
    } else {
      return false;
    }
  }
  return dots == 2 && digits > 0;
}

// Hands out the addresses of the /24; what the earlier plan gave to a workload that is still there stays its own.
class Addresses {
 public:
  Addresses(const std::string& prefix, const LocalMesh* previous) : prefix_(prefix) {
    if (previous == nullptr || previous->prefix != prefix) return;
    for (const LocalWorkload& w : previous->workloads) kept_[key(w)] = &w;
  }

  static std::string key(const LocalWorkload& w) { return w.service.ns + "/" + w.workload.name; }

  // Called for every workload before assign() is: what is kept must be known before anything new is given out.
  void reserve(const LocalWorkload& w) {
    const auto found = kept_.find(key(w));
    if (found == kept_.end()) return;
    used_.insert(found->second->ip);
    if (found->second->app_ip != found->second->ip) used_.insert(found->second->app_ip);
  }

  bool assign(LocalWorkload& w) {
    const auto found = kept_.find(key(w));
    const LocalWorkload* old = found == kept_.end() ? nullptr : found->second;
    w.ip = old != nullptr ? old->ip : take();
    if (!w.inbound_captured) {
      w.app_ip = w.ip;
    } else {
      w.app_ip = old != nullptr && old->app_ip != old->ip ? old->app_ip : take();
    }
    return !w.ip.empty() && !w.app_ip.empty();
  }

 private:
  std::string take() {
    for (; next_ <= kLastAddress; ++next_) {
      std::string ip = fmt::format("{}.{}", prefix_, next_);
      if (used_.insert(ip).second) return ip;
    }
    return "";
  }

  const std::string prefix_;
  std::map<std::string, const LocalWorkload*> kept_;
  std::set<std::string> used_;
  int next_ = kFirstWorkload;
};

void name_proxy(LocalWorkload& w) {
  const std::string& ns = w.service.ns;
  w.pod = fmt::format("{}-{}-{}", w.workload.name, name_suffix(ns + "/" + w.workload.name, 10),
                      name_suffix(ns + "/" + w.workload.name + "/0", 5));
  if (!w.sidecar) return;
  const char* type = w.gateway ? "router" : "sidecar";
  w.node_id = fmt::format("{}~{}~{}.{}~{}.svc.cluster.local", type, w.ip, w.pod, ns, ns);
}

LocalWorkload make_workload(const Service& service, const Workload& workload) {
  LocalWorkload w;
  w.service = service;
  w.workload = workload;
  w.labels = plan::pod_labels(service, workload);
  w.canonical_service = plan::canonical_service(service, workload);
  w.canonical_revision = plan::canonical_revision(service, workload);
  w.service_account = service.service_account.empty() ? "default" : service.service_account;
  return w;
}

void add_instance(const run::TopologyInstance& instance, size_t index, std::vector<LocalWorkload>& out) {
  const Topology& topology = instance.topology;
  for (const Service& listed : topology.services) {
    Service service = listed;
    if (service.ns.empty()) service.ns = topology.ns;
    const auto& bare = instance.without_sidecar;
    const bool sidecar = service.meshed && std::find(bare.begin(), bare.end(), service.name) == bare.end();
    for (const Workload& workload : service.workloads) {
      LocalWorkload w = make_workload(service, workload);
      w.instance = index;
      w.sidecar = sidecar;
      w.inbound_captured = sidecar && !(instance.direct_entry && service.name == topology.entry);
      out.push_back(std::move(w));
    }
  }
}

void add_load_client(const run::TopologyInstance& instance, size_t index, std::vector<LocalWorkload>& out) {
  const Service client = plan::load_client_service(instance.topology.ns);
  LocalWorkload w = make_workload(client, client.workloads[0]);
  w.instance = index;
  w.load_client = true;
  w.sidecar = true;
  out.push_back(std::move(w));
}

// What would only show as a failed bind() later.
std::optional<Error> problem_of(const LocalWorkload& w) {
  if (!w.sidecar) return std::nullopt;
  for (const ServicePort& port : w.service.ports) {
    const bool raw = port.target_port >= kRawOutboundPort && port.target_port < kRawOutboundPort + kRawOutboundPorts;
    if (raw || port.target_port == kSidecarOutboundPort || port.target_port == kEnvoyAdminPort) {
      return Error{ErrorKind::kUsage,
                   fmt::format("service {}: target port {} is the sidecar's", w.service.name, port.target_port),
                   "a sidecar listens on 15000, 15001 and 15100 to 15355 of its pod's address",
                   "choose another target port"};
    }
  }
  return std::nullopt;
}

std::optional<Error> too_many_raw_ports(const Topology& topology) {
  size_t count = 0;
  for (const Service& service : topology.services) {
    for (const ServicePort& port : service.ports) {
      if (raw_outbound_port(topology, service.name, port.port) != 0) ++count;
    }
  }
  if (count <= kRawOutboundPorts) return std::nullopt;
  return Error{ErrorKind::kUsage, fmt::format("topology {} has {} TCP and sniffed ports", topology.name, count),
               fmt::format("a sidecar here can tell {} apart", kRawOutboundPorts), "split the topology"};
}

LocalWorkload make_gateway(const std::string& prefix) {
  const Service service = plan::gateway_service();
  LocalWorkload w = make_workload(service, service.workloads[0]);
  w.gateway = w.sidecar = true;
  w.service_account = "istio-ingressgateway-service-account";
  w.ip = w.app_ip = prefix + ".1";
  name_proxy(w);
  return w;
}

}  // namespace

Result<LocalMesh> plan_local_mesh(const std::string& prefix, const std::vector<run::TopologyInstance>& instances,
                                  const LocalMesh* previous) {
  if (!valid_prefix(prefix)) {
    return fail(ErrorKind::kUsage, "'" + prefix + "' is no loopback prefix", "three numbers, the first 127");
  }
  LocalMesh mesh;
  mesh.prefix = prefix;
  mesh.instances = instances;
  mesh.gateway = make_gateway(prefix);
  mesh.collector_ip = prefix + ".2";
  mesh.sink_ip = prefix + ".3";
  for (const run::TopologyInstance& instance : instances) {
    if (auto problem = too_many_raw_ports(instance.topology)) return tl::unexpected<Error>(std::move(*problem));
  }
  for (size_t i = 0; i < instances.size(); ++i) add_instance(instances[i], i, mesh.workloads);
  for (size_t i = 0; i < instances.size(); ++i) {
    if (instances[i].mesh_client) add_load_client(instances[i], i, mesh.workloads);
  }
  Addresses addresses(prefix, previous);
  std::set<std::string> names;
  for (const LocalWorkload& w : mesh.workloads) {
    if (!names.insert(Addresses::key(w)).second) {
      return fail(ErrorKind::kUsage, "workload " + Addresses::key(w) + " is there twice",
                  "two instances share a namespace, or two services a workload name");
    }
    if (auto problem = problem_of(w)) return tl::unexpected<Error>(std::move(*problem));
    addresses.reserve(w);
  }
  for (LocalWorkload& w : mesh.workloads) {
    if (!addresses.assign(w)) {
      return fail(ErrorKind::kEnvironment, fmt::format("no address left in {}.0/24 for {}", prefix, Addresses::key(w)),
                  fmt::format("{} workloads; one with a sidecar takes two addresses", mesh.workloads.size()),
                  "run fewer topologies in one environment");
    }
    name_proxy(w);
  }
  return mesh;
}

const LocalWorkload* find_workload(const LocalMesh& mesh, const std::string& ns, const std::string& workload) {
  for (const LocalWorkload& w : mesh.workloads) {
    if (w.service.ns == ns && w.workload.name == workload) return &w;
  }
  return nullptr;
}

std::vector<const LocalWorkload*> workloads_behind(const LocalMesh& mesh, size_t instance, const std::string& service) {
  std::vector<const LocalWorkload*> out;
  for (const LocalWorkload& w : mesh.workloads) {
    if (!w.load_client && w.instance == instance && w.service.name == service) out.push_back(&w);
  }
  return out;
}

uint16_t raw_outbound_port(const Topology& topology, const std::string& service, uint16_t port) {
  uint16_t next = kRawOutboundPort;
  for (const Service& each : topology.services) {
    for (const ServicePort& candidate : each.ports) {
      const plan::PortProtocol protocol = plan::port_protocol(candidate);
      if (plan::yields_spans(protocol) && protocol != plan::PortProtocol::kSniffed) continue;
      if (each.name == service && candidate.port == port) return next;
      ++next;
    }
  }
  return 0;
}

std::string connect_address(const LocalMesh& mesh, const LocalWorkload& caller, const std::string& service,
                            uint16_t port) {
  const auto behind = workloads_behind(mesh, caller.instance, service);
  if (behind.empty()) return "";
  for (const ServicePort& candidate : behind[0]->service.ports) {
    if (port != 0 && candidate.port != port) continue;
    if (caller.sidecar) {
      const uint16_t raw = raw_outbound_port(mesh.instances[caller.instance].topology, service, candidate.port);
      return fmt::format("{}:{}", caller.ip, raw != 0 ? raw : kSidecarOutboundPort);
    }
    return fmt::format("{}:{}", behind[0]->ip, candidate.target_port);
  }
  return "";
}

std::string gateway_address(const LocalMesh& mesh) {
  return fmt::format("{}:{}", mesh.gateway.ip, kGatewayHttpPort);
}

}  // namespace hopcheck::mesh
