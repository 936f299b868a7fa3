// MeshProfile: what one Istio version's proxies emit, as data (fixtures/profiles/*.yaml); a new release is a new file.
// Facts and their sources stand in those files; nothing here knows a version.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/span.h"

namespace hopcheck {

// Which of a proxy's spans a rule describes.
enum class ProxyRole : uint8_t {
  kNone,           // an app span
  kGatewayServer,  // gateway's downstream span
  kGatewayClient,  // gateway's spawned upstream span, one per attempt
  kOutbound,       // sidecar CLIENT
  kInbound,        // sidecar SERVER
};
const char* to_string(ProxyRole role);

enum class NamingMode : uint8_t {
  kAppLabelAndNamespace,
  kCanonicalNameOnly,
  kCanonicalNameAndNamespace,
  kOtelSemanticConventions
};
const char* to_string(NamingMode mode);  // "APP_LABEL_AND_NAMESPACE" …

// One attribute (all values are strings on Envoy spans, of an app's SDK some are integers). `value` is a template with
// {placeholders}; "" = any value.
struct AttributeRule {
  enum class When : uint8_t {
    kAlways,
    kRouted,    // only when an upstream cluster was chosen
    kError,     // only on requests Envoy counts as errors
    kGrpc,      // only on gRPC requests
    kOptional,  // may be present
    kNever,     // this version does not set it
  };
  enum class Type : uint8_t { kString, kInteger };
  std::string key;
  std::string value;
  When when = When::kAlways;
  std::string source;  // where the fact comes from
  Type type = Type::kString;
};

struct SpanRule {
  ProxyRole role = ProxyRole::kNone;
  SpanKind kind = SpanKind::kUnspecified;
  std::string name;      // template: {host}, {port}, {route}, {cluster}, {authority} (of the span's own http.url)
  std::string unrouted;  // template of its name where no route matches; "" = as `name`
  std::string parent;  // "incoming" or the role name of the span of the same proxy it hangs under ("gatewayServer")
  std::vector<AttributeRule> attributes;
  std::string source;
};

// One row of a status table: http code (or grpc-status) range × kind → status (facts 1.4).
struct StatusRule {
  SpanKind kind = SpanKind::kUnspecified;
  int from = 0;
  int to = 0;
  StatusCode status = StatusCode::kUnset;
  bool error_tag = false;  // attribute error=true
  std::string source;
};

// Naming chain: the first step that yields a non-empty value wins. Steps: "label:<key>", "workload", "literal:<text>".
struct NamingRule {
  std::vector<std::string> steps;
  bool with_namespace = true;
  std::string source;
};

// Whether a gateway spawns a CLIENT span per attempt, and what PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY has to say in it.
enum class GatewaySpawn : uint8_t {
  kNever,       // one CLIENT span; there is no flag
  kDefaultOff,  // the flag is there and off
  kDefaultOn,   // the flag is there and on
  kAlways,      // the flag is gone
};
const char* to_string(GatewaySpawn spawn);  // "never", "default-off" …

// What a version changed for traces beyond the shape of its spans; for people.
struct ProfileNote {
  std::string text;
  std::string source;
};

struct MeshProfile {
  std::string name;         // istio-1.30
  std::string istio_minor;  // 1.30
  std::string envoy_minor;  // 1.38
  std::string base;         // the profile that the file extends; "" = none
  std::string proof;        // live | capture | envoy (its Envoy alone was run) | source
  bool scope_present = true;
  std::string scope_name;   // envoy
  std::string scope_source;
  std::vector<AttributeRule> resource;
  std::vector<SpanRule> spans;          // sidecars and, with spawn on, the gateway
  std::vector<SpanRule> gateway_single; // the gateway's one span with spawn off; empty: spawn is always on
  GatewaySpawn gateway_spawn = GatewaySpawn::kDefaultOn;
  std::string gateway_spawn_source;
  std::vector<StatusRule> status;
  std::vector<StatusRule> grpc_status;  // over `status` where the span carries grpc.status_code
  std::map<NamingMode, NamingRule> naming;
  std::string gateway_service;          // canonical name of the classic gateway: istio-ingressgateway
  bool parent_decides_sampling = true;  // up to Envoy 1.38 only the parent's bit counts
  double default_sampling_percent = 1.0;
  std::string sampling_source;
  // service.name of a waypoint's spans is the destination service's host name, not the waypoint's own (facts 2.1).
  bool waypoint_takes_service_name = false;
  std::string waypoint_source;
  std::vector<ProfileNote> changes;  // against the version before
  ProfileNote before;                // why versions below have no profile; only the oldest one says so

  // Whether gateways spawn when the flag is set to `asked`, or left alone.
  bool spawns(std::optional<bool> asked) const;
  // The rule of one proxy side; null when this version's proxy emits nothing there. `asked`: the flag, as for spawns().
  const SpanRule* rule(ProxyRole role, std::optional<bool> asked) const;
};

}  // namespace hopcheck
