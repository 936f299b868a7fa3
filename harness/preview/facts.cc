#include "preview/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace hopcheck::preview {

std::string proof_of(const MeshProfile& profile, const std::string& source) {
  bool captured = false, run = false, measured = false;
  for (std::string_view part : split(source, ';')) {
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    const std::string_view word = part.substr(0, part.find(' '));
    captured = captured || word == "captures";
    run = run || word == "run";
    measured = measured || word == "measured";
  }
  if (captured) return profile.proof == "live" ? "live" : "capture";
  return run ? "envoy" : measured ? "measured" : "source";
}

const char* to_string(AttributeRule::When when) {
  switch (when) {
    case AttributeRule::When::kAlways: return "always";
    case AttributeRule::When::kRouted: return "routed";
    case AttributeRule::When::kError: return "error";
    case AttributeRule::When::kGrpc: return "grpc";
    case AttributeRule::When::kOptional: return "optional";
    case AttributeRule::When::kNever: return "never";
  }
  return "?";
}

std::string scope_text(const MeshProfile& profile) { return profile.scope_present ? profile.scope_name : "none"; }

std::string sampling_text(const MeshProfile& profile) {
  return profile.parent_decides_sampling ? "the traceparent's sampled bit alone"
                                         : "the traceparent's sampled bit and Envoy's own percentage";
}

std::string spawn_text(const MeshProfile& profile) {
  switch (profile.gateway_spawn) {
    case GatewaySpawn::kNever: return "never";
    case GatewaySpawn::kDefaultOff: return "no, unless the flag is set";
    case GatewaySpawn::kDefaultOn: return "yes, unless the flag is cleared";
    case GatewaySpawn::kAlways: return "always";
  }
  return "?";
}

std::string steps_text(const NamingRule& rule) {
  std::string out;
  for (const std::string& step : rule.steps) {
    const std::string name = step.rfind("label:", 0) == 0     ? "label " + step.substr(6)
                             : step.rfind("literal:", 0) == 0 ? "\"" + step.substr(8) + "\""
                                                              : step;
    out += (out.empty() ? "" : ", then ") + name;
  }
  return out + (rule.with_namespace ? "; with .namespace" : "");
}

std::string waypoint_text(const MeshProfile& profile) {
  return profile.waypoint_takes_service_name ? "the destination service's host name" : "the waypoint's own";
}

std::string status_text(const StatusRule& rule) {
  return std::string(hopcheck::to_string(rule.status)) + (rule.error_tag ? ", error=true" : "");
}

const SpanRule* rule_unasked(const MeshProfile& profile, ProxyRole role) { return profile.rule(role, std::nullopt); }

int minor_number(const std::string& istio_minor) {
  const auto parts = split(istio_minor, '.');
  int value = -1;
  if (parts.size() == 2) std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), value);
  return value;
}

std::vector<const MeshProfile*> by_version(const std::vector<MeshProfile>& profiles) {
  std::vector<const MeshProfile*> out;
  for (const MeshProfile& profile : profiles) out.push_back(&profile);
  std::stable_sort(out.begin(), out.end(), [](const MeshProfile* a, const MeshProfile* b) {
    return minor_number(a->istio_minor) < minor_number(b->istio_minor);
  });
  return out;
}

}  // namespace hopcheck::preview
