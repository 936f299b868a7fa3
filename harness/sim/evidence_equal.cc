#include <algorithm>
#include <tuple>

#include "sim/mesh.h"

namespace hopcheck::sim {
namespace {

bool same_list(const AttributeList& a, const AttributeList& b) {
  if (a.size != b.size) return false;
  for (uint32_t i = 0; i < a.size; ++i) {
    const AnyValue &x = a.data[i].value, &y = b.data[i].value;
    if (a.data[i].key != b.data[i].key || x.type != y.type || x.text != y.text) return false;
    if (x.type == AnyValue::Type::kInt && x.integer != y.integer) return false;
  }
  return true;
}

bool same_span(const Span& a, const Span& b) {
  return a.trace_id == b.trace_id && a.span_id == b.span_id && a.parent_id == b.parent_id && a.kind == b.kind &&
         a.status == b.status && a.name == b.name && a.trace_state == b.trace_state &&
         a.arrival_unix_nanos == b.arrival_unix_nanos && a.start_unix_nanos == b.start_unix_nanos &&
         a.end_unix_nanos == b.end_unix_nanos && a.ids_valid == b.ids_valid &&
         a.resource->service_name == b.resource->service_name && a.scope->present == b.scope->present &&
         a.scope->name == b.scope->name && same_list(a.attributes, b.attributes) &&
         same_list(a.resource->attributes, b.resource->attributes);
}

auto facts(const ProxyFact& proxy) {
  return std::tie(proxy.pod, proxy.injected, proxy.sent_before, proxy.sent_after, proxy.restarts);
}

auto facts(const TelemetryFact& telemetry) {
  return std::tie(telemetry.ns, telemetry.name, telemetry.provider, telemetry.percentage);
}

bool same_environment(const Environment& a, const Environment& b) {
  const auto flat = [](const Environment& e) {
    return std::tie(e.collector_fact.received_after, e.collector_fact.restarts, e.control.before_sent,
                    e.control.before_arrived, e.control.after_sent, e.control.after_arrived, e.drain.ended_by,
                    e.sink_restarts, e.crashes, e.capture_complete, e.gateway_spawn);
  };
  return flat(a) == flat(b) &&
         std::equal(a.proxies.begin(), a.proxies.end(), b.proxies.begin(), b.proxies.end(),
                    [](const ProxyFact& x, const ProxyFact& y) { return facts(x) == facts(y); }) &&
         std::equal(a.telemetry.begin(), a.telemetry.end(), b.telemetry.begin(), b.telemetry.end(),
                    [](const TelemetryFact& x, const TelemetryFact& y) { return facts(x) == facts(y); });
}

bool same_entry(const LedgerEntry& a, const LedgerEntry& b) {
  return a.intent.n == b.intent.n && a.outcome.kind == b.outcome.kind && a.outcome.status == b.outcome.status &&
         a.outcome.sent_unix_nanos == b.outcome.sent_unix_nanos;
}

auto flat(const BodyCounts& bodies) {
  return std::tie(bodies.received, bodies.accepted, bodies.refused, bodies.aborted);
}

}  // namespace

bool same_evidence(const Mesh& a, const Mesh& b) {
  return std::equal(a.spans.begin(), a.spans.end(), b.spans.begin(), b.spans.end(), same_span) &&
         std::equal(a.ledger.begin(), a.ledger.end(), b.ledger.begin(), b.ledger.end(), same_entry) &&
         flat(a.bodies) == flat(b.bodies) && a.canary.reported == b.canary.reported &&
         same_environment(a.environment, b.environment);
}

}  // namespace hopcheck::sim
