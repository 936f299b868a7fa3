// Counters that proxies and the Collector keep about spans, out of what they expose for Prometheus. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mesh/prometheus.h"
#include "model/environment.h"
#include "run/provider.h"

namespace hopcheck::mesh {

// Prefixes of Envoy's counters that are of use here, for Metrics.
const std::vector<std::string>& envoy_prefixes();
// tracing.opentelemetry.<name>; one that Envoy has not made yet counts zero, provided that it exposes any of ours.
std::optional<uint64_t> tracing_counter(const Metrics& metrics, const std::string& name);
// Updates of the listener configuration so far, and filter chains that still serve their old one.
uint64_t listener_update_count(const Metrics& metrics);
uint64_t draining_filter_chains(const Metrics& metrics);

void read_proxy_counters(const std::optional<Metrics>& metrics, run::Provider::Mark mark, ProxyFact& fact);
// The Collector's own metrics of its otlp_http exporter; leaves `fact` alone when they are not exposed.
void read_collector_counters(const std::string& exposition, run::Provider::Mark mark, CollectorFact& fact);
// Batches waiting in the exporter's queue or under way; nullopt when not exposed.
std::optional<uint64_t> collector_queue_of(const std::string& exposition);

}  // namespace hopcheck::mesh
