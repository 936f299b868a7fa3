// Where the providers in use send to: the Service, its port, the protocol of that port, the path.
#include <fmt/format.h>

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

bool in_service_entry(const ClusterEvidence& evidence, const std::string& host) {
  for (const std::string& entry : evidence.service_entries.value) {
    if (entry == host) return true;
    if (entry.rfind("*.", 0) == 0 && host.size() > entry.size() - 1 &&
        host.compare(host.size() - entry.size() + 1, std::string::npos, entry, 1) == 0)
      return true;
  }
  return false;
}

bool is_cluster_local(const std::string& host) { return host.find(".svc") != std::string::npos; }

std::vector<std::string> registry_fix(const ClusterEvidence& evidence, const UsedProvider& used) {
  std::vector<std::string> out = {"apply a ServiceEntry for " + used.provider->service +
                                  ", or send to a Collector inside the cluster:"};
  const std::vector<const ServiceFact*> inside = likely_collectors(evidence);
  if (inside.size() != 1) return out;
  const std::vector<std::string> set = set_field(evidence, used, "service", host_of(*inside.front()));
  out.insert(out.end(), set.begin(), set.end());
  return out;
}

// M-19, FAQ 1: "verify the service address".
void judge_unknown_host(const ClusterEvidence& evidence, const UsedProvider& used, const ServiceFact* meant,
                        ProbeResult& result) {
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

void judge_port(const ClusterEvidence& evidence, const UsedProvider& used, const ServiceFact& service,
                ProbeResult& result) {
  const ProviderFact& provider = *used.provider;
  const PortFact* found = nullptr;
  std::vector<std::string> ports;
  for (const PortFact& port : service.ports) {
    ports.push_back(fmt::format("{} {}", port.port, port.name));
    if (port.port == provider.port) found = &port;
  }
  const std::string here = fmt::format("Service {}/{} has ports {}", service.ns, service.name, joined(ports));
  const int usual = provider.http ? kHttpPort : kGrpcPort;
  if (found == nullptr) {
    blame(result, {"provider-port-unknown", fmt::format("{}:{}", provider.service, provider.port),
                   fmt::format("provider {} sends to port {}, which the Service does not have", provider.name,
                               provider.port),
                   {here}, set_field(evidence, used, "port", std::to_string(usual)), {}});
    return;
  }
  const bool other_protocol = provider.http ? says_grpc(*found) : found->port == kHttpPort;
  if (other_protocol) {
    blame(result, {"provider-transport", fmt::format("{}:{}", provider.service, provider.port),
                   fmt::format("provider {} sends OTLP/{} to port {}, which is for OTLP/{}", provider.name,
                               provider.http ? "HTTP" : "gRPC", provider.port, provider.http ? "gRPC" : "HTTP"),
                   {here}, set_field(evidence, used, "port", std::to_string(usual)), {}});
    return;
  }
  result.evidence.push_back(fmt::format("provider {}: OTLP/{} to {}:{} ({})", provider.name,
                                        provider.http ? "HTTP" : "gRPC", provider.service, provider.port,
                                        found->app_protocol.empty() ? "port name " + found->name
                                                                    : "appProtocol " + found->app_protocol));
  if (provider.http || is_http2(*found)) return;
  // D-02: the sidecars speak HTTP/1.1 to a port that does not say HTTP/2, and every export fails.
  blame(result, {"provider-port-not-http2", fmt::format("{}/{}:{}", service.ns, service.name, found->port),
                 fmt::format("OTLP/gRPC needs HTTP/2, and port {} of Service {}/{} does not say so: every export fails",
                             found->port, service.ns, service.name),
                 {fmt::format("port name {}, appProtocol {}", found->name.empty() ? "not set" : found->name,
                              found->app_protocol.empty() ? "not set" : found->app_protocol)},
                 {fmt::format("kubectl -n {} patch service {} --type strategic -p "
                              "'{{\"spec\":{{\"ports\":[{{\"port\":{},\"appProtocol\":\"grpc\"}}]}}}}'",
                              service.ns, service.name, found->port)},
                 {}});
}

}  // namespace

void probe_address(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.mesh_configs, result) || skip_unless(evidence.services, result)) return;
  const std::vector<UsedProvider> used = used_providers(evidence);
  if (used.empty()) return skip(result, "no OpenTelemetry provider is registered");
  for (const UsedProvider& one : used) {
    const ServiceFact* service = service_of(evidence, one.provider->service);
    if (service == nullptr && !in_service_entry(evidence, one.provider->service)) {
      service = near_service(evidence, one.provider->service);
      judge_unknown_host(evidence, one, service, result);
    }
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
