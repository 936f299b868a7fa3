#include "mesh/envoy_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "mesh/envoy_clusters.h"
#include "mesh/envoy_routes.h"
#include "mesh/manifests.h"
#include "plan/naming.h"
#include "plan/port_protocol.h"

namespace hopcheck::mesh {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTypes = kEnvoyTypes;

Json typed(const std::string& name, const std::string& type, Json fields = Json::object()) {
  Json config{{"@type", kTypes + type}};
  config.update(fields);
  return Json{{"name", name}, {"typed_config", config}};
}

Json socket_address(const std::string& ip, uint16_t port) {
  return Json{{"socket_address", {{"address", ip}, {"port_value", port}}}};
}

struct Endpoint {
  std::string ip;
  uint16_t port = 0;
};

// ---- virtual hosts ----

Json virtual_host(const std::string& name, const std::vector<std::string>& domains, const std::string& routes) {
  return Json{{"name", name},
              {"domains", domains},
              {"routes", Json::parse(routes)},
              {"include_request_attempt_count", true}};
}

// Every name under which a pod of the same namespace may call the service. A name without port means port 80 or, when
// the service has no port 80, its first.
std::vector<std::string> host_names(const Service& service, const ServicePort& port, bool unnumbered) {
  std::vector<std::string> out;
  const std::string in_ns = service.name + "." + service.ns;
  for (const std::string& name :
       {in_ns + ".svc.cluster.local", in_ns + ".svc.cluster.local.", in_ns + ".svc", in_ns, service.name}) {
    if (unnumbered) out.push_back(name);
    out.push_back(fmt::format("{}:{}", name, port.port));
  }
  return out;
}

void add_virtual_hosts(const EnvoyRequest& request, const Service& service, Json& out) {
  uint16_t default_port = service.ports.empty() ? 0 : service.ports[0].port;
  for (const ServicePort& port : service.ports) {
    if (port.port == 80) default_port = 80;
  }
  const std::string host = fqdn(service);
  for (const ServicePort& port : service.ports) {
    if (!plan::yields_spans(plan::port_protocol(port))) continue;
    out.push_back(virtual_host(fmt::format("{}:{}", host, port.port),
                               host_names(service, port, port.port == default_port),
                               outbound_routes(request, host, port.port)));
  }
}

// ---- tracing ----

Json tracer(const EnvoyRequest& request, const std::string& service_name) {
  Json config{{"service_name", service_name}};
  if (request.state.transport == Transport::kGrpc) {
    config["grpc_service"] = {{"envoy_grpc",
                               {{"cluster_name", outbound_cluster(collector_fqdn(), kCollectorGrpcPort)},
                                {"authority", collector_fqdn()}}}};
  } else {
    Json header{{"header", {{"key", "custom-header"}, {"value", "custom value"}}},
                {"append_action", "OVERWRITE_IF_EXISTS_OR_ADD"}};
    config["http_service"] = {{"http_uri",
                               {{"uri", collector_fqdn() + "/v1/traces"},
                                {"cluster", outbound_cluster(collector_fqdn(), kCollectorHttpPort)},
                                {"timeout", "5s"}}},
                              {"request_headers_to_add", Json::array({header})}};
  }
  config["resource_detectors"] = Json::array(
      {typed("envoy.tracers.opentelemetry.resource_detectors.environment",
             "envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig")});
  return typed("envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", config);
}

// Tags from RBAC's dry runs: always configured, never emitted without such a policy.
void add_dry_run_tags(Json& tags) {
  for (const std::string action : {"allow", "deny"}) {
    for (const auto& [leaf, key] : std::map<std::string, std::string>{{"name", "effective_policy_id"},
                                                                      {"result", "engine_result"}}) {
      Json path = Json::array({Json{{"key", fmt::format("istio_dry_run_{}_shadow_{}", action, key)}}});
      tags.push_back({{"tag", fmt::format("istio.authorization.dry_run.{}_policy.{}", action, leaf)},
                      {"metadata",
                       {{"kind", {{"request", Json::object()}}},
                        {"metadata_key", {{"key", "envoy.filters.http.rbac"}, {"path", path}}}}}});
    }
  }
}

// null where nothing is traced: istiod leaves the block out under disableSpanReporting (facts 2.3) and where it does
// not know the provider.
Json tracing(const EnvoyRequest& request, const LocalWorkload& w, const std::string& service_name) {
  const std::vector<std::string> known = extension_providers();
  const bool provided =
      std::find(known.begin(), known.end(), telemetry_provider_of(request.state)) != known.end();
  if (!request.state.mesh_tracing || !provided) return nullptr;
  Json tags = Json::array();
  add_dry_run_tags(tags);
  const auto literal = [&tags](const char* tag, const std::string& value) {
    tags.push_back({{"tag", tag}, {"literal", {{"value", value}}}});
  };
  literal("istio.canonical_revision", w.canonical_revision);
  literal("istio.canonical_service", w.canonical_service);
  literal("istio.cluster_id", "Kubernetes");
  literal("istio.mesh_id", "cluster.local");
  literal("istio.namespace", w.service.ns);
  const double sampling = request.state.sampling.value_or(request.profile.default_sampling_percent);
  Json out{{"client_sampling", {{"value", 100}}},
           {"random_sampling", {{"value", sampling}}},
           {"overall_sampling", {{"value", 100}}},
           {"custom_tags", tags},
           {"provider", tracer(request, service_name)}};
  if (w.gateway && request.profile.spawns(request.state.gateway_spawn)) out["spawn_upstream_span"] = true;
  return out;
}

// ---- listeners ----

enum class Side { kOutbound, kInbound, kGateway };

Json connection_manager(Side side, const std::string& stat_prefix, Json routes, Json trace) {
  Json filters = Json::array(
      {typed("envoy.filters.http.grpc_stats", "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
             {{"emit_filter_state", true}, {"stats_for_all_methods", false}}),
       typed("envoy.filters.http.fault", "envoy.extensions.filters.http.fault.v3.HTTPFault"),
       typed("envoy.filters.http.cors", "envoy.extensions.filters.http.cors.v3.Cors"),
       typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")});
  Json request_id{
      {"typed_config",
       {{"@type", std::string(kTypes) + "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig"},
        {"use_request_id_for_trace_sampling", true}}}};
  Json manager{{"stat_prefix", stat_prefix},
               {"route_config", std::move(routes)},
               {"http_filters", filters},
               {"use_remote_address", side == Side::kGateway},
               {"proxy_100_continue", true},
               {"upgrade_configs", Json::array({Json{{"upgrade_type", "websocket"}}})},
               {"stream_idle_timeout", "0s"},
               {"normalize_path", true},
               {"request_id_extension", request_id},
               {"path_with_escaped_slashes_action", "KEEP_UNCHANGED"}};
  if (!trace.is_null()) manager["tracing"] = std::move(trace);
  if (side != Side::kOutbound) manager["server_name"] = "istio-envoy";
  if (side == Side::kInbound) {
    manager["forward_client_cert_details"] = "APPEND_FORWARD";
    manager["set_current_client_cert_details"] = {{"subject", true}, {"dns", true}, {"uri", true}};
  } else if (side == Side::kGateway) {
    manager["forward_client_cert_details"] = "SANITIZE_SET";
    manager["set_current_client_cert_details"] = {{"subject", true}, {"cert", true}, {"dns", true}, {"uri", true}};
  }
  return typed("envoy.filters.network.http_connection_manager",
               "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", manager);
}

Json tcp_proxy(const std::string& cluster) {
  return typed("envoy.filters.network.tcp_proxy", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
               {{"stat_prefix", cluster}, {"cluster", cluster}});
}

Json listener(Side side, const std::string& name, const Endpoint& at, Json filter) {
  Json chain{{"filters", Json::array({std::move(filter)})}, {"transport_socket_connect_timeout", "15s"}};
  return Json{{"@type", std::string(kTypes) + "envoy.config.listener.v3.Listener"},
              {"name", name},
              {"address", socket_address(at.ip, at.port)},
              {"filter_chains", Json::array({chain})},
              {"traffic_direction", side == Side::kInbound ? "INBOUND" : "OUTBOUND"},
              {"max_connections_to_accept_per_socket_event", 1}};
}

// A sniffed port: HTTP where the first bytes are HTTP, else bytes (dump of a 1.30 sidecar: listener of kube-dns:9153).
void sniff(Json& listener, const std::string& cluster) {
  listener["listener_filters"] =
      Json::array({typed("envoy.filters.listener.http_inspector",
                         "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector")});
  listener["listener_filters_timeout"] = "0s";
  listener["continue_on_listener_filters_timeout"] = true;
  listener["filter_chains"][0]["filter_chain_match"] = {{"transport_protocol", "raw_buffer"},
                                                        {"application_protocols", {"http/1.1", "h2c"}}};
  Json bytes{{"filters", Json::array({tcp_proxy(cluster)})}, {"transport_socket_connect_timeout", "15s"}};
  // Not a chain without a match: Envoy does not go back to one once the transport protocol has chosen another.
  listener["default_filter_chain"] = std::move(bytes);
}

Json route_config(const std::string& name, Json hosts) {
  return Json{{"name", name}, {"virtual_hosts", std::move(hosts)}, {"validate_clusters", false}};
}

Json inbound_listener(const LocalWorkload& w, const ServicePort& port, const Json& trace) {
  const std::string name = inbound_cluster(port.target_port);
  const std::string listener_name = fmt::format("inbound_{}", port.target_port);
  const plan::PortProtocol protocol = plan::port_protocol(port);
  if (!plan::yields_spans(protocol) && !plan::is_sniffed(protocol)) {
    return listener(Side::kInbound, listener_name, {w.ip, port.target_port}, tcp_proxy(name));
  }
  Json route{{"name", "default"},
             {"match", {{"prefix", "/"}}},
             {"route",
              {{"cluster", name},
               {"timeout", "0s"},
               {"retry_policy", {{"retry_on", "reset-before-request"}, {"num_retries", 2}}},
               {"max_stream_duration", {{"max_stream_duration", "0s"}, {"grpc_timeout_header_max", "0s"}}}}},
             {"decorator", {{"operation", fmt::format("{}:{}/*", fqdn(w.service), port.port)}}}};
  Json host{{"name", fmt::format("inbound|http|{}", port.port)},
            {"domains", Json::array({"*"})},
            {"routes", Json::array({route})}};
  Json out = listener(Side::kInbound, listener_name, {w.ip, port.target_port},
                      connection_manager(Side::kInbound, fmt::format("inbound_0.0.0.0_{};", port.target_port),
                                         route_config(name, Json::array({host})), trace));
  if (plan::is_sniffed(protocol)) sniff(out, name);
  return out;
}

// Calls to one TCP or sniffed service port of the instance, at a port of their own (raw_outbound_port).
Json raw_outbound_listener(const EnvoyRequest& request, const LocalWorkload& w, const Service& service,
                           const ServicePort& port, const Json& trace) {
  const std::string host = fqdn(service);
  const std::string name = outbound_cluster(host, port.port);
  const Endpoint at{w.ip, raw_outbound_port(request.mesh.instances[w.instance].topology, service.name, port.port)};
  const std::string listener_name = fmt::format("outbound_{}_{}", service.name, port.port);
  const plan::PortProtocol protocol = plan::port_protocol(port);
  if (!plan::yields_spans(protocol) && !plan::is_sniffed(protocol)) {
    return listener(Side::kOutbound, listener_name, at, tcp_proxy(name));
  }
  Json hosts = Json::array({virtual_host(fmt::format("{}:{}", host, port.port), host_names(service, port, true),
                                         outbound_routes(request, host, port.port))});
  Json out = listener(Side::kOutbound, listener_name, at,
                      connection_manager(Side::kOutbound, fmt::format("outbound_{};", name),
                                         route_config(fmt::format("{}:{}", host, port.port), std::move(hosts)), trace));
  sniff(out, name);
  return out;
}

Json sidecar_listeners(const EnvoyRequest& request, const LocalWorkload& w, const Json& trace) {
  Json hosts = Json::array();
  std::set<std::string> seen;
  for (const LocalWorkload& other : request.mesh.workloads) {
    if (other.instance != w.instance || other.load_client || !seen.insert(fqdn(other.service)).second) continue;
    add_virtual_hosts(request, other.service, hosts);
  }
  // The Collector, for apps whose exports are not excluded from the sidecar.
  Service collector;
  collector.name = kCollectorService;
  collector.ns = kCollectorNamespace;
  collector.ports = {{"http-otlp", "", kCollectorHttpPort, kCollectorHttpPort},
                     {"grpc-otlp", "", kCollectorGrpcPort, kCollectorGrpcPort}};
  add_virtual_hosts(request, collector, hosts);
  Json routes = route_config("outbound", std::move(hosts));
  Json out = Json::array({listener(Side::kOutbound, "outbound", {w.ip, kSidecarOutboundPort},
                                   connection_manager(Side::kOutbound, "outbound;", std::move(routes), trace))});
  seen.clear();
  for (const LocalWorkload& other : request.mesh.workloads) {
    if (other.instance != w.instance || other.load_client || !seen.insert(fqdn(other.service)).second) continue;
    for (const ServicePort& port : other.service.ports) {
      if (raw_outbound_port(request.mesh.instances[w.instance].topology, other.service.name, port.port) == 0) continue;
      out.push_back(raw_outbound_listener(request, w, other.service, port, trace));
    }
  }
  std::set<uint16_t> ports;
  for (const ServicePort& port : w.service.ports) {
    if (w.inbound_captured && ports.insert(port.target_port).second) out.push_back(inbound_listener(w, port, trace));
  }
  return out;
}

Result<Json> gateway_listeners(const EnvoyRequest& request, const Json& trace) {
  Json hosts = Json::array();
  std::set<std::string> claimed;
  for (size_t i = 0; i < request.mesh.instances.size(); ++i) {
    const Service* entry = entry_of(request.mesh, i);
    if (entry == nullptr || entry->ports.empty()) continue;
    const std::string host = gateway_host(request.mesh.instances[i].topology);
    if (!claimed.insert(host).second) return fail(ErrorKind::kUsage, "two topologies claim host " + host);
    hosts.push_back(virtual_host(host + ":80", {host}, outbound_routes(request, fqdn(*entry), entry->ports[0].port)));
  }
  Json routes = route_config("http.8080", std::move(hosts));
  routes["ignore_port_in_host_matching"] = true;
  Json manager = connection_manager(Side::kGateway, "outbound_0.0.0.0_8080;", std::move(routes), trace);
  return Json::array(
      {listener(Side::kGateway, "0.0.0.0_8080", {request.mesh.gateway.ip, kGatewayHttpPort}, std::move(manager))});
}

// ---- bootstrap ----

Json bootstrap(const EnvoyRequest& request, const LocalWorkload& w, const std::string& service_name) {
  Json runtime{{"envoy.reloadable_features.fixed_heap_use_allocated", true},
               {"envoy.reloadable_features.coalesce_lb_rebuilds_on_batch_update", false},
               {"re2.max_program_size.error_level", "32768"},
               {"envoy.reloadable_features.http_reject_path_with_fragment", false}};
  Json node{{"id", w.node_id}, {"cluster", service_name}, {"locality", Json::object()}};
  Json lds{{"path_config_source", {{"path", request.places.listeners}}}, {"resource_api_version", "V3"}};
  Json limit = typed("envoy.resource_monitors.global_downstream_max_connections",
                     "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                     {{"max_active_downstream_connections", 2147483647}});
  return Json{{"node", node},
              {"overload_manager", {{"resource_monitors", Json::array({limit})}}},
              {"admin", {{"address", socket_address(w.ip, kEnvoyAdminPort)}}},
              {"dynamic_resources", {{"lds_config", lds}}},
              {"static_resources", {{"clusters", Json::parse(clusters_of(request, w))}}},
              {"cluster_manager",
               {{"upstream_bind_config", {{"source_address", {{"address", w.ip}, {"port_value", 0}}}}}}},
              {"layered_runtime",
               {{"layers", Json::array({Json{{"name", "global config"}, {"static_layer", runtime}},
                                        Json{{"name", "admin"}, {"admin_layer", Json::object()}}})}}}};
}

}  // namespace

Result<EnvoyFiles> envoy_files(const EnvoyRequest& request, const LocalWorkload& w) {
  if (!w.sidecar) return fail(ErrorKind::kUsage, "workload " + w.workload.name + " has no proxy");
  const auto naming = request.profile.naming.find(request.state.naming);
  if (naming == request.profile.naming.end()) {
    return fail(ErrorKind::kUsage,
                fmt::format("profile {} has no naming mode {}", request.profile.name, to_string(request.state.naming)));
  }
  const std::string service_name = plan::proxy_service_name(naming->second, w.service, w.workload);
  const Json trace = tracing(request, w, service_name);
  Result<Json> listeners = w.gateway ? gateway_listeners(request, trace) : sidecar_listeners(request, w, trace);
  if (!listeners) return tl::unexpected<Error>(listeners.error());
  // The version is a matter of form: Envoy compares the resources.
  const Json response{{"version_info", "1"}, {"resources", std::move(*listeners)}};
  return EnvoyFiles{bootstrap(request, w, service_name).dump(1), response.dump(1),
                    envoy_environment(request.state, w)};
}

}  // namespace hopcheck::mesh
