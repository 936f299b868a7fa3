#include "mesh/envoy_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "mesh/envoy_clusters.h"

namespace hopcheck::mesh {
namespace {

using Json = nlohmann::ordered_json;

Json typed(const std::string& name, const std::string& type, Json fields = Json::object()) {
  Json config{{"@type", kEnvoyTypes + type}};
  config.update(fields);
  return Json{{"name", name}, {"typed_config", config}};
}

std::string seconds(int64_t nanos) { return fmt::format("{}.{:09}s", nanos / 1'000'000'000, nanos % 1'000'000'000); }

// What the instance that the host belongs to does wrong there.
std::vector<run::MeshFault> faults_at(const EnvoyRequest& request, const std::string& host) {
  for (const run::TopologyInstance& instance : request.mesh.instances) {
    for (const Service& service : instance.topology.services) {
      if (fqdn(service) != host) continue;
      std::vector<run::MeshFault> out;
      std::copy_if(instance.faults.begin(), instance.faults.end(), std::back_inserter(out),
                   [&](const run::MeshFault& item) { return item.fault.at == service.name; });
      return out;
    }
  }
  return {};
}

const Fault* find(const std::vector<Fault>& faults, Fault::Kind kind) {
  const auto found =
      std::find_if(faults.begin(), faults.end(), [&](const Fault& fault) { return fault.kind == kind; });
  return found == faults.end() ? nullptr : &*found;
}

Json retry_policy(const EnvoyRequest& request, const std::string& host, const Fault* declared) {
  Json policy{{"retry_on", "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"},
              {"num_retries", 2}};
  const auto rule = request.retries.find(host);
  if (declared != nullptr) {
    policy["retry_on"] = "5xx";
    policy["num_retries"] = declared->attempts;
  } else if (rule != request.retries.end()) {
    policy["retry_on"] = rule->second.retry_on;
    policy["num_retries"] = rule->second.attempts;
    policy["per_try_timeout"] = fmt::format("{}.{:03}s", rule->second.per_try_timeout_ms / 1000,
                                            rule->second.per_try_timeout_ms % 1000);
  }
  policy["retry_host_predicate"] =
      Json::array({typed("envoy.retry_host_predicates.previous_hosts",
                         "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")});
  policy["host_selection_retry_max_attempts"] = 5;
  return policy;
}

// All requests that match: Istio's default percentage of a fault is 100.
Json fault_filter(const Fault* abort, const Fault* delay) {
  const Json always{{"numerator", 100}, {"denominator", "HUNDRED"}};
  Json fault{{"@type", std::string(kEnvoyTypes) + "envoy.extensions.filters.http.fault.v3.HTTPFault"}};
  if (delay != nullptr) fault["delay"] = {{"fixed_delay", seconds(delay->delay_nanos)}, {"percentage", always}};
  if (abort != nullptr) fault["abort"] = {{"http_status", abort->status}, {"percentage", always}};
  return fault;
}

struct Place {
  const std::string& host;
  uint16_t port;
};

Json route(const EnvoyRequest& request, const Place& to, const std::string& prefix, const std::vector<Fault>& faults) {
  const Fault* timeout = find(faults, Fault::Kind::kTimeout);
  const Fault* abort = find(faults, Fault::Kind::kAbort);
  const Fault* delay = find(faults, Fault::Kind::kWireDelay);
  const std::string limit = timeout == nullptr ? "0s" : seconds(timeout->delay_nanos);
  Json out{{"name", prefix.empty() ? "default" : prefix},
           {"match", {{"prefix", prefix.empty() ? "/" : prefix}}},
           {"route",
            {{"cluster", outbound_cluster(to.host, to.port)},
             {"timeout", limit},
             {"retry_policy", retry_policy(request, to.host, find(faults, Fault::Kind::kRetry))},
             {"max_grpc_timeout", limit}}},
           {"decorator",
            {{"operation", fmt::format("{}:{}{}*", to.host, to.port, prefix.empty() ? "/" : prefix)}}}};
  if (abort != nullptr || delay != nullptr)
    out["typed_per_filter_config"] = {{"envoy.filters.http.fault", fault_filter(abort, delay)}};
  return out;
}

}  // namespace

std::string outbound_routes(const EnvoyRequest& request, const std::string& host, uint16_t port) {
  std::vector<std::string> prefixes;
  const std::vector<run::MeshFault> faults = faults_at(request, host);
  for (const run::MeshFault& item : faults) {
    if (is_route_fault(item.fault.kind)) prefixes.push_back(item.prefix);
  }
  prefixes.emplace_back();  // everything else
  std::sort(prefixes.begin(), prefixes.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  Json out = Json::array();
  for (const std::string& prefix : prefixes) {
    std::vector<Fault> here;  // the prefix's own first, then those of every request
    for (const run::MeshFault& item : faults) {
      if (item.prefix == prefix) here.push_back(item.fault);
    }
    for (const run::MeshFault& item : faults) {
      if (item.prefix.empty() && !prefix.empty()) here.push_back(item.fault);
    }
    out.push_back(route(request, {host, port}, prefix, here));
  }
  return out.dump();
}

bool has_no_endpoint(const EnvoyRequest& request, const std::string& host) {
  if (request.without_endpoints.contains(host)) return true;
  const auto faults = faults_at(request, host);
  return std::any_of(faults.begin(), faults.end(), [](const run::MeshFault& item) {
    return item.fault.kind == Fault::Kind::kNoEndpoint;
  });
}

bool app_is_down(const EnvoyRequest& request, const Service& service) {
  const auto faults = faults_at(request, fqdn(service));
  return std::any_of(faults.begin(), faults.end(),
                     [](const run::MeshFault& item) { return item.fault.kind == Fault::Kind::kAppDown; });
}

}  // namespace hopcheck::mesh
