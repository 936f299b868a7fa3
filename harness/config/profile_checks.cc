#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/text.h"
#include "config/parts.h"

namespace hopcheck::config {
namespace {

bool is_regex(const std::string& value) { return value.size() >= 2 && value.front() == '/' && value.back() == '/'; }

// With every {placeholder} filled, the pattern between the slashes; nullopt when it does not compile.
std::optional<std::regex> compiled(const std::string& value) {
  const std::string text = substitute(value.substr(1, value.size() - 2),
                                      [](std::string_view) -> std::optional<std::string> { return "x"; });
  try {
    return std::regex(text, std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

bool is_minor(const std::string& text) {
  const auto parts = split(text, '.');
  return parts.size() == 2 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return !part.empty() && part.size() <= 5 && part.find_first_not_of("0123456789") == std::string_view::npos;
  });
}

const SpanRule* find(const std::vector<SpanRule>& rules, ProxyRole role) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const SpanRule& rule) { return rule.role == role; });
  return found == rules.end() ? nullptr : &*found;
}

class Checks {
 public:
  Checks(const MeshProfile& profile, Reader& spec) : profile_(profile), spec_(spec) {}

  void run() {
    versions();
    scope();
    spans("spans", profile_.spans);
    spans("gatewaySingle", profile_.gateway_single);
    if (spec_.has("gatewaySpawn")) spawning();
    status();
    naming();
  }

 private:
  // At the item of a list field; at the field when it is shorter than the list that was read from it.
  void at(const std::string& key, size_t index, const std::string& message) {
    const auto items = spec_.items(key);
    if (index >= items.size()) return spec_.problem(key, message);
    spec_.problems().add(*items[index], fmt::format("spec.{}[{}]: {}", key, index, message));
  }

  void versions() {
    for (const auto& [key, value] :
         {std::pair{"istioMinor", profile_.istio_minor}, std::pair{"envoyMinor", profile_.envoy_minor}}) {
      if (!value.empty() && !is_minor(value))
        spec_.problem(key, fmt::format("\"{}\" is no minor version such as 1.30", printable(value)));
    }
    // What binds spans to profiles must name this profile's Envoy.
    for (size_t i = 0; i < profile_.resource.size(); ++i) {
      const AttributeRule& rule = profile_.resource[i];
      if (is_regex(rule.value) && !compiled(rule.value))
        at("resource", i, fmt::format("attribute {} holds no regular expression", printable(rule.key)));
      if (rule.key != "telemetry.sdk.version" || rule.value.empty() || !is_minor(profile_.envoy_minor)) continue;
      const std::string sample = fmt::format("0a1b2c3d/{}.1/Clean/RELEASE/BoringSSL", profile_.envoy_minor);
      const auto pattern = is_regex(rule.value) ? compiled(rule.value) : std::nullopt;
      if (is_regex(rule.value) && !pattern) continue;  // reported as a pattern
      if (!pattern || !std::regex_match(sample, *pattern))
        at("resource", i,
           fmt::format("telemetry.sdk.version does not fit envoyMinor {}: no {}", profile_.envoy_minor, sample));
    }
  }

  void scope() {
    if (!profile_.scope_present && !profile_.scope_name.empty())
      spec_.problem("scope", "a scope that is not present has no name");
    if (profile_.scope_present && profile_.scope_name.empty())
      spec_.problem("scope", "a scope that is present has a name");
  }

  void spans(const std::string& key, const std::vector<SpanRule>& rules) {
    for (size_t i = 0; i < rules.size(); ++i) {
      const SpanRule& rule = rules[i];
      if (rule.parent == to_string(rule.role)) at(key, i, "is its own parent");
      else if (rule.parent == "gatewayServer" && find(rules, ProxyRole::kGatewayServer) == nullptr)
        at(key, i, "its parent gatewayServer is not described");
      else if (rule.parent == "gatewayServer" && rule.role != ProxyRole::kGatewayClient)
        at(key, i, "another proxy's span cannot be its parent");
      if (rule.role == ProxyRole::kGatewayClient && find(rules, ProxyRole::kGatewayServer) == nullptr)
        at(key, i, "gatewayClient without gatewayServer: an attempt needs the request it belongs to");
      for (const AttributeRule& attribute : rule.attributes) {
        if (is_regex(attribute.value) && !compiled(attribute.value))
          at(key, i, fmt::format("attribute {} holds no regular expression", printable(attribute.key)));
      }
    }
  }

  void spawning() {
    const bool client = find(profile_.spans, ProxyRole::kGatewayClient) != nullptr;
    const bool single = !profile_.gateway_single.empty();
    const GatewaySpawn mode = profile_.gateway_spawn;
    const char* name = to_string(mode);
    if (mode == GatewaySpawn::kNever && client)
      spec_.problem("gatewaySpawn", "never spawns, and spans describes a gatewayClient");
    if (mode == GatewaySpawn::kAlways && single)
      spec_.problem("gatewaySpawn", "always spawns, and gatewaySingle describes a gateway that does not");
    if (mode != GatewaySpawn::kNever && !client)
      spec_.problem("gatewaySpawn", fmt::format("{}, and spans describes no gatewayClient", name));
    if ((mode == GatewaySpawn::kDefaultOff || mode == GatewaySpawn::kDefaultOn) && !single)
      spec_.problem("gatewaySpawn", fmt::format("{}, and gatewaySingle does not say what is left without", name));
  }

  // Every code of every kind of span has one row: 0 (no response was sent) and 100 to 599.
  void status() {
    for (const SpanKind kind : {SpanKind::kClient, SpanKind::kServer}) {
      const auto is_kind = [&](const SpanRule& rule) { return rule.kind == kind; };
      if (std::none_of(profile_.spans.begin(), profile_.spans.end(), is_kind) &&
          std::none_of(profile_.gateway_single.begin(), profile_.gateway_single.end(), is_kind)) {
        continue;
      }
      int missing_from = -1;
      for (int code = 0; code <= 600; code = code == 0 ? 100 : code + 1) {
        const bool known =
            code == 600 || std::any_of(profile_.status.begin(), profile_.status.end(), [&](const StatusRule& r) {
              return r.kind == kind && r.from <= code && code <= r.to;
            });
        if (!known && missing_from < 0) missing_from = code;
        if (known && missing_from >= 0) {
          spec_.problem("status", fmt::format("no row for {} {} to {}", to_string(kind), missing_from,
                                              code == 100 ? 0 : code - 1));
          missing_from = -1;
        }
      }
    }
  }

  void naming() {
    if (profile_.naming.count(NamingMode::kAppLabelAndNamespace) == 0)
      spec_.problem("naming", "APP_LABEL_AND_NAMESPACE is missing, Istio's default");
    for (const auto& [mode, rule] : profile_.naming) {
      for (size_t i = 0; i + 1 < rule.steps.size(); ++i) {
        if (rule.steps[i].rfind("literal:", 0) == 0)
          spec_.problem("naming", fmt::format("{}: nothing behind {} is ever reached", to_string(mode), rule.steps[i]));
      }
    }
  }

  const MeshProfile& profile_;
  Reader& spec_;
};

}  // namespace

void check_profile(const MeshProfile& profile, Reader& spec) { Checks(profile, spec).run(); }

}  // namespace hopcheck::config
