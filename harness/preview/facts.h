// What a profile's facts are worth and how they read: proof levels, and the words for rules. Pure.
#pragma once

#include <string>
#include <vector>

#include "model/mesh_profile.h"

namespace hopcheck::preview {

// How far one fact of a profile is proven, from its source: "live" or "capture" (captures of this version, as its proof
// says), "envoy" (its Envoy was run), "measured" (on another version), "source" (read).
std::string proof_of(const MeshProfile& profile, const std::string& source);

const char* to_string(AttributeRule::When when);  // "always" …
std::string scope_text(const MeshProfile& profile);            // "envoy", "none"
std::string sampling_text(const MeshProfile& profile);         // what decides about a request with a traceparent
std::string spawn_text(const MeshProfile& profile);            // "off, flag can switch it on" …
std::string steps_text(const NamingRule& rule);                // "app, workload, "istio-proxy"; with namespace"
std::string waypoint_text(const MeshProfile& profile);
std::string status_text(const StatusRule& rule);               // "ERROR and error=true"
// The role's rule with the flag left alone; null when this version's proxy leaves nothing there.
const SpanRule* rule_unasked(const MeshProfile& profile, ProxyRole role);
// In version order: 1.9 before 1.10.
std::vector<const MeshProfile*> by_version(const std::vector<MeshProfile>& profiles);
int minor_number(const std::string& istio_minor);  // "1.30" → 30; -1 when malformed

inline constexpr ProxyRole kRoles[] = {ProxyRole::kGatewayServer, ProxyRole::kGatewayClient, ProxyRole::kOutbound,
                                       ProxyRole::kInbound};
inline constexpr NamingMode kModes[] = {NamingMode::kAppLabelAndNamespace, NamingMode::kCanonicalNameOnly,
                                        NamingMode::kCanonicalNameAndNamespace, NamingMode::kOtelSemanticConventions};

}  // namespace hopcheck::preview
