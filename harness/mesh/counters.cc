#include "mesh/counters.h"

namespace hopcheck::mesh {
namespace {

constexpr const char* kListenerPrefix = "envoy_listener_manager_";
constexpr const char* kHandshakes = "envoy_listener_ssl_handshake";
constexpr const char* kExporter = "exporter=otlp_http";

}  // namespace

const std::vector<std::string>& envoy_prefixes() {
  static const std::vector<std::string> prefixes{kListenerPrefix, "envoy_tracing_", kHandshakes};
  return prefixes;
}

std::optional<uint64_t> tracing_counter(const Metrics& metrics, const std::string& name) {
  const std::optional<uint64_t> value = metrics.sum("envoy_tracing_opentelemetry_" + name);
  if (value || !metrics.has_prefix(kListenerPrefix)) return value;
  return 0;
}

uint64_t listener_update_count(const Metrics& metrics) {
  return metrics.sum("envoy_listener_manager_lds_update_success").value_or(0);
}

uint64_t draining_filter_chains(const Metrics& metrics) {
  return metrics.sum("envoy_listener_manager_total_filter_chains_draining").value_or(0);
}

void read_proxy_counters(const std::optional<Metrics>& metrics, run::Provider::Mark mark, ProxyFact& fact) {
  const bool before = mark == run::Provider::Mark::kBefore;
  (before ? fact.sent_before : fact.sent_after) = metrics ? tracing_counter(*metrics, "spans_sent") : std::nullopt;
  (before ? fact.dropped_before : fact.dropped_after) =
      metrics ? tracing_counter(*metrics, "spans_dropped") : std::nullopt;
  fact.tls_handshakes = metrics ? metrics->sum(kHandshakes) : std::nullopt;
}

void read_collector_counters(const std::string& exposition, run::Provider::Mark mark, CollectorFact& fact) {
  const Metrics metrics(exposition, {"otelcol_"});
  if (!metrics.has_prefix("otelcol_")) return;
  const bool before = mark == run::Provider::Mark::kBefore;
  (before ? fact.received_before : fact.received_after) = metrics.sum("otelcol_receiver_accepted_spans").value_or(0);
  (before ? fact.exported_before : fact.exported_after) =
      metrics.sum("otelcol_exporter_sent_spans", kExporter).value_or(0);
  (before ? fact.failed_before : fact.failed_after) =
      metrics.sum("otelcol_exporter_send_failed_spans", kExporter).value_or(0) +
      metrics.sum("otelcol_exporter_enqueue_failed_spans", kExporter).value_or(0);
  fact.queue_size = metrics.sum("otelcol_exporter_queue_size", kExporter);
}

std::optional<uint64_t> collector_queue_of(const std::string& exposition) {
  const Metrics metrics(exposition, {"otelcol_exporter_queue_size", "otelcol_exporter_in_flight"});
  const std::optional<uint64_t> queue = metrics.sum("otelcol_exporter_queue_size", kExporter);
  if (!queue) return std::nullopt;
  return *queue + metrics.sum("otelcol_exporter_in_flight_requests", kExporter).value_or(0);
}

}  // namespace hopcheck::mesh
