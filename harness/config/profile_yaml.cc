#include <fmt/format.h>

#include <algorithm>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

const std::vector<std::pair<std::string, ProxyRole>> kRoles{{"gatewayServer", ProxyRole::kGatewayServer},
                                                            {"gatewayClient", ProxyRole::kGatewayClient},
                                                            {"outbound", ProxyRole::kOutbound},
                                                            {"inbound", ProxyRole::kInbound}};
// What templates may hold; everything else in braces is a mistake.
const std::vector<std::string> kPlaceholders{
    "host",      "port",             "route",             "path",      "cluster", "service", "namespace",
    "authority", "canonicalService", "canonicalRevision", "podPrefix", "version"};

constexpr size_t kMostAttributes = 200;  // of one span
constexpr size_t kMostSpans = 8;         // rules in one list; there are four roles

using AttributeSets = std::map<std::string, std::vector<AttributeRule>>;

}  // namespace

void check_template(Reader& reader, const std::string& key, const std::string& text,
                    const std::vector<std::string>& placeholders) {
  for (size_t open = text.find('{'); open != std::string::npos; open = text.find('{', open + 1)) {
    const size_t close = text.find('}', open);
    if (close == std::string::npos) return reader.problem(key, "a { is not closed");
    const std::string name = text.substr(open + 1, close - open - 1);
    if (std::find(placeholders.begin(), placeholders.end(), name) != placeholders.end()) continue;
    const auto best = name.size() > 64 ? std::nullopt : nearest(name, placeholders);
    reader.problem(key, fmt::format("unknown placeholder {{{}}}{}", printable(name),
                                    best ? fmt::format("; did you mean {{{}}}?", *best) : ""));
  }
}

std::vector<AttributeRule> read_attributes(Reader& owner, const std::string& key, const std::string& source,
                                           const std::vector<std::string>& placeholders) {
  std::vector<AttributeRule> rules;
  for (const Node* item : owner.items(key)) {
    Reader reader(item, fmt::format("{}[{}]", owner.path_of(key), rules.size()), owner.problems());
    AttributeRule rule;
    rule.key = reader.text("key", "", Need::kRequired);
    rule.value = reader.text("value", "");
    rule.when = reader.choice<AttributeRule::When>("when", AttributeRule::When::kAlways,
                                                   {{"always", AttributeRule::When::kAlways},
                                                    {"routed", AttributeRule::When::kRouted},
                                                    {"error", AttributeRule::When::kError},
                                                    {"grpc", AttributeRule::When::kGrpc},
                                                    {"optional", AttributeRule::When::kOptional},
                                                    {"never", AttributeRule::When::kNever}});
    rule.type = reader.choice<AttributeRule::Type>("type", AttributeRule::Type::kString,
                                                   {{"string", AttributeRule::Type::kString},
                                                    {"int", AttributeRule::Type::kInteger}});
    if (rule.when == AttributeRule::When::kNever && !rule.value.empty())
      reader.problem("value", "an attribute that is never set has no value");
    rule.source = reader.text("source", source, source.empty() ? Need::kRequired : Need::kOptional);
    check_template(reader, "value", rule.value, placeholders);
    reader.finish();
    for (const AttributeRule& other : rules) {
      if (other.key == rule.key) reader.problem("key", "is described twice");
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

namespace {

// A later rule for a key replaces the earlier one: a span's own attributes over the sets it names.
// Stops beyond kMostAttributes, which the caller reports.
void merge(std::vector<AttributeRule>& into, const std::vector<AttributeRule>& more) {
  for (const AttributeRule& rule : more) {
    if (into.size() > kMostAttributes) return;
    const auto same =
        std::find_if(into.begin(), into.end(), [&](const AttributeRule& other) { return other.key == rule.key; });
    if (same == into.end()) into.push_back(rule);
    else *same = rule;
  }
}

AttributeSets read_sets(Reader& spec) {
  AttributeSets sets;
  const Node* node = spec.take("attributeSets");
  if (!node) return sets;
  Reader reader(node, "spec.attributeSets", spec.problems());
  for (size_t i = 0; i + 1 < reader.node().items.size(); i += 2) {
    const Node& key = reader.node().items[i];
    if (key.kind != Node::Kind::kScalar) continue;  // finish() reports it
    Reader set(reader.take(key.text), reader.path_of(key.text), spec.problems());
    const std::string source = set.text("source", "", Need::kRequired);
    sets[key.text] = read_attributes(set, "attributes", source, kPlaceholders);
    set.finish();
  }
  reader.finish();
  return sets;
}

std::vector<SpanRule> read_spans(Reader& spec, const std::string& key, const AttributeSets& sets) {
  std::vector<SpanRule> rules;
  for (const Node* item : spec.items(key)) {
    if (rules.size() == kMostSpans) {
      spec.problem(key, fmt::format("more than {} rules", kMostSpans));
      break;
    }
    Reader reader(item, fmt::format("spec.{}[{}]", key, rules.size()), spec.problems());
    SpanRule rule;
    reader.take("role", Need::kRequired);
    rule.role = reader.choice("role", ProxyRole::kNone, kRoles);
    rule.kind = read_span_kind(reader, SpanKind::kUnspecified);
    if (rule.kind == SpanKind::kUnspecified) reader.problem("kind", "missing");
    rule.name = reader.text("name", "", Need::kRequired);
    check_template(reader, "name", rule.name, kPlaceholders);
    rule.unrouted = reader.text("unrouted", "");
    check_template(reader, "unrouted", rule.unrouted, kPlaceholders);
    rule.parent = reader.choice<std::string>("parent", "incoming",
                                             {{"incoming", "incoming"}, {"gatewayServer", "gatewayServer"}});
    for (const std::string& set : reader.texts("sets")) {
      const auto found = sets.find(set);
      if (found == sets.end()) reader.problem("sets", fmt::format("no attribute set \"{}\"", printable(set)));
      else merge(rule.attributes, found->second);
    }
    rule.source = reader.text("source", "", Need::kRequired);
    merge(rule.attributes, read_attributes(reader, "attributes", rule.source, kPlaceholders));
    if (rule.attributes.size() > kMostAttributes) {
      reader.problem("attributes", fmt::format("more than {} in one span", kMostAttributes));
    }
    reader.finish();
    for (const SpanRule& other : rules) {
      if (other.role == rule.role) reader.problem("role", "is described twice");
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::vector<StatusRule> read_status(Reader& spec, const std::string& key, Need need) {
  std::vector<StatusRule> rules;
  for (const Node* item : spec.items(key, need)) {
    Reader reader(item, fmt::format("spec.{}[{}]", key, rules.size()), spec.problems());
    StatusRule rule;
    rule.kind = read_span_kind(reader, SpanKind::kUnspecified);
    rule.from = static_cast<int>(reader.integer("from", 0, {0, 999}));
    rule.to = static_cast<int>(reader.integer("to", rule.from, {0, 999}));
    rule.status = reader.choice<StatusCode>("status", StatusCode::kUnset,
                                            {{"UNSET", StatusCode::kUnset}, {"ERROR", StatusCode::kError}});
    rule.error_tag = reader.boolean("errorTag", false);
    rule.source = reader.text("source", "", Need::kRequired);
    if (rule.kind == SpanKind::kUnspecified) reader.problem("kind", "missing");
    if (rule.to < rule.from) reader.problem("to", "is below from");
    reader.finish();
    for (const StatusRule& other : rules) {
      if (other.kind == rule.kind && rule.from <= other.to && other.from <= rule.to)
        reader.problem("from", "overlaps an earlier row");
    }
    rules.push_back(rule);
  }
  return rules;
}

bool is_step(const std::string& step) {
  return step == "workload" || (step.rfind("label:", 0) == 0 && step.size() > 6) ||
         (step.rfind("literal:", 0) == 0 && step.size() > 8);
}

std::map<NamingMode, NamingRule> read_naming(Reader& spec) {
  std::map<NamingMode, NamingRule> naming;
  Reader reader(spec.take("naming", Need::kRequired), "spec.naming", spec.problems());
  for (NamingMode mode : {NamingMode::kAppLabelAndNamespace, NamingMode::kCanonicalNameOnly,
                          NamingMode::kCanonicalNameAndNamespace, NamingMode::kOtelSemanticConventions}) {
    const Node* node = reader.take(to_string(mode));
    if (!node) continue;
    Reader rule_reader(node, reader.path_of(to_string(mode)), spec.problems());
    NamingRule rule;
    rule.steps = rule_reader.texts("steps");
    if (rule.steps.empty()) rule_reader.problem("steps", "needs at least one step");
    for (const std::string& step : rule.steps) {
      if (!is_step(step))
        rule_reader.problem("steps",
                            fmt::format("\"{}\" is no step: label:<key>, workload or literal:<text>", printable(step)));
    }
    rule.with_namespace = rule_reader.boolean("withNamespace", true);
    rule.source = rule_reader.text("source", "", Need::kRequired);
    rule_reader.finish();
    naming[mode] = std::move(rule);
  }
  reader.finish();
  return naming;
}

void read_scope_and_sampling(Reader& spec, MeshProfile& profile) {
  Reader scope(spec.take("scope", Need::kRequired), "spec.scope", spec.problems());
  profile.scope_present = scope.boolean("present", true);
  profile.scope_name = scope.text("name", "");
  profile.scope_source = scope.text("source", "", Need::kRequired);
  scope.finish();
  Reader sampling(spec.take("sampling", Need::kRequired), "spec.sampling", spec.problems());
  profile.parent_decides_sampling = sampling.boolean("parentDecides", true);
  profile.default_sampling_percent = sampling.number("defaultPercent", 1.0, {0, 100});
  profile.sampling_source = sampling.text("source", "", Need::kRequired);
  sampling.finish();
}

void read_gateway_and_waypoint(Reader& spec, MeshProfile& profile) {
  profile.gateway_service = spec.text("gatewayService", "", Need::kRequired);
  Reader spawn(spec.take("gatewaySpawn", Need::kRequired), "spec.gatewaySpawn", spec.problems());
  spawn.take("mode", Need::kRequired);
  profile.gateway_spawn = spawn.choice<GatewaySpawn>("mode", GatewaySpawn::kDefaultOn,
                                                     {{"never", GatewaySpawn::kNever},
                                                      {"default-off", GatewaySpawn::kDefaultOff},
                                                      {"default-on", GatewaySpawn::kDefaultOn},
                                                      {"always", GatewaySpawn::kAlways}});
  profile.gateway_spawn_source = spawn.text("source", "", Need::kRequired);
  spawn.finish();
  const Node* node = spec.take("waypoint");
  if (!node) return;
  Reader waypoint(node, "spec.waypoint", spec.problems());
  waypoint.take("serviceName", Need::kRequired);
  profile.waypoint_takes_service_name =
      waypoint.choice<bool>("serviceName", false, {{"own", false}, {"destination", true}});
  profile.waypoint_source = waypoint.text("source", "", Need::kRequired);
  waypoint.finish();
}

ProfileNote read_note(const Node* node, const std::string& where, Problems& problems) {
  Reader reader(node, where, problems);
  ProfileNote note{reader.text("text", "", Need::kRequired), reader.text("source", "", Need::kRequired)};
  reader.finish();
  return note;
}

}  // namespace

MeshProfile read_profile(const std::string& name, const Node* spec_node, Problems& problems) {
  MeshProfile profile;
  profile.name = name;
  Reader spec(spec_node, "spec", problems);
  profile.istio_minor = spec.text("istioMinor", "", Need::kRequired);
  profile.envoy_minor = spec.text("envoyMinor", "", Need::kRequired);
  spec.take("proof", Need::kRequired);
  profile.proof = spec.choice<std::string>(
      "proof", "source", {{"live", "live"}, {"capture", "capture"}, {"envoy", "envoy"}, {"source", "source"}});
  read_gateway_and_waypoint(spec, profile);
  read_scope_and_sampling(spec, profile);
  profile.resource = read_attributes(spec, "resource", "", kPlaceholders);
  const AttributeSets sets = read_sets(spec);
  profile.spans = read_spans(spec, "spans", sets);
  if (profile.spans.empty()) spec.problem("spans", "needs at least one rule");
  profile.gateway_single = read_spans(spec, "gatewaySingle", sets);
  profile.status = read_status(spec, "status", Need::kRequired);
  profile.grpc_status = read_status(spec, "grpcStatus", Need::kOptional);
  profile.naming = read_naming(spec);
  for (const Node* item : spec.items("changes"))
    profile.changes.push_back(read_note(item, fmt::format("spec.changes[{}]", profile.changes.size()), problems));
  if (const Node* before = spec.take("before")) profile.before = read_note(before, "spec.before", problems);
  check_profile(profile, spec);
  spec.finish();
  return profile;
}

Loaded<MeshProfile> parse_profile(const std::string& text, const std::string& file, const ProfileTexts& bases) {
  Problems problems(file);
  MeshProfile profile;
  const std::vector<Node> documents = parse_yaml(text, problems);
  if (documents.size() > 1) problems.add(documents[1], "expected one document");
  if (!documents.empty()) {
    const auto head = read_head(documents[0], "MeshProfile", problems);
    if (head && head->spec) {
      const Node spec = extended_spec(head->name, *head->spec, bases, problems);
      // Without its base a profile is no profile: what it leaves out would be reported as missing.
      if (problems.empty()) profile = read_profile(head->name, &spec, problems);
      profile.base = base_of(*head->spec);
    }
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return profile;
}

}  // namespace hopcheck::config
