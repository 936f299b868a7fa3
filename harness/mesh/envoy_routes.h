// Routes of a local proxy to one service, as istiod would make them of a VirtualService with the instance's faults.
// Pure. Follows Istio pilot's networking/core/route (translateRoute, translateFault, retry.ConvertPolicy): a match by
// prefix gives the operation "<host>:<port><prefix>*", faults are a typed_per_filter_config of
// envoy.filters.http.fault, a timeout is the route's, retries replace the default policy and have no timeout of their
// own.
#pragma once

#include <string>

#include "mesh/envoy_config.h"

namespace hopcheck::mesh {

// JSON array of routes, longest prefix first, the one for everything else last.
std::string outbound_routes(const EnvoyRequest& request, const std::string& host, uint16_t port);

// By the instance's faults, or the request's own without_endpoints.
bool has_no_endpoint(const EnvoyRequest& request, const std::string& host);
bool app_is_down(const EnvoyRequest& request, const Service& service);

}  // namespace hopcheck::mesh
