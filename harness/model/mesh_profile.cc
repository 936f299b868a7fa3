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

const SpanRule* MeshProfile::rule(ProxyRole role, bool gateway_spawn) const {
  const bool gateway = role == ProxyRole::kGatewayServer || role == ProxyRole::kGatewayClient;
  const auto& list = gateway && !gateway_spawn && !gateway_single.empty() ? gateway_single : spans;
  for (const SpanRule& rule : list) {
    if (rule.role == role) return &rule;
  }
  return nullptr;
}

}  // namespace hopcheck
