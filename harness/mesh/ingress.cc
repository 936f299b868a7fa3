#include "mesh/ingress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "mesh/json_walk.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;

std::string names_of(const json& ports) {
  std::string out;
  for (const json& port : ports) out += (out.empty() ? "" : ", ") + printable(text_at(port, "name"));
  return out.empty() ? "none" : out;
}

}  // namespace

Result<IngressAddress> ingress_address(const std::string& service_json, const IngressWanted& wanted) {
  const json service = json::parse(service_json, nullptr, false);
  const json& spec = child_of(service, "spec");
  if (!spec.is_object()) return fail(ErrorKind::kEvidence, "the gateway's Service is no Kubernetes object");
  const json& ports = child_of(spec, "ports");
  const json* port = nullptr;
  for (const json& one : ports) {
    if (text_at(one, "name") == wanted.port_name) port = &one;
  }
  const int64_t number = port == nullptr ? 0 : number_at(*port, "port");
  if (number <= 0 || number > 65535)
    return fail(ErrorKind::kEnvironment, "the gateway's Service has no port named " + wanted.port_name,
                "its ports are: " + names_of(ports), "name the port in the gateway's Service, or ask for another one");
  IngressAddress out;
  const json& given = child_of(child_of(child_of(service, "status"), "loadBalancer"), "ingress");
  if (given.is_array() && !given.empty()) {
    const std::string ip = text_at(given[0], "ip");
    out.host = ip.empty() ? text_at(given[0], "hostname") : ip;
    out.port = static_cast<uint16_t>(number);
    out.how = ip.empty() ? "the load balancer's host name; it has no ip" : "the load balancer's address";
    out.fallback = ip.empty();
    if (!out.host.empty()) return out;
  }
  const int64_t node_port = number_at(*port, "nodePort");
  if (wanted.forwarded != 0 && node_port == wanted.forwarded_node_port) {
    out.host = "127.0.0.1";
    out.port = wanted.forwarded;
    out.how =
        fmt::format("fall-back: no load balancer gave an address, so 127.0.0.1:{}, which kind maps to NodePort {}",
                    wanted.forwarded, node_port);
    out.fallback = true;
    return out;
  }
  return fail(ErrorKind::kEnvironment, "the gateway cannot be reached from outside",
              node_port == 0
                  ? "no load balancer gave an address, and the port has no nodePort"
                  : fmt::format("no load balancer gave an address, and nothing leads to NodePort {}", node_port),
              "kubectl -n istio-system port-forward service/istio-ingressgateway 8080:80");
}

}  // namespace hopcheck::mesh
