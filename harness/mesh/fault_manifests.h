// Declared faults of a topology instance as Kubernetes objects: VirtualServices for what callers' proxies do, and the
// values of Service and Deployment where a place is to be left without endpoint or app. Pure.
#pragma once

#include <string>
#include <vector>

#include "run/provider.h"

namespace hopcheck::mesh {

// Whether callers' proxies do something wrong on their routes to the service.
bool has_route_faults(const run::TopologyInstance& instance, const std::string& service);
// spec.http of the VirtualService with them (networking.istio.io/v1 HTTPRoute), as JSON: for each of `ports` the
// longest path prefix first, all other requests last. Without faults one route for each port.
std::string http_routes(const run::TopologyInstance& instance, const Service& service,
                        const std::vector<uint16_t>& ports);
// The service's ports on which a proxy has routes (not those that carry bytes).
std::vector<uint16_t> routed_ports(const Service& service);

bool lacks_endpoint(const run::TopologyInstance& instance, const std::string& service);
bool lacks_app(const run::TopologyInstance& instance, const std::string& service);

// A VirtualService that stands in the mesh, and the Deployments whose proxies must have it before anything is driven.
struct FaultRoute {
  std::string name, ns;                                      // of the VirtualService
  std::vector<std::pair<std::string, std::string>> callers;  // namespace, Deployment
};
std::vector<FaultRoute> fault_routes(const run::TopologyInstance& instance);

}  // namespace hopcheck::mesh
