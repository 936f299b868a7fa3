#include "mesh/manifests.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/text.h"
#include "mesh/fault_manifests.h"
#include "mesh/sdk_app.h"

namespace hopcheck::mesh {
namespace {

constexpr const char* kProviderGrpc = "otel-tracing";
constexpr const char* kProviderHttp = "otel-http";

Result<std::vector<KubeObject>> render_objects(const std::string& share, const std::string& name,
                                               const Values& values) {
  const Result<std::string> text = read_template(share, name);
  if (!text) return tl::unexpected<Error>(text.error());
  const Result<std::string> rendered = render(*text, values, "kind/" + name);
  if (!rendered) return tl::unexpected<Error>(rendered.error());
  return split_manifest(*rendered);
}

// Appends the template's objects; false and `error` on failure.
struct Part {
  std::string name;
  Values values;
};
Result<void> append(std::vector<KubeObject>& out, const std::string& share, const Part& part) {
  Result<std::vector<KubeObject>> objects = render_objects(share, part.name, part.values);
  if (!objects) return tl::unexpected<Error>(objects.error());
  for (KubeObject& object : *objects) out.push_back(std::move(object));
  return {};
}

uint16_t first_target_port(const Service& service) {
  return service.ports.empty() ? uint16_t{8080} : service.ports[0].target_port;
}

std::string service_ports(const Service& service) {
  std::string out = "[";
  for (const ServicePort& port : service.ports) {
    out += fmt::format("{}{{name: {}, port: {}, targetPort: {}{}}}", out.size() > 1 ? ", " : "", yaml_quoted(port.name),
                       port.port, port.target_port,
                       port.app_protocol.empty() ? "" : ", appProtocol: " + yaml_quoted(port.app_protocol));
  }
  return out + "]";
}

std::string container_ports(const Service& service) {
  std::set<uint16_t> ports;
  for (const ServicePort& port : service.ports) ports.insert(port.target_port);
  std::string out = "[";
  for (const uint16_t port : ports) out += fmt::format("{}{{containerPort: {}}}", out.size() > 1 ? ", " : "", port);
  return out + "]";
}

bool without_sidecar(const run::TopologyInstance& instance, const Service& service) {
  for (const std::string& name : instance.without_sidecar) {
    if (name == service.name) return true;
  }
  return !service.meshed;
}

// Of the Deployment and of its pods; the pods' selector is hopcheck.dev/workload.
std::map<std::string, std::string> workload_labels(const ManifestContext& context, const Service& service,
                                                   const Workload& workload) {
  std::map<std::string, std::string> labels = service.labels;
  for (const auto& [key, value] : workload.labels) labels[key] = value;
  if (!workload.version.empty()) labels.emplace("version", workload.version);
  labels["hopcheck.dev/run"] = context.env;
  labels["hopcheck.dev/service"] = service.name;
  labels["hopcheck.dev/workload"] = workload.name;
  labels["hopcheck.dev/meshed"] = service.meshed ? "true" : "false";
  return labels;
}

std::map<std::string, std::string> pod_annotations(const run::TopologyInstance& instance, const Service& service) {
  std::string inbound = "9901";
  if (instance.direct_entry && service.name == instance.topology.entry) {
    std::set<uint16_t> ports;
    for (const ServicePort& port : service.ports) ports.insert(port.target_port);
    for (const uint16_t port : ports) inbound += "," + std::to_string(port);
  }
  std::map<std::string, std::string> out{{"traffic.sidecar.istio.io/excludeInboundPorts", inbound}};
  if (!instance.app_export_through_sidecar) out["traffic.sidecar.istio.io/excludeOutboundPorts"] = "4318";
  return out;
}

// What the image of role sdkApp is told; nothing for other images.
std::string app_env(const Topology& topology, const Service& service) {
  if (service.instrumentation != Instrumentation::kAuto) return "";
  std::map<std::string, std::string> values =
      sdk_app_env(topology, service, "http://opentelemetry-collector.observability.svc.cluster.local:4318");
  values["APP_LISTEN"] = fmt::format("0.0.0.0:{}", first_target_port(service));
  std::string out;
  for (const auto& [name, value] : values)
    out += fmt::format("{}{{name: {}, value: {}}}", out.empty() ? "" : ", ", name, yaml_quoted(value));
  return "\n        env: [" + out + "]";
}

Part workload_part(const ManifestContext& context, const run::TopologyInstance& instance, const Service& service,
                   const Workload& workload) {
  const auto role = service.image_role.empty() ? context.roles.end() : context.roles.find(role_of(service, workload));
  const bool stock = role != context.roles.end();
  const bool down = lacks_app(instance, service.name);
  const std::map<std::string, std::string> object_labels = workload_labels(context, service, workload);
  std::map<std::string, std::string> pod_labels = object_labels;
  if (without_sidecar(instance, service)) {
    pod_labels["sidecar.istio.io/inject"] = "false";
  } else if (!instance.proxy_versions.empty()) {
    pod_labels["sidecar.istio.io/inject"] = "true";
    const auto wanted = instance.proxy_versions.find(service.name);
    const auto known =
        wanted == instance.proxy_versions.end() ? context.revisions.end() : context.revisions.find(wanted->second);
    if (known != context.revisions.end() && !known->second.empty()) pod_labels["istio.io/rev"] = known->second;
  }
  return {stock ? "demo/stock.yaml" : "demo/workload.yaml",
          {{"namespace", yaml_quoted(service.ns)},
           {"service", service.name},
           {"workload", workload.name},
           {"labels", flow_map(pod_labels)},
           {"object_labels", flow_map(object_labels)},
           {"annotations", flow_map(pod_annotations(instance, service))},
           {"account", yaml_quoted(service.service_account.empty() ? "default" : service.service_account)},
           {"harness_image", context.harness_image},
           {"role_image", stock ? role->second : ""},
           {"app_env", stock ? app_env(instance.topology, service) : ""},
           {"port", std::to_string(first_target_port(service))},
           // An app that listens on its own loopback only refuses its sidecar, which asks at the pod's address.
           {"listen", down ? "127.0.0.1" : "0.0.0.0"},
           {"probe", down ? std::string("tcpSocket: {port: 9901}")
                          : fmt::format("httpGet: {{path: /ready, port: {}}}", first_target_port(service))},
           {"container_ports", container_ports(service)}}};
}

Result<void> append_services(std::vector<KubeObject>& out, const ManifestContext& context,
                             const run::TopologyInstance& instance) {
  std::set<std::string> accounts;
  for (const Service& service : instance.topology.services) {
    if (!service.service_account.empty() && service.service_account != "default" &&
        accounts.insert(service.ns + "/" + service.service_account).second) {
      const Result<void> done = append(out, context.share,
                                       {"demo/account.yaml",
                                        {{"account", yaml_quoted(service.service_account)},
                                         {"namespace", yaml_quoted(service.ns)},
                                         {"env", context.env}}});
      if (!done) return done;
    }
    std::map<std::string, std::string> labels = service.labels;
    labels["hopcheck.dev/run"] = context.env;
    labels["service"] = service.name;
    const std::string selected = lacks_endpoint(instance, service.name) ? "none" : service.name;
    const Result<void> done = append(out, context.share,
                                     {"demo/service.yaml",
                                      {{"service", yaml_quoted(service.name)},
                                       {"selected", yaml_quoted(selected)},
                                       {"namespace", yaml_quoted(service.ns)},
                                       {"labels", flow_map(labels)},
                                       {"ports", service_ports(service)}}});
    if (!done) return done;
  }
  return {};
}

Result<void> append_faults(std::vector<KubeObject>& out, const ManifestContext& context,
                           const run::TopologyInstance& instance) {
  Result<void> done;
  for (const Service& service : instance.topology.services) {
    if (!done || !has_route_faults(instance, service.name)) continue;
    done = append(out, context.share,
                  {"demo/faults.yaml",
                   {{"name", "faults-" + service.name},
                    {"namespace", yaml_quoted(service.ns)},
                    {"env", context.env},
                    {"fqdn", fqdn(service)},
                    {"http", http_routes(instance, service, routed_ports(service))}}});
  }
  return done;
}

}  // namespace

Result<std::string> read_template(const std::string& share, const std::string& name) {
  const std::string path = share + "/kind/" + name;
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in)
    return fail(ErrorKind::kEnvironment, "cannot read " + path, "the installation is incomplete",
                "set HOPCHECK_SHARE to the folder that holds kind/, scenarios/ and fixtures/");
  return text.str();
}

Result<std::string> kind_config(const std::string& share, uint16_t gateway_port, const std::string& owner_file) {
  const Result<std::string> text = read_template(share, "cluster.yaml");
  if (!text) return text;
  return render(*text, {{"gateway_port", std::to_string(gateway_port)}, {"owner_file", yaml_quoted(owner_file)}},
                "kind/cluster.yaml");
}

std::string revision_of(const IstioVersion& istio) {
  std::string out = istio.version;
  std::replace(out.begin(), out.end(), '.', '-');
  return out;
}

Result<std::string> istio_operator(const std::string& share, const IstioVersion& istio,
                                   const run::EnvironmentState& state, const std::string& revision) {
  const Result<std::string> text = read_template(share, "istio/operator.yaml");
  if (!text) return text;
  const bool enriched = state.naming == NamingMode::kOtelSemanticConventions;
  return render(
      *text,
      {{"hub", istio.hub},
       {"tag", istio.tag},
       {"naming", state.naming_unset ? ""
                                     : std::string("\n      tracingServiceName: ") +
                                           to_string(enriched ? NamingMode::kAppLabelAndNamespace : state.naming)},
       {"enrichment", enriched ? "\n        serviceAttributeEnrichment: OTEL_SEMANTIC_CONVENTIONS" : ""},
       {"revision", revision.empty() ? "" : "\n  revision: " + revision},
       {"gateway", revision.empty() ? "true" : "false"},
       {"gateway_spawn", state.gateway_spawn ? "true" : "false"}},
      "kind/istio/operator.yaml");
}

std::vector<std::string> extension_providers() { return {kProviderHttp, kProviderGrpc}; }

std::string telemetry_provider_of(const run::EnvironmentState& state) {
  if (!state.telemetry_provider.empty()) return state.telemetry_provider;
  return state.transport == Transport::kGrpc ? kProviderGrpc : kProviderHttp;
}

Result<std::vector<KubeObject>> telemetry_manifest(const ManifestContext& context, const run::EnvironmentState& state) {
  std::set<std::string> namespaces;
  const bool whole_mesh = state.telemetry_scope == kScopeMesh;
  if (whole_mesh) namespaces.insert("istio-system");
  for (const run::TopologyInstance& instance : state.instances) {
    if (!whole_mesh) namespaces.insert(instance.topology.ns);
  }
  const std::string prefix = kScopeWorkload;
  const bool workload = state.telemetry_scope.rfind(prefix, 0) == 0;
  Values values{{"env", context.env},
                {"provider", yaml_quoted(telemetry_provider_of(state))},
                {"selector", workload ? fmt::format("\n  selector: {{matchLabels: {{hopcheck.dev/service: \"{}\"}}}}",
                                                    state.telemetry_scope.substr(prefix.size()))
                                      : ""},
                {"sampling", state.sampling ? fmt::format("\n    randomSamplingPercentage: {}", *state.sampling) : ""},
                {"disabled", state.mesh_tracing ? "" : "\n    disableSpanReporting: true"}};
  std::vector<KubeObject> out;
  for (const std::string& ns : namespaces) {
    values["namespace"] = yaml_quoted(ns);
    Result<std::vector<KubeObject>> one = render_objects(context.share, "istio/telemetry.yaml", values);
    if (!one) return one;
    for (KubeObject& object : *one) out.push_back(std::move(object));
  }
  return out;
}

Result<std::vector<KubeObject>> collector_manifest(const ManifestContext& context) {
  return render_objects(
      context.share, "collector/collector.yaml",
      {{"env", context.env}, {"collector_image", context.collector_image}, {"backend_token", context.backend_token}});
}

Result<std::vector<KubeObject>> sink_manifest(const ManifestContext& context) {
  return render_objects(context.share, "sink/sink.yaml",
                        {{"env", context.env},
                         {"run", context.run},
                         {"harness_image", context.harness_image},
                         {"backend_token", context.backend_token},
                         {"control_token", context.control_token}});
}

Result<std::vector<KubeObject>> loadgen_manifest(const ManifestContext& context, const std::string& ns, bool meshed) {
  return render_objects(context.share, "loadgen/loadgen.yaml",
                        {{"env", context.env},
                         {"namespace", yaml_quoted(ns)},
                         {"meshed", meshed ? "true" : "false"},
                         {"harness_image", context.harness_image},
                         {"control_token", context.control_token}});
}

Result<InstanceManifest> instance_manifest(const ManifestContext& context, const run::TopologyInstance& instance,
                                           const std::string& topology_yaml) {
  const Topology& topology = instance.topology;
  const int entry = topology.find(topology.entry);
  if (entry < 0)
    return fail(ErrorKind::kUsage, "topology " + topology.name + " has no entry service " + topology.entry);
  const Service& first = topology.services[static_cast<size_t>(entry)];
  InstanceManifest out;
  std::set<std::string> namespaces{topology.ns};
  for (const Service& service : topology.services) namespaces.insert(service.ns);
  Result<void> done;
  for (const std::string& ns : namespaces) {
    if (!done) break;
    done =
        append(out.base, context.share,
               {"demo/namespace.yaml",
                {{"namespace", yaml_quoted(ns)},
                 {"env", context.env},
                 {"injection", instance.proxy_versions.empty() ? "istio-injection: enabled, " : ""},
                 {"topology_yaml", indented(topology_yaml, 4)}}});
  }
  if (done) done = append_services(out.base, context, instance);
  if (done) {
    done = append(
        out.routing, context.share,
        {"demo/gateway.yaml",
         {{"namespace", yaml_quoted(topology.ns)},
          {"env", context.env},
          {"host", gateway_host(topology)},
          {"http", http_routes(instance, first, {first.ports.empty() ? uint16_t{8080} : first.ports[0].port})}}});
  }
  if (done) done = append_faults(out.routing, context, instance);
  for (const std::string& service : instance.mtls_off) {
    const Values values{{"service", service}, {"namespace", yaml_quoted(topology.ns)}, {"env", context.env}};
    if (done) done = append(out.routing, context.share, {"demo/plaintext.yaml", values});
  }
  for (const Service& service : topology.services) {
    for (const Workload& workload : service.workloads) {
      if (service.instrumentation == Instrumentation::kAuto &&
          context.roles.count(service.image_role.empty() ? "" : role_of(service, workload)) == 0) {
        return fail(ErrorKind::kEnvironment, "no image plays service " + service.name,
                    "hopcheck-demo cannot: its spans are made by an SDK", "make it: scripts/role-image sdkApp");
      }
      if (done) done = append(out.workloads, context.share, workload_part(context, instance, service, workload));
    }
  }
  if (done && instance.mesh_client) {
    Result<std::vector<KubeObject>> agent = loadgen_manifest(context, topology.ns, true);
    if (!agent) return tl::unexpected<Error>(agent.error());
    for (KubeObject& object : *agent) out.workloads.push_back(std::move(object));
  }
  if (!done) return tl::unexpected<Error>(done.error());
  return out;
}

std::string gateway_host(const Topology& topology) {
  return topology.host.empty() ? topology.ns + ".hopcheck.test" : topology.host;
}

std::string role_of(const Service& service, const Workload& workload) {
  return service.workloads.size() > 1 && !workload.version.empty() ? service.image_role + "-" + workload.version
                                                                   : service.image_role;
}

std::string instance_key(const run::TopologyInstance& instance, const std::string& topology_yaml) {
  std::string key =
      fmt::format("direct={} export={} without=", instance.direct_entry, instance.app_export_through_sidecar);
  for (const std::string& name :
       std::set<std::string>(instance.without_sidecar.begin(), instance.without_sidecar.end()))
    key += name + ",";
  for (const std::string& name : std::set<std::string>(instance.mtls_off.begin(), instance.mtls_off.end()))
    key += " plain=" + name;
  for (const auto& [service, version] : instance.proxy_versions) key += " " + service + "@" + version;
  for (const run::MeshFault& item : instance.faults) {
    const Fault& f = item.fault;
    key += fmt::format(" {}@{}{}:{}:{}:{}", to_string(f.kind), f.at, item.prefix, f.status, f.delay_nanos, f.attempts);
  }
  return key + "\n" + topology_yaml;
}

}  // namespace hopcheck::mesh
