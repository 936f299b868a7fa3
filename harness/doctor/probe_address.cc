// Where the providers in use send to: the Service, its port, the protocol of that port, the path.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "doctor/probes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

constexpr const char* kTracesPath = "/v1/traces";
constexpr int kGrpcPort = 4317, kHttpPort = 4318;

// Of Istio's rules for a port's protocol (pkg/config/protocol): appProtocol wins over the name's prefix.
bool is_http2(const PortFact& port) {
  const std::string word =
      !port.app_protocol.empty() ? port.app_protocol : std::string(split(port.name, '-').front());
  return word == "grpc" || word == "http2" || word == "grpc-web" || word == "kubernetes.io/h2c" ||
         (port.app_protocol.empty() && port.name.rfind("grpc-web", 0) == 0);
}

bool says_grpc(const PortFact& port) { return port.port == kGrpcPort || is_http2(port); }

// One field of a provider: in words for whoever keeps the mesh's values in a file, then as an edit of the ConfigMap.
std::vector<std::string> set_field(const ClusterEvidence& evidence, const UsedProvider& used, const std::string& field,
                                   const std::string& value) {
  const std::string& map = used.mesh_config->config_map;
  std::vector<std::string> out = {fmt::format(
      "in meshConfig.extensionProviders, provider {}: {}: {} (istioctl install -f, Helm values of istiod, or "
      "ConfigMap {}/{})",
      used.provider->name, field, value, evidence.control_namespace, map)};
  if (!used.provider->plain || (field == "http.path" && used.provider->path.empty())) return out;
  const std::string key = field.substr(field.rfind('.') + 1);
  out.push_back(through(evidence.control_namespace, map,
                        fmt::format("sed '/- name: {0}$/,/ {1}: /s/ {1}: .*/ {1}: {2}/'",
                                    sed_pattern(used.provider->name), key, sed_replacement(value))));
  return out;
}

bool is_cluster_local(const std::string& host) { return host.find(".svc") != std::string::npos; }

std::vector<std::string> registry_fix(const ClusterEvidence& evidence, const UsedProvider& used) {
  std::vector<std::string> out = {"apply a ServiceEntry for " + used.provider->service +
                                  ", or send to a Collector inside the cluster:"};
  const ServiceFact* inside = only_likely_collector(evidence);
  if (inside == nullptr) return out;
  const std::vector<std::string> set = set_field(evidence, used, "service", host_of(*inside));
  out.insert(out.end(), set.begin(), set.end());
  return out;
}

// M-19, FAQ 1: "verify the service address".
void judge_unknown_host(const ClusterEvidence& evidence, const UsedProvider& used, ProbeResult& result) {
  const std::string& host = used.provider->service;
  std::vector<std::string> proof = {"provider " + used.provider->name + " of ConfigMap " +
                                    used.mesh_config->config_map + " sends to " + host};
  if (evidence.lookup_failures.seen() && evidence.lookup_failures.value > 0) {
    proof.push_back(fmt::format("istiod: provider_lookup_cluster_failures {}", evidence.lookup_failures.value));
  }
  if (!is_cluster_local(host) && host.find('.') != std::string::npos && used.mesh_config->registry_only) {
    proof.push_back("outboundTrafficPolicy: REGISTRY_ONLY, and no ServiceEntry has this host");
    blame(result, {"registry-only", host,
                   "the Collector " + host + " is outside the mesh's registry, and REGISTRY_ONLY lets nothing else out",
                   proof,
                   registry_fix(evidence, used),
                   {}});
    return;
  }
  std::optional<std::string> near;
  const ServiceFact* meant = near_service(evidence, host);
  if (meant != nullptr) near = host_of(*meant);
  else near = nearest(host, evidence.service_entries.value);
  proof.push_back(fmt::format("no Service of the cluster ({} looked at) and no ServiceEntry has this name",
                              evidence.services.value.size()));
  blame(result, {"provider-service-unknown", host,
                 fmt::format("provider {} sends to {}, which does not exist{}", used.provider->name, host,
                             near ? ": " + *near + " is meant" : std::string()),
                 proof,
                 near ? set_field(evidence, used, "service", *near)
                      : std::vector<std::string>{"register the provider with the address of your Collector: service: "
                                                 "NAME.NAMESPACE.svc.cluster.local"},
                 {}});
}

// D-02: the sidecars speak HTTP/1.1 to a port that does not say HTTP/2, and every export fails.
void judge_http2(const ServiceFact& service, const PortFact& port, ProbeResult& result) {
  if (is_http2(port)) return;
  blame(result, {"provider-port-not-http2", fmt::format("{}/{}:{}", service.ns, service.name, port.port),
                 fmt::format("OTLP/gRPC needs HTTP/2, and port {} of Service {}/{} does not say so: every export fails",
                             port.port, service.ns, service.name),
                 {fmt::format("port name {}, appProtocol {}", port.name.empty() ? "not set" : port.name,
                              port.app_protocol.empty() ? "not set" : port.app_protocol)},
                 {fmt::format("kubectl -n {} patch service {} --type strategic -p "
                              "'{{\"spec\":{{\"ports\":[{{\"port\":{},\"appProtocol\":\"grpc\"}}]}}}}'",
                              service.ns, service.name, port.port)},
                 {}});
}

// The port a provider sends to; where that is wrong, also the usual one, which its fix leads to.
void judge_port(const ClusterEvidence& evidence, const UsedProvider& used, const ServiceFact& service,
                ProbeResult& result) {
  const ProviderFact& provider = *used.provider;
  const int usual = provider.http ? kHttpPort : kGrpcPort;
  const PortFact* port = port_of(service, provider.port);
  const auto blame_port = [&](const char* id, std::string what) {
    std::vector<std::string> ports;
    for (const PortFact& one : service.ports) ports.push_back(fmt::format("{} {}", one.port, one.name));
    blame(result, {id, fmt::format("{}:{}", provider.service, provider.port), std::move(what),
                   {fmt::format("Service {}/{} has ports {}", service.ns, service.name, joined(ports))},
                   set_field(evidence, used, "port", std::to_string(usual)), {}});
    port = port_of(service, usual);
  };
  if (port == nullptr) {
    blame_port("provider-port-unknown", fmt::format("provider {} sends to port {}, which the Service does not have",
                                                    provider.name, provider.port));
  } else if (provider.http ? says_grpc(*port) : port->port == kHttpPort) {
    blame_port("provider-transport",
               fmt::format("provider {} sends OTLP/{} to port {}, which is for OTLP/{}", provider.name,
                           provider.http ? "HTTP" : "gRPC", provider.port, provider.http ? "gRPC" : "HTTP"));
  } else {
    result.evidence.push_back(fmt::format(
        "provider {}: OTLP/{} to {}:{} ({})", provider.name, provider.http ? "HTTP" : "gRPC", host_of(service),
        provider.port, port->app_protocol.empty() ? "port name " + port->name : "appProtocol " + port->app_protocol));
  }
  if (!provider.http && port != nullptr) judge_http2(service, *port, result);
}

// Nothing that is asked for is registered: its registration leads to the Collector's usual port.
void judge_unregistered(const ClusterEvidence& evidence, ProbeResult& result) {
  const ServiceFact* service = only_likely_collector(evidence);
  const PortFact* port = service == nullptr ? nullptr : port_of(*service, kGrpcPort);
  if (port != nullptr) judge_http2(*service, *port, result);
  if (result.causes.empty()) skip(result, "no OpenTelemetry provider is registered");
}

}  // namespace

void probe_address(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.mesh_configs, result) || skip_unless(evidence.services, result)) return;
  const std::vector<UsedProvider> used = used_providers(evidence);
  if (used.empty()) return judge_unregistered(evidence, result);
  const bool all_inside = std::all_of(used.begin(), used.end(), [&](const UsedProvider& one) {
    return service_of(evidence, one.provider->service) != nullptr;
  });
  if (!all_inside && skip_unless(evidence.service_entries, result)) return;
  for (const UsedProvider& one : used) {
    const std::string& host = one.provider->service;
    if (service_of(evidence, host) == nullptr && !in_service_entry(evidence, host))
      judge_unknown_host(evidence, one, result);
    const ServiceFact* service = meant_service(evidence, *one.provider);
    if (service != nullptr) judge_port(evidence, one, *service, result);
    if (!one.provider->http || one.provider->path == kTracesPath) continue;
    // M-13: the Collector answers 404 there.
    blame(result, {"provider-path-wrong", one.provider->name,
                   fmt::format("provider {} posts to path {}, and an OTLP/HTTP receiver serves {} alone: 404",
                               one.provider->name, one.provider->path.empty() ? "/" : one.provider->path, kTracesPath),
                   {"ConfigMap " + one.mesh_config->config_map + ": http.path " + one.provider->path},
                   set_field(evidence, one, "http.path", kTracesPath), {}});
  }
}

}  // namespace hopcheck::doctor
