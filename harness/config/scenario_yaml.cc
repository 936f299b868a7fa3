#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

constexpr double kMostRequests = 10'000'000;
constexpr double kMostRate = 100'000;

// architecture: the closed list of what a provider can declare.
const std::vector<std::pair<std::string, int>>& capabilities() {
  static const std::vector<std::pair<std::string, int>> kList = [] {
    std::vector<std::pair<std::string, int>> list;
    for (const char* name : {"gateway",     "injection",  "kubernetes",      "telemetry-api", "naming-restart",
                             "mtls",        "rbac",       "fault-injection", "grpc-export",   "http-export",
                             "h2-app",      "tcp",        "redis",           "amqp",          "sdk-app",
                             "alpn-filter", "multi-node", "upgrade",         "proxy-admin",   "odigos-pipeline"}) {
      list.emplace_back(name, 0);
    }
    return list;
  }();
  return kList;
}

bool all_digits(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}


// What a gateway may be asked for: a name, perhaps with a port.
void check_host(Reader& reader, const std::string& host) {
  const bool plain = host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':';
  });
  if (!plain) reader.problem("host", fmt::format("\"{}\" is no host name", printable(host)));
}

std::vector<Journey> read_journeys(Reader& load, TagMode tag) {
  std::vector<Journey> journeys;
  for (const Node* item : load.items("journeys")) {
    Reader reader(item, fmt::format("spec.load.journeys[{}]", journeys.size()), load.problems());
    Journey journey;
    journey.method = reader.text("method", journey.method);
    journey.path = reader.text("path", journey.path);
    journey.name = reader.text("name", journey.method + " " + journey.path);
    journey.weight = static_cast<int>(reader.integer("weight", 1, {1, 1'000'000}));
    journey.host = reader.text("host", "");
    check_host(reader, journey.host);
    journey.outside = reader.boolean("outside", false);
    check_method(reader, journey.method);
    check_path(reader, "path", journey.path, Query::kAllowed);
    const size_t query = journey.path.find('?');
    const bool own_tag = query != std::string::npos && (journey.path.find("?hop=", query) == query ||
                                                        journey.path.find("&hop=", query) != std::string::npos);
    if (own_tag && tag == TagMode::kQuery) reader.problem("path", "the query key hop is taken by the request's tag");
    reader.finish();
    for (const Journey& other : journeys) {
      if (other.name == journey.name)
        reader.problem("name", fmt::format("two journeys are named \"{}\"", printable(journey.name)));
    }
    journeys.push_back(std::move(journey));
  }
  if (journeys.empty()) journeys.push_back({"GET /", 1, "GET", "/"});
  return journeys;
}

void read_load(Reader& spec, LoadSpec& load) {
  Reader reader(spec.take("load", Need::kRequired), "spec.load", spec.problems());
  load.rate = reader.number("rate", load.rate, {0.001, kMostRate});
  const int64_t requests = reader.integer("requests", 0, {1, kMostRequests});
  const int64_t duration = reader.duration_nanos("duration", 0);
  if (spec.has("load") && reader.has("requests") == reader.has("duration")) {
    reader.problem("requests", "give either requests or duration");
  }
  load.requests = static_cast<uint64_t>(requests);
  if (reader.has("duration")) {
    const double planned = std::floor(static_cast<double>(duration) * load.rate / 1e9 + 1e-9);
    if (planned < 1 || planned > kMostRequests) {
      reader.problem("duration", fmt::format("duration × rate must give 1 to {} requests", kMostRequests));
    } else {
      load.requests = static_cast<uint64_t>(planned);
    }
  }
  load.traceparent = reader.choice<TraceparentMode>("traceparent", TraceparentMode::kSampled,
                                                    {{"sampled", TraceparentMode::kSampled},
                                                     {"unsampled", TraceparentMode::kUnsampled},
                                                     {"none", TraceparentMode::kNone}});
  load.tag = reader.choice<TagMode>(
      "tag", TagMode::kQuery,
      {{"query", TagMode::kQuery}, {"user-agent", TagMode::kUserAgent}, {"none", TagMode::kNone}});
  load.trace_state = reader.text("traceState", "");
  if (!load.trace_state.empty() && load.traceparent == TraceparentMode::kNone) {
    reader.problem("traceState", "is only sent beside our traceparent, and traceparent is none");
  }
  load.request_id = reader.boolean("requestId", false);
  if (load.request_id && load.traceparent != TraceparentMode::kNone) {
    reader.problem("requestId", "goes with traceparent none: beside a traceparent ours is always sent");
  }
  // W3C Trace Context 3.3.1: a list of key=value members in visible ASCII, 512 characters are always carried on.
  const bool visible =
      std::all_of(load.trace_state.begin(), load.trace_state.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (!load.trace_state.empty() &&
      (!visible || load.trace_state.size() > 512 || load.trace_state.find('=') == std::string::npos)) {
    reader.problem("traceState", "must hold key=value in visible ASCII, at most 512 characters");
  }
  load.journeys = read_journeys(reader, load.tag);
  reader.finish();
}

std::vector<Fault> read_faults(Reader& spec, const std::string& key, ScenarioDraft& draft) {
  std::vector<Fault> faults;
  for (const Node* item : spec.items(key)) {
    faults.push_back(read_fault(item, fmt::format("spec.{}[{}]", key, faults.size()), draft, spec.problems()));
  }
  return faults;
}

void read_overrides(Reader& spec, ScenarioDraft& draft) {
  for (const Node* item : spec.items("expectOverrides")) {
    auto& overrides = draft.scenario.expect_overrides;
    Reader reader(item, fmt::format("spec.expectOverrides[{}]", overrides.size()), spec.problems());
    ExpectOverride entry;
    entry.service = reader.text("service", "", Need::kRequired);
    entry.service_name = reader.text("serviceName", "");
    entry.port_name = reader.text("portName", "");
    check_label_text(reader, "portName", entry.port_name);
    if (item->kind == Node::Kind::kMap && entry.service_name.empty() && entry.port_name.empty())
      reader.problem("service", "needs serviceName or portName");
    reader.finish();
    use_service(draft, *item, reader.where() + ".service", entry.service);
    overrides.push_back(std::move(entry));
  }
}

void check_rule_names(Reader& rules, const std::string& key, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const bool shape =
        name.rfind("HOP", 0) == 0 && (name.size() == 5 || name.size() == 7) && all_digits(name.substr(3));
    if (!shape)
      rules.problem(
          key, fmt::format("\"{}\" is no rule: write a code like HOP0601 or a family like HOP06", printable(name)));
  }
}

void read_rules(Reader& spec, RuleOptions& rules) {
  Reader reader(spec.take("rules"), "spec.rules", spec.problems());
  rules.include = reader.texts("include");
  rules.exclude = reader.texts("exclude");
  check_rule_names(reader, "include", rules.include);
  check_rule_names(reader, "exclude", rules.exclude);
  Reader tolerance(reader.take("tolerance"), "spec.rules.tolerance", spec.problems());
  rules.nesting_tolerance_nanos = tolerance.duration_nanos("nesting", rules.nesting_tolerance_nanos);
  rules.overhang_tolerance_nanos = tolerance.duration_nanos("overhang", rules.overhang_tolerance_nanos);
  tolerance.finish();
  reader.finish();
}

void read_rows(Reader& spec, std::vector<std::string>& rows) {
  rows = spec.texts("rows");
  for (const std::string& row : rows) {
    if (row.empty() || is_row_id(row)) continue;  // an empty one is reported as no text
    spec.problem("rows", fmt::format("\"{}\" is no conformance row: O-, M-, D- or F- and a number", printable(row)));
  }
}

void read_requires(Reader& spec, std::vector<std::string>& names) {
  names = spec.texts("requires");
  std::vector<std::string> known;
  for (const auto& entry : capabilities()) known.push_back(entry.first);
  const std::vector<const Node*> items = spec.items("requires");
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty() || std::find(known.begin(), known.end(), names[i]) != known.end()) continue;
    const auto best = names[i].size() > 64 ? std::nullopt : nearest(names[i], known);
    spec.problems().add(*items[i], fmt::format("spec.requires[{}]: no capability \"{}\"{}", i, printable(names[i]),
                                               best ? fmt::format("; did you mean \"{}\"?", *best) : ""));
  }
}

void read_topology_ref(Reader& spec, ScenarioDraft& draft) {
  const Node* node = spec.take("topology", Need::kRequired);
  if (!node) return;
  draft.ref_line = node->line;
  draft.ref_column = node->column;
  if (node->kind != Node::Kind::kMap) {
    draft.scenario.topology_ref = scalar_text(*node, "spec.topology", spec.problems()).value_or("");
    return;
  }
  Reader inlined(node, "spec.topology", spec.problems());
  const std::string name = inlined.text("name", "", Need::kRequired);
  draft.scenario.topology_ref = inlined.text("from", name);
  draft.scenario.topology = read_topology_fields(name, inlined);
  draft.has_topology = true;
  inlined.finish();
}

void check_journeys(const ScenarioDraft& draft, Problems& problems) {
  const Scenario& scenario = draft.scenario;
  for (size_t i = 0; i < scenario.load.journeys.size(); ++i) {
    const Journey& journey = scenario.load.journeys[i];
    const auto problem = [&](const char* key, const std::string& why) {
      problems.add(draft.ref_line, draft.ref_column, fmt::format("spec.load.journeys[{}].{}: {}", i, key, why));
    };
    const bool asked = scenario.entry == Entry::kGateway || (scenario.entry == Entry::kMesh && journey.outside);
    if (!journey.host.empty() && !asked)
      problem("host", "only a gateway is asked for one, or a place outside by entry mesh");
    if (!journey.host.empty() && journey.host == scenario.topology.host)
      problem("host", "is the topology's own, which needs no word");
    const bool tagged = scenario.load.traceparent != TraceparentMode::kNone || scenario.load.tag != TagMode::kNone;
    if (journey.outside && tagged)
      problem("outside", "needs traceparent none and tag none: nothing of ours may be seen");
  }
}

}  // namespace

ScenarioDraft read_scenario(const std::string& name, const Node* spec_node, Problems& problems) {
  ScenarioDraft draft;
  Scenario& scenario = draft.scenario;
  scenario.name = name;
  scenario.file = problems.file();
  Reader spec(spec_node, "spec", problems);
  scenario.description = spec.text("description", "");
  read_topology_ref(spec, draft);
  scenario.profile = spec.text("profile", scenario.profile);
  scenario.entry = spec.choice<Entry>("entry", Entry::kGateway,
                                      {{"gateway", Entry::kGateway},
                                       {"mesh", Entry::kMesh},
                                       {"unmeshed", Entry::kUnmeshed},
                                       {"direct", Entry::kDirect}});
  read_environment(spec, draft);
  read_load(spec, scenario.load);
  scenario.faults = read_faults(spec, "faults", draft);
  scenario.inject = read_faults(spec, "inject", draft);
  scenario.inject_random = spec.boolean("injectRandom", false);
  if (scenario.inject_random && !scenario.inject.empty())
    spec.problem("injectRandom", "give either inject or injectRandom");
  read_overrides(spec, draft);
  read_expected_environment(spec, draft);
  scenario.tracing_changed_before_start = spec.boolean("tracingChangedBeforeStart", false);
  read_requires(spec, scenario.requires_capabilities);
  read_rows(spec, scenario.rows);
  read_rules(spec, scenario.rules);
  spec.finish();
  if (draft.has_topology) check_uses(draft, problems);
  return draft;
}

void check_uses(const ScenarioDraft& draft, Problems& problems) {
  const Scenario& scenario = draft.scenario;
  const Topology& topology = scenario.topology;
  std::vector<std::string> names;
  for (const Service& service : topology.services) names.push_back(service.name);
  for (const ServiceUse& use : draft.uses) {
    const int index = topology.find(use.service);
    if (index < 0) {
      const auto best = use.service.size() > 64 ? std::nullopt : nearest(use.service, names);
      problems.add(use.line, use.column,
                   fmt::format("{}: topology {} has no service \"{}\"{}", use.where, topology.name,
                               printable(use.service), best ? fmt::format("; did you mean \"{}\"?", *best) : ""));
      continue;
    }
    const Service& service = topology.services[static_cast<size_t>(index)];
    if (use.where == "spec.environment.withoutSidecar" && !service.meshed) {
      problems.add(use.line, use.column, fmt::format("{}: {} is not meshed anyway", use.where, service.name));
    }
    for (const auto* faults : {&scenario.faults, &scenario.inject}) {
      for (size_t i = 0; i < faults->size(); ++i) {
        const std::string where = fmt::format("spec.{}[{}].at", faults == &scenario.faults ? "faults" : "inject", i);
        if (use.where == where) check_fault_effect(scenario, (*faults)[i], use, problems);
      }
    }
  }
  check_journeys(draft, problems);
  if (scenario.entry == Entry::kGateway && topology.host.empty()) {
    problems.add(draft.ref_line, draft.ref_column,
                 fmt::format("spec.topology: {} has no host, which entry gateway needs", topology.name));
  }
}

Loaded<Scenario> parse_scenario(const std::string& text, const std::string& file) {
  Problems problems(file);
  ScenarioDraft draft;
  const std::vector<Node> documents = parse_yaml(text, problems);
  if (documents.size() > 1) problems.add(documents[1], "expected one document");
  if (!documents.empty()) {
    const auto head = read_head(documents[0], "Scenario", problems);
    if (head && head->spec) draft = read_scenario(head->name, head->spec, problems);
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return draft.scenario;
}

}  // namespace hopcheck::config
