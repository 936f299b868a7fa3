#include "preview/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "preview/facts.h"
#include "report/table.h"

namespace hopcheck::preview {
namespace {

using Json = nlohmann::ordered_json;

std::string place_of(const Topology& topology, int service) {
  if (service == kGatewayService) return "gateway";
  if (service == kClientService) return "loadgen";
  return service >= 0 && service < static_cast<int>(topology.services.size()) ? topology.services[service].name : "?";
}

size_t required(const std::vector<ExpectedAttribute>& attributes) {
  return static_cast<size_t>(std::count_if(attributes.begin(), attributes.end(), [](const ExpectedAttribute& item) {
    return item.when == AttributeRule::When::kAlways || item.when == AttributeRule::When::kRouted;
  }));
}

Row row_of(const Topology& topology, const ExpectedTree& tree, size_t index, const std::vector<Row>& before) {
  const ExpectedSpan& span = tree.spans[index];
  Row row;
  row.role = to_string(span.role);
  row.where = place_of(topology, span.service);
  row.kind = hopcheck::to_string(span.kind);
  row.name = span.name;
  row.service_name = span.service_name;
  row.depth = span.parent < 0 ? 0 : before[static_cast<size_t>(span.parent)].depth + 1;
  row.parent = span.parent < 0 ? "client"
                               : before[static_cast<size_t>(span.parent)].role + " " +
                                     before[static_cast<size_t>(span.parent)].where;
  row.scope = span.profile == nullptr ? "SDK" : scope_text(*span.profile);
  row.attributes = required(span.attributes);
  if (span.profile != nullptr) {
    row.source = span.rule->source;
    row.proof = proof_of(*span.profile, row.source);
    row.version = span.profile->istio_minor;
  } else {
    row.source = "topology " + topology.name;
  }
  return row;
}

Json json_of(const Row& row) {
  return {{"role", row.role},           {"service", row.where},   {"kind", row.kind},
          {"name", row.name},           {"serviceName", row.service_name}, {"parent", row.parent},
          {"depth", row.depth},         {"scope", row.scope},     {"attributes", row.attributes},
          {"source", row.source},       {"proof", row.proof}};
}

std::string head_text(const MeshProfile& profile, const Question& question) {
  std::string out = fmt::format(
      "profile {}: Istio {}, Envoy {}, proof {}\ntopology {}, entry {}, naming {}\n", profile.name,
      profile.istio_minor, profile.envoy_minor, profile.proof, question.topology.name, to_string(question.entry),
      to_string(question.naming));
  const bool spawns = profile.spawns(question.gateway_spawn);
  out += fmt::format("gateway spawns a span per attempt: {} ({})\n", spawns ? "yes" : "no", spawn_text(profile));
  out += fmt::format("exported, with a traceparent: {}; unset percentage: {:g} %\n", sampling_text(profile),
                     profile.default_sampling_percent);
  out += "resource:";
  const char* separator = " ";
  for (const AttributeRule& rule : profile.resource) {
    if (rule.when == AttributeRule::When::kNever) continue;
    out += separator + rule.key + (rule.when == AttributeRule::When::kOptional ? " (optional)" : "");
    separator = ", ";
  }
  out += "\nstatus:\n";
  for (const StatusRule& rule : profile.status) {
    const std::string codes =
        rule.from == rule.to ? std::to_string(rule.from) : fmt::format("{}-{}", rule.from, rule.to);
    out += fmt::format("  {:<7} {:<8} {}\n", to_string(rule.kind), codes, status_text(rule));
  }
  return out;
}

}  // namespace

Scenario scenario_of(const Question& question) {
  Scenario scenario;
  scenario.name = "preview";
  scenario.topology = question.topology;
  scenario.entry = question.entry;
  scenario.environment.naming = question.naming;
  scenario.environment.gateway_spawn = question.gateway_spawn;
  scenario.load.requests = 1;
  Journey journey{"GET /", 1, "GET", "/"};
  const int entry = question.topology.find(question.topology.entry);
  if (entry >= 0 && !question.topology.services[static_cast<size_t>(entry)].spans.empty()) {
    const std::string& name = question.topology.services[static_cast<size_t>(entry)].spans[0].name;
    const size_t blank = name.find(" /");
    if (blank != std::string::npos && blank > 0) journey = {name, 1, name.substr(0, blank), name.substr(blank + 1)};
  }
  scenario.load.journeys = {journey};
  return scenario;
}

Result<std::vector<Outline>> outline(const Question& question, const plan::ProfileBinding& binding) {
  const Scenario scenario = scenario_of(question);
  const auto expansion = plan::expand(scenario, binding);
  if (!expansion) return tl::unexpected(expansion.error());
  std::vector<Outline> out;
  for (const ExpectedTree& tree : expansion->trees) {
    Outline one;
    one.journey = tree.journey;
    one.variant = tree.variant;
    for (size_t i = 0; i < tree.spans.size(); ++i) {
      one.rows.push_back(row_of(question.topology, tree, i, one.rows));
      ++(tree.spans[i].role == ProxyRole::kNone ? one.app : one.mesh);
      ++one.by_where[one.rows.back().where];
    }
    out.push_back(std::move(one));
  }
  return out;
}

std::string counts_text(const Outline& outline) {
  std::string out = fmt::format("mesh {}, app {}, all {}", outline.mesh, outline.app, outline.rows.size());
  const char* separator = "; ";
  for (const auto& [where, count] : outline.by_where) {
    out += fmt::format("{}{} {}", separator, where, count);
    separator = ", ";
  }
  return out;
}

std::string waterfall(const Outline& outline, Versions versions, const std::string& indent) {
  std::string out;
  for (const Row& row : outline.rows) {
    const std::string version =
        versions == Versions::kHide ? "" : row.version.empty() ? "       " : fmt::format("[{}] ", row.version);
    out +=
        fmt::format("{}{}{:{}}{} {} · {}\n", indent, version, "", row.depth * 2, row.kind, row.service_name, row.name);
  }
  return out;
}

std::string explain_text(const MeshProfile& profile, const Question& question, const std::vector<Outline>& outlines) {
  std::string out = head_text(profile, question);
  for (const Outline& one : outlines) {
    out += fmt::format("\n{}{}: {}\n", one.journey, one.variant.empty() ? "" : " (" + one.variant + ")",
                       counts_text(one));
    report::Table table({{"role"}, {"kind"}, {"name"}, {"service.name"}, {"parent"}, {"scope"},
                         {"attributes", report::Table::Align::kRight}, {"proof"}, {"source"}});
    for (const Row& row : one.rows) {
      table.add({{row.role}, {row.kind}, {row.name}, {row.service_name}, {row.parent}, {row.scope},
                 {row.proof.empty() ? "" : std::to_string(row.attributes)}, {row.proof}, {row.source}});
    }
    report::Table::Style style;
    style.width = 400;
    style.indent = "  ";
    out += table.render(style) + "\n" + waterfall(one, Versions::kHide, "  ");
  }
  return out;
}

std::string explain_json(const MeshProfile& profile, const Question& question, const std::vector<Outline>& outlines) {
  Json out{{"profile", profile.name},
           {"istio", profile.istio_minor},
           {"envoy", profile.envoy_minor},
           {"proof", profile.proof},
           {"topology", question.topology.name},
           {"entry", to_string(question.entry)},
           {"naming", to_string(question.naming)},
           {"gatewaySpawns", profile.spawns(question.gateway_spawn)},
           {"sampling", {{"parentDecides", profile.parent_decides_sampling},
                         {"defaultPercent", profile.default_sampling_percent}}}};
  out["trees"] = Json::array();
  for (const Outline& one : outlines) {
    Json tree{{"journey", one.journey}, {"variant", one.variant}, {"mesh", one.mesh}, {"app", one.app}};
    tree["services"] = one.by_where;
    tree["spans"] = Json::array();
    for (const Row& row : one.rows) tree["spans"].push_back(json_of(row));
    out["trees"].push_back(std::move(tree));
  }
  return out.dump(2) + "\n";
}

}  // namespace hopcheck::preview
