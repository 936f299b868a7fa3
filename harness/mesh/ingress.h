// Where the ingress gateway is reached from outside the cluster, from its Service object: an address of the load
// balancer where it has one, else a fall-back, which is said. Source: Kubernetes API, ServiceStatus.loadBalancer; a
// load balancer gives an ip or a hostname. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace hopcheck::mesh {

struct IngressAddress {
  std::string host;
  uint16_t port = 0;
  std::string how;  // for people: "the load balancer's address", else which fall-back and why
  bool fallback = false;
};

// `port_name`: of the Service's port, "http2". `forwarded`: port of 127.0.0.1 that leads to the port's nodePort, as
// kind maps it; 0 = there is none. kEnvironment error when there is no such port or no way in.
struct IngressWanted {
  std::string port_name = "http2";
  uint16_t forwarded = 0;
  uint16_t forwarded_node_port = 30080;  // the nodePort that `forwarded` leads to
};
Result<IngressAddress> ingress_address(const std::string& service_json, const IngressWanted& wanted);

}  // namespace hopcheck::mesh
