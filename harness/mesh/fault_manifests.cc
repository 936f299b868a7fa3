#include "mesh/fault_manifests.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plan/port_protocol.h"

namespace hopcheck::mesh {
namespace {

using Json = nlohmann::ordered_json;

bool has(const run::TopologyInstance& instance, const std::string& service, Fault::Kind kind) {
  return std::any_of(instance.faults.begin(), instance.faults.end(), [&](const run::MeshFault& item) {
    return item.fault.at == service && item.fault.kind == kind;
  });
}

// Istio takes milliseconds, in protobuf's JSON form of a duration.
std::string seconds(int64_t nanos) {
  const int64_t ms = nanos / 1'000'000;
  return fmt::format("{}.{:03}s", ms / 1000, ms % 1000);
}

void add(const Fault& fault, Json& route) {
  const Json always{{"value", 100}};
  switch (fault.kind) {
    case Fault::Kind::kAbort:
      route["fault"]["abort"] = {{"httpStatus", fault.status}, {"percentage", always}};
      return;
    case Fault::Kind::kWireDelay:
      route["fault"]["delay"] = {{"fixedDelay", seconds(fault.delay_nanos)}, {"percentage", always}};
      return;
    case Fault::Kind::kTimeout: route["timeout"] = seconds(fault.delay_nanos); return;
    case Fault::Kind::kRetry: route["retries"] = {{"attempts", fault.attempts}, {"retryOn", "5xx"}}; return;
    default: return;
  }
}

bool has_sidecar(const run::TopologyInstance& instance, const Service& service) {
  const auto& without = instance.without_sidecar;
  return service.meshed && std::find(without.begin(), without.end(), service.name) == without.end();
}

}  // namespace

bool has_route_faults(const run::TopologyInstance& instance, const std::string& service) {
  return std::any_of(instance.faults.begin(), instance.faults.end(), [&](const run::MeshFault& item) {
    return item.fault.at == service && is_route_fault(item.fault.kind);
  });
}

bool lacks_endpoint(const run::TopologyInstance& instance, const std::string& service) {
  return has(instance, service, Fault::Kind::kNoEndpoint);
}

bool lacks_app(const run::TopologyInstance& instance, const std::string& service) {
  return has(instance, service, Fault::Kind::kAppDown);
}

std::vector<uint16_t> routed_ports(const Service& service) {
  std::vector<uint16_t> out;
  for (const ServicePort& port : service.ports) {
    if (plan::yields_spans(plan::port_protocol(port))) out.push_back(port.port);
  }
  return out;
}

std::string http_routes(const run::TopologyInstance& instance, const Service& service,
                        const std::vector<uint16_t>& ports) {
  std::vector<std::string> prefixes;
  for (const run::MeshFault& item : instance.faults) {
    if (item.fault.at == service.name && is_route_fault(item.fault.kind)) prefixes.push_back(item.prefix);
  }
  prefixes.emplace_back();  // everything else
  std::sort(prefixes.begin(), prefixes.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  Json out = Json::array();
  for (const uint16_t port : ports) {
    for (const std::string& prefix : prefixes) {
      // The gateway's own route always says "/": the span's name follows from it (facts 1.3).
      Json match{{"uri", {{"prefix", prefix.empty() ? "/" : prefix}}}};
      if (ports.size() > 1) match["port"] = port;
      Json route{{"match", Json::array({match})}};
      for (const std::string& own : {std::string(), prefix}) {  // the prefix's own word is the last
        for (const run::MeshFault& item : instance.faults) {
          if (item.fault.at == service.name && item.prefix == own) add(item.fault, route);
        }
      }
      const Json to{{"host", fqdn(service)}, {"port", {{"number", port}}}};
      route["route"] = Json::array({Json{{"destination", to}}});
      out.push_back(std::move(route));
    }
  }
  return out.dump();
}

std::vector<FaultRoute> fault_routes(const run::TopologyInstance& instance) {
  std::vector<FaultRoute> out;
  for (const Service& service : instance.topology.services) {
    if (!has_route_faults(instance, service.name)) continue;
    FaultRoute route{"faults-" + service.name, service.ns, {}};
    for (const Service& caller : instance.topology.services) {
      const bool calls = std::any_of(caller.calls.begin(), caller.calls.end(),
                                     [&](const Call& call) { return call.to == service.name; });
      if (!calls || !has_sidecar(instance, caller)) continue;
      for (const Workload& workload : caller.workloads) route.callers.emplace_back(caller.ns, workload.name);
    }
    if (instance.mesh_client && instance.topology.entry == service.name)
      route.callers.emplace_back(instance.topology.ns, "loadgen");
    out.push_back(std::move(route));
  }
  return out;
}

}  // namespace hopcheck::mesh
