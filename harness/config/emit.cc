// Model values → YAML that the loader reads back to equal values. Every text is written in double quotes, every default
// is written out: a stored scenario must not change its meaning when a default does.
#include <fmt/format.h>

#include <algorithm>

#include "config/load.h"
#include "config/reader.h"

namespace hopcheck::config {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out + "\"";
}

std::string list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + quoted(item);
  return "[" + out + "]";
}

std::string map(const std::map<std::string, std::string>& entries) {
  std::string out;
  for (const auto& [key, value] : entries) out += (out.empty() ? "" : ", ") + quoted(key) + ": " + quoted(value);
  return "{" + out + "}";
}

const char* instrumentation(Instrumentation value) {
  switch (value) {
    case Instrumentation::kSdk:
      return "sdk";
    case Instrumentation::kForward:
      return "forward";
    case Instrumentation::kNone:
      return "none";
    case Instrumentation::kAuto:
      return "auto";
  }
  return "?";
}

std::string call_text(const Call& call) {
  std::string out = "to: " + quoted(call.to);
  if (call.port != 0) out += fmt::format(", port: {}", call.port);
  if (!call.method.empty()) out += ", method: " + quoted(call.method);
  if (!call.path.empty()) out += ", path: " + quoted(call.path);
  out += fmt::format(", count: {}, parallel: {}", call.count, call.parallel);
  if (!call.when.empty()) out += ", when: " + list(call.when);
  if (!call.parent.empty()) out += ", parent: " + quoted(call.parent);
  return "{" + out + "}";
}

std::string service_text(const Service& s, const std::string& indent) {
  const std::string in = indent + "  ";
  std::string out = indent + "- name: " + quoted(s.name) + "\n";
  out += in + "namespace: " + quoted(s.ns) + "\n";
  out += in + "labels: " + map(s.labels) + "\n";
  out += in + fmt::format("meshed: {}\n", s.meshed);
  out += in + fmt::format("instrumentation: {}\n", instrumentation(s.instrumentation));
  if (!s.service_account.empty()) out += in + "serviceAccount: " + quoted(s.service_account) + "\n";
  if (!s.image_role.empty()) out += in + "imageRole: " + quoted(s.image_role) + "\n";
  if (!s.otel_service_name.empty()) out += in + "otelServiceName: " + quoted(s.otel_service_name) + "\n";
  if (!s.body_title.empty()) out += in + "bodyTitle: " + quoted(s.body_title) + "\n";
  if (s.client_spans) out += in + "clientSpans: true\n";
  if (!s.sdk.empty()) out += in + "sdk: " + quoted(s.sdk) + "\n";
  if (!s.route.empty()) out += in + "route: " + quoted(s.route) + "\n";
  out += in + "ports:\n";
  for (const ServicePort& port : s.ports) {
    out += in + fmt::format("  - {{name: {}, appProtocol: {}, port: {}, targetPort: {}}}\n", quoted(port.name),
                            quoted(port.app_protocol), port.port, port.target_port);
  }
  out += in + "workloads:\n";
  for (const Workload& workload : s.workloads) {
    out += in + fmt::format("  - {{name: {}, version: {}, labels: {}}}\n", quoted(workload.name),
                            quoted(workload.version), map(workload.labels));
  }
  if (!s.spans.empty()) out += in + "spans:\n";
  for (const AppSpan& span : s.spans) {
    out += in + fmt::format("  - {{name: {}, kind: {}, parent: {}}}\n", quoted(span.name), to_string(span.kind),
                            quoted(span.parent));
  }
  if (!s.calls.empty()) out += in + "calls:\n";
  for (const Call& call : s.calls) out += in + "  - " + call_text(call) + "\n";
  return out;
}

std::string topology_text(const Topology& topology, const std::string& ref) {
  std::string out = "  topology:\n    name: " + quoted(topology.name) + "\n    from: " + quoted(ref) + "\n";
  out += "    namespace: " + quoted(topology.ns) + "\n    entry: " + quoted(topology.entry) +
         "\n    host: " + quoted(topology.host) + "\n";
  out += "    services:\n";
  for (const Service& service : topology.services) out += service_text(service, "      ");
  return out;
}

std::string fault_text(const Fault& fault) {
  std::string out = "at: " + quoted(fault.at);
  switch (fault.kind) {
    case Fault::Kind::kNone:
      break;
    case Fault::Kind::kDrop:
      out += ", drop: " + quoted(fault.header);
      break;
    case Fault::Kind::kDelay:
      out += fmt::format(", delay: {}ns", fault.delay_nanos);
      break;
    case Fault::Kind::kFail:
      out += fmt::format(", fail: {}, status: {}", fault.percent, fault.status);
      break;
    case Fault::Kind::kCallTwice:
      out += ", callTwice: true";
      break;
    case Fault::Kind::kAbort:
      out += fmt::format(", abort: {}", fault.status);
      break;
    case Fault::Kind::kRetry:
      out += fmt::format(", retry: {}, status: {}, attempts: {}", fault.times, fault.status, fault.attempts);
      break;
    case Fault::Kind::kWireDelay:
    case Fault::Kind::kTimeout:
      out += fmt::format(", {}: {}ns", to_string(fault.kind), fault.delay_nanos);
      break;
    case Fault::Kind::kAppDown:
    case Fault::Kind::kNoEndpoint:
      out += fmt::format(", {}: true", to_string(fault.kind));
      break;
  }
  if (!fault.journey.empty()) out += ", journey: " + quoted(fault.journey);
  return "{" + out + "}";
}

std::string faults_text(const char* key, const std::vector<Fault>& faults) {
  if (faults.empty()) return "";
  std::string out = fmt::format("  {}:\n", key);
  for (const Fault& fault : faults) out += "    - " + fault_text(fault) + "\n";
  return out;
}

std::string claimable_text(const SpecEnvironment& e) {
  std::string out;
  if (e.naming == NamingMode::kOtelSemanticConventions) out += "    enrichment: OTEL_SEMANTIC_CONVENTIONS\n";
  else out += fmt::format("    naming: {}\n", e.naming_unset ? "unset" : to_string(e.naming));
  out += e.sampling ? fmt::format("    sampling: {}\n", *e.sampling) : "    sampling: unset\n";
  return out + fmt::format("    telemetryScope: {}\n    meshTracing: {}\n", quoted(e.telemetry_scope), e.mesh_tracing);
}

std::string environment_text(const SpecEnvironment& e) {
  std::string out = "  environment:\n";
  out += fmt::format("    transport: {}\n", to_string(e.transport));
  out += claimable_text(e);
  if (e.gateway_spawn) out += fmt::format("    gatewaySpawn: {}\n", *e.gateway_spawn);
  out += fmt::format("    namingRestart: {}\n", e.naming_restart);
  if (!e.telemetry_provider.empty()) out += "    telemetryProvider: " + quoted(e.telemetry_provider) + "\n";
  out += "    withoutSidecar: " + list(e.without_sidecar) + "\n";
  if (!e.mtls_off.empty()) out += "    mtlsOff: " + list(e.mtls_off) + "\n";
  out += fmt::format("    appExportThroughSidecar: {}\n", e.app_export_through_sidecar);
  if (!e.istio.empty()) out += "    istio: " + quoted(e.istio) + "\n";
  if (!e.proxy_versions.empty()) out += "    proxyVersions: " + map(e.proxy_versions) + "\n";
  return out;
}

std::string load_text(const LoadSpec& load) {
  std::string out = fmt::format("  load:\n    requests: {}\n    rate: {}\n    traceparent: {}\n    tag: {}\n",
                                load.requests, load.rate, to_string(load.traceparent), to_string(load.tag));
  if (load.request_id) out += "    requestId: true\n";
  if (!load.trace_state.empty()) out += "    traceState: " + quoted(load.trace_state) + "\n";
  out += "    journeys:\n";
  for (const Journey& journey : load.journeys) {
    out += fmt::format("      - {{name: {}, weight: {}, method: {}, path: {}", quoted(journey.name), journey.weight,
                       quoted(journey.method), quoted(journey.path));
    if (!journey.host.empty()) out += ", host: " + quoted(journey.host);
    if (journey.outside) out += ", outside: true";
    out += "}\n";
  }
  return out;
}

std::string head_text(const char* kind, const std::string& name) {
  return fmt::format("apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\nspec:\n", kApiVersion, kind, quoted(name));
}

}  // namespace

std::string to_yaml(const Topology& topology) {
  std::string out = head_text("Topology", topology.name);
  out += "  namespace: " + quoted(topology.ns) + "\n  entry: " + quoted(topology.entry) +
         "\n  host: " + quoted(topology.host) + "\n";
  out += "  services:\n";
  for (const Service& service : topology.services) out += service_text(service, "    ");
  return out;
}

std::string to_yaml(const Scenario& scenario) {
  std::string out = head_text("Scenario", scenario.name);
  if (!scenario.description.empty()) out += "  description: " + quoted(scenario.description) + "\n";
  out += topology_text(scenario.topology, scenario.topology_ref);
  out += "  profile: " + quoted(scenario.profile) + "\n";
  out += fmt::format("  entry: {}\n", to_string(scenario.entry));
  out += environment_text(scenario.environment);
  out += load_text(scenario.load);
  out += faults_text("faults", scenario.faults);
  out += faults_text("inject", scenario.inject);
  if (scenario.inject_random) out += "  injectRandom: true\n";
  if (!scenario.expect_overrides.empty()) out += "  expectOverrides:\n";
  for (const ExpectOverride& item : scenario.expect_overrides) {
    out += "    - {service: " + quoted(item.service);
    if (!item.service_name.empty()) out += ", serviceName: " + quoted(item.service_name);
    if (!item.port_name.empty()) out += ", portName: " + quoted(item.port_name);
    out += "}\n";
  }
  if (scenario.expect_environment) out += "  expectEnvironment:\n" + claimable_text(*scenario.expect_environment);
  if (scenario.tracing_changed_before_start) out += "  tracingChangedBeforeStart: true\n";
  out += "  requires: " + list(scenario.requires_capabilities) + "\n";
  out += "  rows: " + list(scenario.rows) + "\n";
  out += "  rules:\n    include: " + list(scenario.rules.include) + "\n    exclude: " + list(scenario.rules.exclude) +
         "\n";
  out += fmt::format("    tolerance: {{nesting: {}ns, overhang: {}ns}}\n", scenario.rules.nesting_tolerance_nanos,
                     scenario.rules.overhang_tolerance_nanos);
  return out;
}

std::string to_yaml(const Suite& suite) {
  std::string out = head_text("Suite", suite.name);
  out += fmt::format("  rate: {}\n  entries:\n", suite.rate);
  for (const SuiteEntry& entry : suite.entries) {
    out += "    - scenario: " + quoted(entry.scenario.name) + "\n";
    out += "      expect:\n        verdict: " + entry.expect_verdict + "\n";
    if (!entry.expect_findings.empty()) out += "        findings:\n";
    for (const ExpectedFinding& finding : entry.expect_findings) {
      out += fmt::format("          - {{code: {}, subject: {}}}\n", quoted(finding.code), quoted(finding.subject));
    }
  }
  for (const SuiteEntry& entry : suite.entries) out += "---\n" + to_yaml(entry.scenario);
  return out;
}

}  // namespace hopcheck::config
