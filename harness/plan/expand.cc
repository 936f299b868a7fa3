#include "plan/expand.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "plan/app_spans.h"
#include "plan/naming.h"
#include "plan/port_protocol.h"

namespace hopcheck::plan {
namespace {

constexpr size_t kMaxSpans = 4096;
constexpr size_t kMaxVariants = 64;

// One choice per service that can behave in more than one way: which workload answers, and whether it fails as
// declared.
struct Choice {
  std::vector<size_t> workload;  // by service
  std::vector<bool> fails;       // by service
};

const Fault* find_fault(const Scenario& scenario, const std::string& journey, const std::string& service,
                        Fault::Kind kind) {
  for (const Fault& fault : scenario.faults) {
    if (fault.kind == kind && fault.at == service && (fault.journey.empty() || fault.journey == journey)) return &fault;
  }
  return nullptr;
}

class TreeBuilder {
 public:
  TreeBuilder(const Scenario& scenario, const ProfileBinding& binding, const Choice& choice)
      : scenario_(scenario), claimed_(claimed_environment(scenario)), topology_(scenario.topology), binding_(binding),
        choice_(choice),
        gateway_(gateway_service()), client_(load_client_service(scenario.topology.ns)) {}

  ExpectedTree build(const Journey& journey) {
    tree_.journey = journey.name;
    const int entry = topology_.find(topology_.entry);
    const std::string path = journey.path.substr(0, journey.path.find('?'));
    const Service& service = topology_.services[entry];
    const uint16_t port = service.ports.empty() ? 8080 : service.ports[0].port;
    int parent = -1;
    if (scenario_.entry == Entry::kGateway) {
      const int gateway = add_proxy(-1, ProxyRole::kGatewayServer, kGatewayService, entry, port, journey.method, path);
      const bool spawns =
          binding_.of(kGatewayService).rule(ProxyRole::kGatewayClient, claimed_.gateway_spawn) != nullptr;
      for (int left = failing_attempts(service.name); left >= 0; --left) {
        // With spawn on each attempt has a CLIENT span of its own, without it all attempts hang under the one span.
        const int attempt =
            spawns ? add_proxy(gateway, ProxyRole::kGatewayClient, kGatewayService, entry, port, journey.method, path)
                   : gateway;
        if (spawns && left > 0 && attempt >= 0) tree_.spans[attempt].http_status = 0;
        add_service(attempt, entry, port, journey.method, path, true, left > 0);
      }
      settle_statuses();
      return std::move(tree_);
    } else if (scenario_.entry == Entry::kMesh) {
      parent = add_proxy(-1, ProxyRole::kOutbound, kClientService, entry, port, journey.method, path);
    }
    add_service(parent, entry, port, journey.method, path, scenario_.entry != Entry::kDirect, false);
    settle_statuses();
    return std::move(tree_);
  }
  bool overflow() const { return tree_.spans.size() >= kMaxSpans; }

 private:
  const Service& service_of(int index) const {
    if (index == kGatewayService) return gateway_;
    if (index == kClientService) return client_;
    return topology_.services[index];
  }
  const Workload& workload_of(int index) const {
    const Service& service = service_of(index);
    return service.workloads[index >= 0 ? choice_.workload[index] : 0];
  }

  int add(ExpectedSpan span) {
    if (tree_.spans.size() >= kMaxSpans) return -1;
    tree_.spans.push_back(std::move(span));
    return static_cast<int>(tree_.spans.size()) - 1;
  }

  int add_proxy(int parent, ProxyRole role, int index, int peer, uint16_t port, const std::string& method,
                const std::string& path) {
    const MeshProfile& profile = binding_.of(index);
    const SpanRule* rule = profile.rule(role, claimed_.gateway_spawn);
    if (rule == nullptr) return parent;  // this version's proxy emits nothing on this side
    const Service& service = service_of(index);
    // A proxy that no Telemetry object governs hands the context on and makes no span (facts 2.3).
    if (!claimed_.mesh_tracing ||
        !in_telemetry_scope(claimed_.telemetry_scope, topology_.ns, service.ns, service.name)) {
      return parent;
    }
    const Workload& workload = workload_of(index);
    // The route is the called service's: the proxy's own on the inbound side, the peer's elsewhere.
    const Service& called = role == ProxyRole::kInbound ? service : topology_.services[peer];
    ExpectedSpan span;
    span.parent = parent;
    span.role = role;
    span.service = index;
    span.peer = peer;
    span.kind = rule->kind;
    span.rule = rule;
    span.host = fqdn(called);
    span.port = port;
    span.method = role == ProxyRole::kGatewayClient ? "" : method;
    span.path = role == ProxyRole::kGatewayClient ? "" : path;
    span.cluster = role == ProxyRole::kInbound ? fmt::format("inbound|{}||", target_port(called, port))
                                               : fmt::format("outbound|{}||{}", port, span.host);
    span.workload = workload.name;
    span.workload_namespace = service.ns;
    span.envoy_minor = profile.envoy_minor;
    span.profile = &profile;
    span.service_name = service_name(profile, service, workload);
    span.name = fill(rule->name, span);
    const PortProtocol protocol = expected_protocol(called, port);
    for (const AttributeRule& attribute : rule->attributes) {
      ExpectedAttribute item = expected(attribute, span);
      if (attribute.when == AttributeRule::When::kGrpc) {
        const bool grpc = protocol == PortProtocol::kGrpc;
        item.when = grpc ? AttributeRule::When::kAlways : AttributeRule::When::kOptional;
        if (!grpc) item.value.clear();
      }
      // Whatever the caller's app spoke, between the proxies such a port has HTTP/2 (facts 2.6).
      if (role == ProxyRole::kInbound && item.key == "http.protocol" &&
          (protocol == PortProtocol::kGrpc || protocol == PortProtocol::kHttp2)) {
        item.value = "HTTP/2";
      }
      span.attributes.push_back(std::move(item));
    }
    for (const AttributeRule& attribute : profile.resource) span.resource.push_back(expected(attribute, span));
    return add(std::move(span));
  }

  // What the mesh is claimed to make of the port: a canary may say another name than the port has.
  PortProtocol expected_protocol(const Service& service, uint16_t port) const {
    for (const ExpectOverride& item : scenario_.expect_overrides) {
      if (item.service == service.name && !item.port_name.empty())
        return port_protocol({item.port_name, "", port, port});
    }
    return protocol_of(service, port);
  }

  std::string service_name(const MeshProfile& profile, const Service& service, const Workload& workload) const {
    for (const ExpectOverride& item : scenario_.expect_overrides) {
      if (item.service == service.name && !item.service_name.empty()) return item.service_name;
    }
    const auto found = profile.naming.find(claimed_.naming);
    return found == profile.naming.end() ? "" : proxy_service_name(found->second, service, workload);
  }

  static uint16_t target_port(const Service& service, uint16_t port) {
    for (const ServicePort& item : service.ports) {
      if (item.port == port) return item.target_port;
    }
    return port;
  }

  std::string fill(const std::string& text, const ExpectedSpan& span) const {
    const Service& service = service_of(span.service);
    const Workload& workload = workload_of(span.service);
    return substitute(text, [&](std::string_view name) -> std::optional<std::string> {
      if (name == "host") return span.host;
      if (name == "port") return std::to_string(span.port);
      if (name == "cluster") return span.cluster;
      if (name == "path") return span.path;
      if (name == "service" || name == "serviceName") return span.service_name;
      if (name == "namespace") return service.ns;
      if (name == "canonicalService") return canonical_service(service, workload);
      if (name == "canonicalRevision") return canonical_revision(service, workload);
      if (name == "podPrefix") return workload.name;
      if (name == "method") return span.method;  // {authority} stays: the caller chose it, the span's http.url has it
      return std::nullopt;
    });
  }

  ExpectedAttribute expected(const AttributeRule& rule, const ExpectedSpan& span) const {
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

  // The callee's side of one request, then what it does.
  // `captured`: its proxy sees the request. `refused`: a declared retry, this attempt is answered with an error at
  // once.
  void add_service(int parent, int index, uint16_t port, const std::string& method, const std::string& path,
                   bool captured, bool refused) {
    if (overflow()) return;
    const Service& service = topology_.services[index];
    if (service.meshed && captured) {
      parent = add_proxy(parent, ProxyRole::kInbound, index, -1, port, method, path);
      if (refused && parent >= 0) tree_.spans[parent].http_status = 0;
    }
    std::map<std::string, int> app_spans;
    if (service.instrumentation == Instrumentation::kSdk) {
      for (const AppSpan& item : service.spans) {
        ExpectedSpan span;
        span.parent = item.parent.empty() ? (app_spans.empty() ? parent : app_spans[service.spans[0].name])
                                          : app_spans[item.parent];
        span.service = index;
        span.kind = item.kind;
        span.name = item.name;
        span.service_name = service.otel_service_name.empty() ? service.name : service.otel_service_name;
        span.http_status = 0;
        const int added = add(std::move(span));
        app_spans[item.name] = added;
      }
      if (!service.spans.empty()) parent = app_spans[service.spans[0].name];
    }
    if (is_auto(service)) parent = add(auto_server_span(topology_, index, {method, path}, parent));
    if (refused || choice_.fails[index]) return;  // a service that fails as declared makes no calls
    const int repeats = find_fault(scenario_, tree_.journey, service.name, Fault::Kind::kCallTwice) != nullptr ? 2 : 1;
    for (const Call& call : service.calls) {
      if (!call.when.empty() &&
          std::find(call.when.begin(), call.when.end(), workload_of(index).version) == call.when.end())
        continue;
      const auto own_parent = app_spans.find(call.parent);
      const int under = call.parent.empty() || own_parent == app_spans.end() ? parent : own_parent->second;
      for (int i = 0; i < call.count * repeats && !overflow(); ++i) add_call(under, index, call, method, path);
    }
  }

  void add_call(int parent, int caller, const Call& call, const std::string& method, const std::string& path) {
    const int callee = topology_.find(call.to);
    const Service& from = topology_.services[caller];
    const Service& to = topology_.services[callee];
    const uint16_t port = call.port != 0 ? call.port : to.ports.empty() ? 8080 : to.ports[0].port;
    const RequestLine line = request_line(protocol_of(to, port), {call.method, call.path}, {method, path});
    const bool seen = yields_spans(expected_protocol(to, port));  // by the proxies of this hop
    if (from.client_spans && from.instrumentation == Instrumentation::kSdk) {
      ExpectedSpan span;
      span.parent = parent;
      span.service = caller;
      span.peer = callee;
      span.kind = SpanKind::kClient;
      span.name = client_span_name(protocol_of(to, port), line);
      span.service_name = from.otel_service_name.empty() ? from.name : from.otel_service_name;
      span.http_status = 0;
      parent = add(std::move(span));
    }
    if (is_auto(from)) parent = add(auto_client_span(topology_, {caller, callee, port, line}, parent));
    if (from.meshed && seen)
      parent = add_proxy(parent, ProxyRole::kOutbound, caller, callee, port, line.method, line.path);
    // A declared abort sits in the caller's proxy: the callee never sees the request.
    if (find_fault(scenario_, tree_.journey, to.name, Fault::Kind::kAbort) != nullptr) return;
    for (int left = failing_attempts(to.name); left >= 0; --left)
      add_service(parent, callee, port, line.method, line.path, seen, left > 0);
  }

  // Attempts that a declared retry answers with an error before one succeeds; all share the caller's one CLIENT span
  // (facts 2.5).
  int failing_attempts(const std::string& service) const {
    const Fault* retry = find_fault(scenario_, tree_.journey, service, Fault::Kind::kRetry);
    return retry == nullptr ? 0 : std::min(retry->times, 16);
  }

  // Where a declared fault decides the code, neither it nor what its callers make of it is asked.
  void settle_statuses() {
    std::vector<bool> open(tree_.spans.size(), false);
    for (size_t i = tree_.spans.size(); i > 0; --i) {
      ExpectedSpan& span = tree_.spans[i - 1];
      const int named = span.role == ProxyRole::kInbound ? span.service : span.peer;
      if (named >= 0 &&
          (find_fault(scenario_, tree_.journey, topology_.services[named].name, Fault::Kind::kFail) != nullptr ||
           find_fault(scenario_, tree_.journey, topology_.services[named].name, Fault::Kind::kAbort) != nullptr)) {
        open[i - 1] = true;
      }
      if (open[i - 1]) {
        span.http_status = 0;
        if (span.parent >= 0) open[span.parent] = true;
      }
    }
  }

  const Scenario& scenario_;
  const SpecEnvironment& claimed_;
  const Topology& topology_;
  const ProfileBinding& binding_;
  const Choice& choice_;
  Service gateway_, client_;
  ExpectedTree tree_;
};

// Every combination of workload and declared failure, in a fixed order.
std::vector<Choice> choices_of(const Scenario& scenario) {
  const size_t services = scenario.topology.services.size();
  std::vector<Choice> out{{std::vector<size_t>(services, 0), std::vector<bool>(services, false)}};
  for (size_t i = 0; i < services; ++i) {
    const Service& service = scenario.topology.services[i];
    const bool may_fail =
        !service.calls.empty() && std::any_of(scenario.faults.begin(), scenario.faults.end(), [&](const Fault& fault) {
          return fault.kind == Fault::Kind::kFail && fault.at == service.name;
        });
    std::vector<Choice> next;
    for (const Choice& choice : out) {
      for (size_t w = 0; w < std::max<size_t>(1, service.workloads.size()); ++w) {
        for (int fails = 0; fails <= (may_fail ? 1 : 0); ++fails) {
          Choice copy = choice;
          copy.workload[i] = w;
          copy.fails[i] = fails != 0;
          next.push_back(std::move(copy));
        }
      }
    }
    out = std::move(next);
    if (out.size() > kMaxVariants) break;
  }
  return out;
}

// A naming mode that a version does not have leaves nothing to expect of its proxies' names.
Result<void> check_naming(const Scenario& scenario, const ProfileBinding& binding) {
  std::vector<const MeshProfile*> used{binding.fallback};
  for (const auto& [service, profile] : binding.by_service) used.push_back(profile);
  for (const MeshProfile* profile : used) {
    if (profile == nullptr || profile->naming.count(claimed_environment(scenario).naming) > 0) continue;
    return fail(ErrorKind::kUsage,
                fmt::format("scenario {}: Istio {} has no {}", scenario.name, profile->istio_minor,
                            to_string(claimed_environment(scenario).naming)),
                fmt::format("profile {} names no such mode", profile->name), "run it on a version that has it");
  }
  return {};
}

// The load engine sends HTTP/1.1: what the gateway, a sidecar or the app itself takes on this port must be that.
Result<void> check_entry(const Scenario& scenario) {
  const Service& entry =
      scenario.topology.services[static_cast<size_t>(scenario.topology.find(scenario.topology.entry))];
  const PortProtocol protocol = protocol_of(entry, entry.ports.empty() ? 8080 : entry.ports[0].port);
  if (yields_spans(protocol) && protocol != PortProtocol::kGrpc) return {};
  return fail(ErrorKind::kUsage,
              fmt::format("topology {}: the first port of entry {} carries {}", scenario.topology.name, entry.name,
                          to_string(protocol)),
              "requests are sent as HTTP/1.1", "put an HTTP service in front of it");
}

}  // namespace

const MeshProfile& ProfileBinding::of(int service) const {
  const auto found = by_service.find(service);
  return found == by_service.end() ? *fallback : *found->second;
}

Result<Expansion> expand(const Scenario& scenario, const ProfileBinding& binding) {
  if (auto known = check_naming(scenario, binding); !known) return tl::unexpected(known.error());
  if (scenario.topology.find(scenario.topology.entry) < 0) {
    return fail(ErrorKind::kUsage, fmt::format("topology {}: entry service {} does not exist", scenario.topology.name,
                                               scenario.topology.entry));
  }
  if (auto entry = check_entry(scenario); !entry) return tl::unexpected(entry.error());
  if (auto apps = check_auto_services(scenario); !apps) return tl::unexpected(apps.error());
  const std::vector<Choice> choices = choices_of(scenario);
  if (choices.size() > kMaxVariants) {
    return fail(ErrorKind::kUsage,
                fmt::format("scenario {}: more than {} variants of one journey", scenario.name, kMaxVariants),
                "each service with several workloads multiplies them", "split the topology");
  }
  Expansion out;
  for (const Journey& journey : scenario.load.journeys) {
    out.by_journey.emplace_back();
    for (const Choice& choice : choices) {
      TreeBuilder builder(scenario, binding, choice);
      ExpectedTree tree = builder.build(journey);
      if (tree.spans.size() >= kMaxSpans) {
        return fail(ErrorKind::kUsage,
                    fmt::format("scenario {}: a request would leave more than {} spans", scenario.name, kMaxSpans));
      }
      for (size_t i = 0; i < choice.workload.size(); ++i) {
        const Service& service = scenario.topology.services[i];
        const bool takes_part = std::any_of(tree.spans.begin(), tree.spans.end(), [&](const ExpectedSpan& span) {
          return span.service == static_cast<int>(i);
        });
        if (service.workloads.size() > 1 && takes_part) {
          tree.versions.emplace_back(static_cast<int>(i),
                                     canonical_revision(service, service.workloads[choice.workload[i]]));
          tree.variant +=
              (tree.variant.empty() ? "" : ",") + service.name + "=" + service.workloads[choice.workload[i]].version;
        }
        if (choice.fails[i]) tree.variant += (tree.variant.empty() ? "" : ",") + service.name + " fails";
      }
      out.by_journey.back().push_back(static_cast<int>(out.trees.size()));
      out.trees.push_back(std::move(tree));
    }
  }
  return out;
}

}  // namespace hopcheck::plan
