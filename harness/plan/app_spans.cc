#include "plan/app_spans.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace hopcheck::plan {
namespace {

struct Filled {
  std::string route, host;
  uint16_t port = 0;
  RequestLine line;
};

std::string fill(const std::string& text, const Filled& with) {
  return substitute(text, [&](std::string_view name) -> std::optional<std::string> {
    if (name == "method") return with.line.method;
    if (name == "route") return with.route;
    if (name == "path") return with.line.path;
    if (name == "host") return with.host;
    if (name == "port") return std::to_string(with.port);
    return std::nullopt;
  });
}

ExpectedAttribute expected(const AttributeRule& rule, const Filled& with) {
  ExpectedAttribute out;
  out.key = rule.key;
  out.when = rule.when;
  out.type = rule.type;
  out.value = fill(rule.value, with);
  if (rule.value.size() >= 2 && rule.value.front() == '/' && rule.value.back() == '/') {
    out.regex = true;
    out.value = out.value.substr(1, out.value.size() - 2);
  }
  return out;
}

ExpectedSpan span_of(const AppInstrumentation& sdk, const AppSpanRule& rule, const Service& service,
                     const Filled& with) {
  ExpectedSpan span;
  span.kind = rule.kind;
  span.name = fill(rule.name, with);
  span.scope = rule.scope;
  span.service_name = service.otel_service_name.empty() ? service.name : service.otel_service_name;
  span.http_status = 0;
  for (const AttributeRule& attribute : rule.attributes) span.attributes.push_back(expected(attribute, with));
  for (const AttributeRule& attribute : sdk.resource) span.resource.push_back(expected(attribute, with));
  return span;
}

tl::unexpected<Error> not_so(const Scenario& scenario, const Service& service, const std::string& why) {
  return fail(ErrorKind::kUsage, fmt::format("scenario {}: service {} cannot be as it is described", scenario.name,
                                             service.name),
              why, "correct the topology or the scenario");
}

}  // namespace

ExpectedSpan auto_server_span(const Topology& topology, int service, const RequestLine& line, int parent) {
  const Service& own = topology.services[static_cast<size_t>(service)];
  const AppInstrumentation* sdk = topology.instrumentations.find(own.sdk);
  Filled with{own.route, fqdn(own), own.ports.empty() ? uint16_t{8080} : own.ports[0].port, line};
  ExpectedSpan span = span_of(*sdk, sdk->request, own, with);
  span.service = service;
  span.parent = parent;
  return span;
}

ExpectedSpan auto_client_span(const Topology& topology, const AutoCall& call, int parent) {
  const Service& own = topology.services[static_cast<size_t>(call.service)];
  const AppInstrumentation* sdk = topology.instrumentations.find(own.sdk);
  const Service& called = topology.services[static_cast<size_t>(call.called)];
  Filled with{"", called.name + "." + called.ns, call.port, call.line};
  ExpectedSpan span = span_of(*sdk, sdk->call, own, with);
  span.service = call.service;
  span.peer = call.called;
  span.parent = parent;
  return span;
}

bool forwards_header(const Topology& topology, const std::string& service, std::string_view header) {
  const int index = topology.find(service);
  if (index < 0) return true;
  const AppInstrumentation* sdk = topology.instrumentations.find(topology.services[static_cast<size_t>(index)].sdk);
  if (sdk == nullptr) return true;
  return std::find(sdk->forwards.begin(), sdk->forwards.end(), header) != sdk->forwards.end();
}

Result<void> check_auto_services(const Scenario& scenario) {
  const Topology& topology = scenario.topology;
  for (const Service& service : topology.services) {
    if (!is_auto(service)) continue;
    if (topology.instrumentations.find(service.sdk) == nullptr)
      return not_so(scenario, service, "nothing is known of the SDK " + service.sdk);
    for (const Call& call : service.calls) {
      const Service& called = topology.services[static_cast<size_t>(topology.find(call.to))];
      const uint16_t port = call.port != 0 ? call.port : called.ports.empty() ? uint16_t{8080} : called.ports[0].port;
      if (protocol_of(called, port) == PortProtocol::kHttp && call.parent.empty() && !call.parallel) continue;
      return not_so(scenario, service, fmt::format("its call to {} is no plain HTTP call, one after the other",
                                                   called.name));
    }
  }
  return {};
}

}  // namespace hopcheck::plan
