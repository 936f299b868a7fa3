#include "plan/proxy_span.h"

#include <fmt/format.h>

#include "base/text.h"
#include "plan/naming.h"

namespace hopcheck::plan {
namespace {

uint16_t target_port(const Service& service, uint16_t port) {
  for (const ServicePort& item : service.ports) {
    if (item.port == port) return item.target_port;
  }
  return port;
}

}  // namespace

ProxySpanMaker::ProxySpanMaker(const Scenario& scenario, const ProfileBinding& binding, const Choice& choice,
                               const Journey& journey)
    : scenario_(scenario), claimed_(claimed_environment(scenario)), topology_(scenario.topology), binding_(binding),
      choice_(choice), journey_(journey),
      gateway_(gateway_service()), client_(load_client_service(scenario.topology.ns)) {}

const Service& ProxySpanMaker::service_of(int index) const {
  if (index == kGatewayService) return gateway_;
  if (index == kClientService) return client_;
  return topology_.services[index];
}

const Workload& ProxySpanMaker::workload_of(int index) const {
  return service_of(index).workloads[index >= 0 ? choice_.workload[index] : 0];
}

std::optional<ExpectedSpan> ProxySpanMaker::proxy_span(ProxyRole role, int index, const Hop& hop) const {
  const MeshProfile& profile = binding_.of(index);
  const SpanRule* rule = profile.rule(role, claimed_.gateway_spawn);
  if (rule == nullptr) return std::nullopt;
  const Service& service = service_of(index);
  // A proxy that no Telemetry object governs hands the context on and makes no span (facts 2.3).
  if (!claimed_.mesh_tracing || !in_telemetry_scope(claimed_.telemetry_scope, topology_.ns, service.ns, service.name))
    return std::nullopt;
  const Workload& workload = workload_of(index);
  const Service& called = topology_.services[hop.callee];
  ExpectedSpan span;
  span.role = role;
  span.service = index;
  span.peer = role == ProxyRole::kInbound ? -1 : hop.callee;
  span.kind = rule->kind;
  span.rule = rule;
  span.profile = &profile;
  span.host = hop.outside.empty() ? fqdn(called) : hop.outside;
  span.port = hop.port;
  span.route = hop.route;
  span.method = role == ProxyRole::kGatewayClient ? "" : hop.method;
  span.path = role == ProxyRole::kGatewayClient ? "" : hop.path;
  span.cluster = role == ProxyRole::kInbound ? fmt::format("inbound|{}||", target_port(called, hop.port))
                                             : fmt::format("outbound|{}||{}", hop.port, span.host);
  span.workload = workload.name;
  span.workload_namespace = service.ns;
  span.envoy_minor = profile.envoy_minor;
  span.service_name = service_name(profile, service, workload);
  span.name = fill(rule->name, span);
  span.response_flag = "-";
  add_attributes(*rule, expected_protocol(called, hop.port), span);
  for (const AttributeRule& attribute : profile.resource) span.resource.push_back(expected(attribute, span));
  return span;
}

void ProxySpanMaker::add_attributes(const SpanRule& rule, PortProtocol protocol, ExpectedSpan& span) const {
  for (const AttributeRule& attribute : rule.attributes) {
    ExpectedAttribute item = expected(attribute, span);
    if (attribute.when == AttributeRule::When::kGrpc) {
      const bool grpc = protocol == PortProtocol::kGrpc;
      item.when = grpc ? AttributeRule::When::kAlways : AttributeRule::When::kOptional;
      if (!grpc) item.value.clear();
    }
    // Whatever the caller's app spoke, between the proxies such a port has HTTP/2 (facts 2.6).
    if (span.role == ProxyRole::kInbound && item.key == "http.protocol" &&
        (protocol == PortProtocol::kGrpc || protocol == PortProtocol::kHttp2)) {
      item.value = "HTTP/2";
    }
    span.attributes.push_back(std::move(item));
  }
}

PortProtocol ProxySpanMaker::expected_protocol(const Service& service, uint16_t port) const {
  for (const ExpectOverride& item : scenario_.expect_overrides) {
    if (item.service == service.name && !item.port_name.empty())
      return port_protocol({item.port_name, "", port, port});
  }
  return protocol_of(service, port);
}

std::string ProxySpanMaker::service_name(const MeshProfile& profile, const Service& service,
                                         const Workload& workload) const {
  for (const ExpectOverride& item : scenario_.expect_overrides) {
    if (item.service == service.name && !item.service_name.empty()) return item.service_name;
  }
  const auto found = profile.naming.find(claimed_.naming);
  return found == profile.naming.end() ? "" : proxy_service_name(found->second, service, workload);
}

std::string ProxySpanMaker::fill(const std::string& text, const ExpectedSpan& span) const {
  const Service& service = service_of(span.service);
  const Workload& workload = workload_of(span.service);
  return substitute(text, [&](std::string_view name) -> std::optional<std::string> {
    if (name == "host") return span.host;
    if (name == "port") return std::to_string(span.port);
    if (name == "route") return span.route;
    // Where the journey does not say it, it stays: the caller chose it, the span's http.url has it.
    if (name == "authority" && !journey_.host.empty()) return journey_.host;
    if (name == "cluster") return span.cluster;
    if (name == "path") return span.path;
    if (name == "service" || name == "serviceName") return span.service_name;
    if (name == "namespace") return service.ns;
    if (name == "canonicalService") return canonical_service(service, workload);
    if (name == "canonicalRevision") return canonical_revision(service, workload);
    if (name == "podPrefix") return workload.name;
    if (name == "method") return span.method;
    return std::nullopt;
  });
}

ExpectedAttribute ProxySpanMaker::expected(const AttributeRule& rule, const ExpectedSpan& span) const {
  ExpectedAttribute out;
  out.key = rule.key;
  out.when = rule.when;
  out.value = fill(rule.value, span);
  if (out.value.size() >= 2 && out.value.front() == '/' && out.value.back() == '/') {
    out.regex = true;
    out.value = out.value.substr(1, out.value.size() - 2);
  }
  return out;
}

}  // namespace hopcheck::plan
