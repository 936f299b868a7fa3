#include "model/mesh_profile.h"

namespace hopcheck {

const char* to_string(ProxyRole role) {
  switch (role) {
    case ProxyRole::kNone: return "app";
    case ProxyRole::kGatewayServer: return "gatewayServer";
    case ProxyRole::kGatewayClient: return "gatewayClient";
    case ProxyRole::kOutbound: return "outbound";
    case ProxyRole::kInbound: return "inbound";
  }
  return "?";
}

const char* to_string(NamingMode mode) {
  switch (mode) {
    case NamingMode::kAppLabelAndNamespace: return "APP_LABEL_AND_NAMESPACE";
    case NamingMode::kCanonicalNameOnly: return "CANONICAL_NAME_ONLY";
    case NamingMode::kCanonicalNameAndNamespace: return "CANONICAL_NAME_AND_NAMESPACE";
    case NamingMode::kOtelSemanticConventions: return "OTEL_SEMANTIC_CONVENTIONS";
  }
  return "?";
}

const char* to_string(GatewaySpawn spawn) {
  switch (spawn) {
    case GatewaySpawn::kNever: return "never";
    case GatewaySpawn::kDefaultOff: return "default-off";
    case GatewaySpawn::kDefaultOn: return "default-on";
    case GatewaySpawn::kAlways: return "always";
  }
  return "?";
}

bool MeshProfile::spawns(std::optional<bool> asked) const {
  switch (gateway_spawn) {
    case GatewaySpawn::kNever: return false;
    case GatewaySpawn::kDefaultOff: return asked.value_or(false);
    case GatewaySpawn::kDefaultOn: return asked.value_or(true);
    case GatewaySpawn::kAlways: return true;
  }
  return true;
}

const SpanRule* MeshProfile::rule(ProxyRole role, std::optional<bool> asked) const {
  const bool gateway = role == ProxyRole::kGatewayServer || role == ProxyRole::kGatewayClient;
  const auto& list = gateway && !spawns(asked) ? gateway_single : spans;
  for (const SpanRule& rule : list) {
    if (rule.role == role) return &rule;
  }
  return nullptr;
}

}  // namespace hopcheck
