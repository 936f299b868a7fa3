#include "mesh/envoy_clusters.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "mesh/envoy_routes.h"
#include "plan/port_protocol.h"

namespace hopcheck::mesh {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint32_t kNoLimit = 4294967295;  // Istio lifts every circuit breaker

Json socket_address(const std::string& ip, uint16_t port) {
  return Json{{"socket_address", {{"address", ip}, {"port_value", port}}}};
}

struct Endpoint {
  std::string ip;
  uint16_t port = 0;
};

Json cluster(const std::string& name, const std::vector<Endpoint>& endpoints) {
  Json hosts = Json::array();
  for (const Endpoint& e : endpoints) hosts.push_back({{"endpoint", {{"address", socket_address(e.ip, e.port)}}}});
  Json assignment{{"cluster_name", name}, {"endpoints", Json::array({Json{{"lb_endpoints", hosts}}})}};
  Json limits{{"max_connections", kNoLimit},
              {"max_pending_requests", kNoLimit},
              {"max_requests", kNoLimit},
              {"max_retries", kNoLimit}};
  return Json{{"name", name},
              {"alt_stat_name", name + ";"},
              {"type", "STATIC"},
              {"connect_timeout", "10s"},
              {"lb_policy", "ROUND_ROBIN"},
              {"circuit_breakers", {{"thresholds", Json::array({limits})}}},
              {"load_assignment", assignment}};
}

// What the proxy speaks to the cluster's endpoints.
void speak(Json& cluster, plan::PortProtocol protocol) {
  Json options;
  switch (protocol) {
    case plan::PortProtocol::kHttp:
    case plan::PortProtocol::kTcp:
    case plan::PortProtocol::kRedis: return;
    case plan::PortProtocol::kHttp2:
    case plan::PortProtocol::kGrpc:
      options = {{"explicit_http_config", {{"http2_protocol_options", Json::object()}}}};
      break;
    case plan::PortProtocol::kAmqp:
    case plan::PortProtocol::kSniffed:
      options = {{"use_downstream_protocol_config",
                  {{"http_protocol_options", Json::object()}, {"http2_protocol_options", Json::object()}}}};
      break;
  }
  constexpr const char* kName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  Json typed{{"@type", std::string(kEnvoyTypes) + kName}};
  typed.update(options);
  cluster["typed_extension_protocol_options"] = {{kName, typed}};
}

// Both transports are always there, as both extension providers are registered in the mesh; the listeners choose.
void add_collector_clusters(const LocalMesh& mesh, Json& out) {
  Json grpc =
      cluster(outbound_cluster(collector_fqdn(), kCollectorGrpcPort), {{mesh.collector_ip, kCollectorGrpcPort}});
  speak(grpc, plan::PortProtocol::kGrpc);
  out.push_back(grpc);
  out.push_back(
      cluster(outbound_cluster(collector_fqdn(), kCollectorHttpPort), {{mesh.collector_ip, kCollectorHttpPort}}));
}

void add_service_clusters(const EnvoyRequest& request, size_t instance, const Service& service, Json& out) {
  const auto behind = workloads_behind(request.mesh, instance, service.name);
  if (behind.empty()) return;
  const std::string host = fqdn(behind[0]->service);
  const bool gone = has_no_endpoint(request, host);
  for (const ServicePort& port : service.ports) {
    std::vector<Endpoint> endpoints;
    for (const LocalWorkload* w : behind) {
      if (!gone) endpoints.push_back({w->ip, port.target_port});
    }
    Json entry = cluster(outbound_cluster(host, port.port), endpoints);
    speak(entry, plan::port_protocol(port));
    out.push_back(std::move(entry));
  }
}

}  // namespace

std::string collector_fqdn() {
  return fmt::format("{}.{}.svc.cluster.local", kCollectorService, kCollectorNamespace);
}

std::string outbound_cluster(const std::string& host, uint16_t port) {
  return fmt::format("outbound|{}||{}", port, host);
}

std::string inbound_cluster(uint16_t target_port) { return fmt::format("inbound|{}||", target_port); }

const Service* entry_of(const LocalMesh& mesh, size_t instance) {
  const auto behind = workloads_behind(mesh, instance, mesh.instances[instance].topology.entry);
  return behind.empty() ? nullptr : &behind[0]->service;
}

std::string clusters_of(const EnvoyRequest& request, const LocalWorkload& w) {
  const LocalMesh& mesh = request.mesh;
  Json out = Json::array();
  add_collector_clusters(mesh, out);
  if (w.gateway) {
    for (size_t i = 0; i < mesh.instances.size(); ++i) {
      if (const Service* entry = entry_of(mesh, i)) add_service_clusters(request, i, *entry, out);
    }
    return out.dump();
  }
  for (const Service& service : mesh.instances[w.instance].topology.services) {
    add_service_clusters(request, w.instance, service, out);
  }
  std::set<uint16_t> ports;
  for (const ServicePort& port : w.service.ports) {
    if (!w.inbound_captured || !ports.insert(port.target_port).second) continue;
    // Nothing listens on port 1: the connection is refused, as by an app that is down.
    const uint16_t at = app_is_down(request, w.service) ? uint16_t{1} : port.target_port;
    Json entry = cluster(inbound_cluster(port.target_port), {{w.app_ip, at}});
    speak(entry, plan::port_protocol(port));
    out.push_back(std::move(entry));
  }
  return out.dump();
}

}  // namespace hopcheck::mesh
