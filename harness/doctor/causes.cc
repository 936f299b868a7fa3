#include "doctor/causes.h"

#include <cassert>

namespace hopcheck::doctor {

const char* to_string(Symptom symptom) {
  switch (symptom) {
    case Symptom::kNoData: return "no data";
    case Symptom::kDisconnected: return "disconnected";
    case Symptom::kWrongNames: return "wrong names";
    case Symptom::kPartial: return "partial";
    case Symptom::kHealthy: return "none";
  }
  return "none";
}

const char* to_string(ProbeState state) {
  switch (state) {
    case ProbeState::kPass: return "pass";
    case ProbeState::kFail: return "fail";
    case ProbeState::kSkipped: return "skipped";
  }
  return "skipped";
}

const std::vector<CauseInfo>& cause_catalogue() {
  static const std::vector<CauseInfo> kCauses = {
      {"kubernetes-too-old", Symptom::kNoData, {"provider-service-unknown", "collector-receives-nothing"}},
      {"istio-too-old", Symptom::kNoData, {"istio-lacks-telemetry-v1", "istio-lacks-http-exporter"}},
      {"istio-lacks-telemetry-v1", Symptom::kNoData, {"telemetry-missing", "collector-receives-nothing"}},
      {"istio-lacks-http-exporter", Symptom::kNoData, {"collector-receives-nothing"}},
      {"istiod-missing", Symptom::kNoData, {"sidecar-webhook-failing", "sidecar-webhook-missing"}},
      {"istiod-not-ready", Symptom::kNoData, {"sidecar-webhook-failing", "sidecar-webhook-missing"}},
      {"provider-missing", Symptom::kNoData, {"collector-receives-nothing"}},
      {"telemetry-provider-unknown", Symptom::kNoData, {"collector-receives-nothing"}},
      {"telemetry-missing", Symptom::kNoData, {"collector-receives-nothing"}},
      {"telemetry-outside-root", Symptom::kPartial, {}},
      {"telemetry-disabled", Symptom::kNoData, {"collector-receives-nothing"}},
      {"telemetry-zero-percent", Symptom::kNoData, {"collector-receives-nothing"}},
      {"telemetry-default-percent", Symptom::kPartial, {}},
      {"provider-service-unknown", Symptom::kNoData, {"collector-receives-nothing"}},
      {"registry-only", Symptom::kNoData, {"collector-receives-nothing"}},
      {"provider-port-unknown", Symptom::kNoData, {"collector-receives-nothing"}},
      {"provider-transport", Symptom::kNoData, {"collector-receives-nothing"}},
      {"provider-path-wrong", Symptom::kNoData, {"collector-receives-nothing"}},
      {"provider-port-not-http2", Symptom::kNoData, {"collector-receives-nothing"}},
      {"collector-missing", Symptom::kNoData, {"collector-node-local", "collector-receives-nothing"}},
      {"collector-exporter-removed", Symptom::kNoData, {"collector-not-ready", "collector-node-local"}},
      {"collector-health-check-port", Symptom::kNoData, {"collector-not-ready", "collector-node-local"}},
      {"collector-endpoint-missing", Symptom::kNoData, {"collector-not-ready", "collector-node-local"}},
      {"collector-secret-missing", Symptom::kNoData, {"collector-not-ready", "collector-node-local"}},
      {"collector-not-ready", Symptom::kNoData, {"collector-node-local", "collector-receives-nothing"}},
      {"collector-localhost-bind", Symptom::kNoData, {"collector-receives-nothing"}},
      {"collector-node-local", Symptom::kPartial, {}},
      {"sidecar-webhook-missing", Symptom::kPartial, {}},
      {"sidecar-webhook-failing", Symptom::kPartial, {}},
      {"sidecar-label-late", Symptom::kPartial, {}},
      {"sidecar-opted-out", Symptom::kPartial, {}},
      {"no-workload-enrolled", Symptom::kNoData, {"collector-receives-nothing"}},
      {"sidecar-hides-collector", Symptom::kPartial, {"collector-receives-nothing"}},
      {"proxy-config-stale", Symptom::kPartial, {"collector-receives-nothing"}},
      {"collector-receives-nothing", Symptom::kNoData, {}},
      {"export-auth", Symptom::kNoData, {}},
      {"export-tls", Symptom::kNoData, {}},
      {"export-address", Symptom::kNoData, {}},
      {"export-failing", Symptom::kNoData, {}},
      {"run-propagation", Symptom::kDisconnected, {}},
      {"run-names", Symptom::kWrongNames, {}},
      {"run-no-data", Symptom::kNoData, {}},
      {"run-partial", Symptom::kPartial, {}},
  };
  return kCauses;
}

size_t rank_of(std::string_view id) {
  const auto& all = cause_catalogue();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].id == id) return i;
  }
  assert(false && "a cause outside the catalogue");
  return all.size() - 1;
}

}  // namespace hopcheck::doctor
