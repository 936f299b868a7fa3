// Facts about the mesh that was judged: environment.json. Written by a provider, read by evidence rules and reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hopcheck {

struct ProxyFact {
  std::string workload;   // Deployment name
  std::string ns;
  std::string pod;
  std::string service;    // topology service name, "istio-ingressgateway" for the gateway, "loadgen" for the load pod
  bool injected = true;   // has an istio-proxy container
  bool expected_meshed = true;
  std::string envoy_version;  // from telemetry.sdk.version or the image
  std::string profile;
  std::string proof;
  // tracing.opentelemetry counters at the first and last phase mark; nullopt = not exposed.
  std::optional<uint64_t> sent_before, sent_after, dropped_before, dropped_after;
  // TLS handshakes that its listeners have taken since it started: whether callers came with mutual TLS, which no span
  // tells. nullopt = not exposed, or none yet.
  std::optional<uint64_t> tls_handshakes;
  int restarts = 0;           // container restarts between the marks
};

struct TelemetryFact {
  std::string ns, name, provider;
  std::optional<double> percentage;  // nullopt: field absent in the object
  uint64_t from_n = 0;               // valid for requests from this number on (a run may change it between scenarios)
};

struct CollectorFact {
  std::optional<uint64_t> received_before, received_after;  // spans accepted by its receivers
  std::optional<uint64_t> exported_before, exported_after;
  std::optional<uint64_t> failed_before, failed_after;
  std::optional<uint64_t> queue_size;
  int restarts = 0;
};

struct ControlFact {  // positive control (verdict.md section 2)
  bool before_sent = false, before_arrived = false;
  bool after_sent = false, after_arrived = false;
};

struct DrainFact {
  std::string ended_by;  // "complete", "quiet", "deadline", "" = not drained
  int64_t waited_nanos = 0;
};

struct Environment {
  std::string provider;    // kind, local, none (a stored capture)
  std::string kubernetes, istio, collector;
  std::string transport, naming;
  bool gateway_spawn = true;
  std::vector<ProxyFact> proxies;
  std::vector<TelemetryFact> telemetry;
  std::vector<std::string> extension_providers;  // names in MeshConfig, sorted; empty = not read
  CollectorFact collector_fact;
  ControlFact control;
  DrainFact drain;
  int sink_restarts = 0;
  std::vector<std::string> crashes;  // processes that ended by themselves: which, how, its last words, its log
  bool capture_complete = true;   // no gap, no damage, sealed
  std::string capture_problem;    // why not
  std::vector<std::string> images;  // "role: reference@digest-or-id"
  std::vector<std::string> notes;   // printed deviations, e.g. drainDuration
};

}  // namespace hopcheck
