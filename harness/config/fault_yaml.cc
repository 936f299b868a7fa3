// spec.faults and spec.inject: what goes wrong, and whether it can go wrong in this topology.
#include <fmt/format.h>

#include <algorithm>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

const std::vector<std::pair<const char*, Fault::Kind>> kKinds{
    {"drop", Fault::Kind::kDrop},           {"delay", Fault::Kind::kDelay},
    {"fail", Fault::Kind::kFail},           {"callTwice", Fault::Kind::kCallTwice},
    {"abort", Fault::Kind::kAbort},         {"retry", Fault::Kind::kRetry},
    {"wireDelay", Fault::Kind::kWireDelay}, {"timeout", Fault::Kind::kTimeout},
    {"appDown", Fault::Kind::kAppDown},     {"noEndpoint", Fault::Kind::kNoEndpoint}};

// Exactly one of the fields names what goes wrong.
void read_kind(Reader& reader, const Node& item, const std::string& where, Problems& problems, Fault& fault) {
  int kinds = 0;
  for (const auto& [key, kind] : kKinds) {
    if (!reader.has(key)) continue;
    ++kinds;
    fault.kind = kind;
  }
  if (kinds == 1) return;
  std::string names;
  for (const auto& [key, kind] : kKinds) names += (names.empty() ? "" : ", ") + std::string(key);
  problems.add(item, where + ": needs exactly one of " + names);
}

void read_durations(Reader& reader, Fault& fault) {
  for (const char* key : {"delay", "wireDelay", "timeout"}) {
    const int64_t nanos = reader.duration_nanos(key, 0);
    if (nanos != 0) fault.delay_nanos = nanos;
  }
}

void read_statuses(Reader& reader, Fault& fault) {
  const bool answers = fault.kind == Fault::Kind::kFail || fault.kind == Fault::Kind::kRetry;
  if (reader.has("abort")) fault.status = static_cast<int>(reader.integer("abort", 503, {200, 599}));
  else reader.take("abort");
  if (reader.has("status") && !answers) reader.problem("status", "belongs to fail and retry");
  const int64_t status = reader.integer("status", fault.status, {400, 599});
  if (answers) fault.status = static_cast<int>(status);
  if (fault.kind == Fault::Kind::kRetry && status < 500)
    reader.problem("status", "is retried by nobody: retries are on 5xx");
}

void read_retry(Reader& reader, Fault& fault) {
  fault.times = static_cast<int>(reader.integer("retry", 1, {0, 10}));
  if (reader.has("attempts") && fault.kind != Fault::Kind::kRetry) reader.problem("attempts", "belongs to retry");
  fault.attempts = static_cast<int>(reader.integer("attempts", std::max(3, fault.times), {1, 10}));
  if (fault.kind == Fault::Kind::kRetry && fault.times > fault.attempts)
    reader.problem("attempts", "is less than the attempts that fail");
}

bool has_proxied_caller(const Scenario& scenario, const std::string& service) {
  if (scenario.topology.entry == service && (scenario.entry == Entry::kGateway || scenario.entry == Entry::kMesh))
    return true;
  const auto& without = scenario.environment.without_sidecar;
  return std::any_of(scenario.topology.services.begin(), scenario.topology.services.end(), [&](const Service& caller) {
    const bool proxied = caller.meshed && std::find(without.begin(), without.end(), caller.name) == without.end();
    return proxied && std::any_of(caller.calls.begin(), caller.calls.end(),
                                  [&](const Call& call) { return call.to == service; });
  });
}

}  // namespace

Fault read_fault(const Node* item, const std::string& where, ScenarioDraft& draft, Problems& problems) {
  Reader reader(item, where, problems);
  Fault fault;
  fault.at = reader.text("at", "", Need::kRequired);
  use_service(draft, *item, where + ".at", fault.at);
  fault.journey = reader.text("journey", "");
  const auto& journeys = draft.scenario.load.journeys;
  const bool known =
      std::any_of(journeys.begin(), journeys.end(), [&](const Journey& j) { return j.name == fault.journey; });
  if (!fault.journey.empty() && !known)
    reader.problem("journey", fmt::format("no journey \"{}\"", printable(fault.journey)));
  read_kind(reader, *item, where, problems, fault);
  fault.header = reader.choice<std::string>(
      "drop", "", {{"traceparent", "traceparent"}, {"tracestate", "tracestate"}, {"x-request-id", "x-request-id"},
                     {"all", "all"}});
  read_durations(reader, fault);
  fault.percent = reader.number("fail", 100, {0.01, 100});
  for (const char* key : {"callTwice", "appDown", "noEndpoint"}) {
    if (!reader.boolean(key, true)) reader.problem(key, "leave it out instead of false");
  }
  read_retry(reader, fault);
  read_statuses(reader, fault);
  const bool of_the_mesh = fault.kind == Fault::Kind::kAppDown || fault.kind == Fault::Kind::kNoEndpoint;
  if (of_the_mesh && !fault.journey.empty()) reader.problem("journey", "cannot confine it: it holds for every request");
  reader.finish();
  return fault;
}

void check_fault_effect(const Scenario& scenario, const Fault& fault, const ServiceUse& use, Problems& problems) {
  const Topology& topology = scenario.topology;
  const Service& service = topology.services[static_cast<size_t>(topology.find(use.service))];
  const auto problem = [&](const std::string& why) {
    problems.add(use.line, use.column,
                 fmt::format("{}: {}, so {} changes nothing", use.where, why, to_string(fault.kind)));
  };
  const bool needs_calls = fault.kind == Fault::Kind::kDrop || fault.kind == Fault::Kind::kCallTwice;
  if (needs_calls && service.calls.empty()) problem(service.name + " makes no calls");
  if (is_route_fault(fault.kind) && !has_proxied_caller(scenario, service.name))
    problem("no proxy calls " + service.name);
  const bool in_the_app = needs_calls || fault.kind == Fault::Kind::kDelay || fault.kind == Fault::Kind::kFail ||
                          (fault.kind == Fault::Kind::kRetry && fault.times > 0);
  if (in_the_app && service.instrumentation == Instrumentation::kAuto) {
    problems.add(use.line, use.column,
                 fmt::format("{}: the app of {} has no switch for {}", use.where, service.name, to_string(fault.kind)));
  }
}

}  // namespace hopcheck::config
