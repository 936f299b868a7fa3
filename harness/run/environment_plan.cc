#include "run/environment_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/rng.h"

namespace hopcheck::run {
namespace {

void move_to_namespace(Topology& topology, const std::string& suffix) {
  if (suffix.empty()) return;
  topology.ns += suffix;
  for (Service& service : topology.services) service.ns += suffix;
  if (!topology.host.empty()) topology.host = suffix.substr(1) + "." + topology.host;
}

// Six hexadecimal digits that tell one set of faults from another (FNV-1a).
std::string fingerprint(const std::vector<MeshFault>& faults) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const MeshFault& item : faults) {
    const Fault& f = item.fault;
    for (const char c : fmt::format("{} {} {} {} {} {}\n", to_string(f.kind), f.at, f.status, f.delay_nanos, f.attempts,
                                    item.prefix)) {
      hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
    }
  }
  return fmt::format("{:06x}", hash & 0xffffff);
}

// The path by which requests of the journey come to the service: the journey's own, unless its callers ask for another.
std::string path_at(const Scenario& scenario, const Fault& fault) {
  std::string path;
  for (const Journey& journey : scenario.load.journeys) {
    if (journey.name == fault.journey) path = journey.path.substr(0, journey.path.find('?'));
  }
  for (const Service& service : scenario.topology.services) {
    for (const Call& call : service.calls) {
      if (call.to == fault.at && !call.path.empty()) path = call.path;
    }
  }
  return path;
}

std::vector<MeshFault> mesh_faults(const Scenario& scenario) {
  std::vector<MeshFault> out;
  for (const auto* faults : {&scenario.faults, &scenario.inject}) {
    for (const Fault& fault : *faults) {
      if (is_mesh_fault(fault.kind)) out.push_back({fault, fault.journey.empty() ? "" : path_at(scenario, fault)});
    }
  }
  return out;
}

std::string suffix_of(const TopologyInstance& instance) {
  std::string suffix;
  if (instance.direct_entry) suffix += "-direct";
  for (const std::string& service : instance.without_sidecar) suffix += "-no-" + service;
  for (const std::string& service : instance.mtls_off) suffix += "-plain-" + service;
  if (instance.app_export_through_sidecar) suffix += "-export";
  for (const auto& [service, version] : instance.proxy_versions) {
    std::string label = version;
    std::replace(label.begin(), label.end(), '.', '-');
    suffix += "-" + service + "-" + label;
  }
  if (!instance.faults.empty()) suffix += "-faults-" + fingerprint(instance.faults);
  return suffix;
}

bool same_group(const EnvironmentState& a, const SpecEnvironment& b) {
  return a.transport == b.transport && a.sampling == b.sampling && a.naming == b.naming &&
         a.naming_unset == b.naming_unset && a.naming_restart == b.naming_restart &&
         a.gateway_spawn == b.gateway_spawn.value_or(true) && a.mesh_tracing == b.mesh_tracing &&
         a.telemetry_provider == b.telemetry_provider && a.telemetry_scope == b.telemetry_scope;
}

class Planner {
 public:
  Planner(const std::string& istio, uint64_t seed) : istio_(istio), seed_(seed) {}

  void add(const Scenario& scenario, size_t source) {
    PlannedScenario item;
    item.scenario = scenario;
    item.source = source;
    if (scenario.inject_random) {
      item.drawn = true;
      const Fault fault = draw_fault(scenario.topology, seed_);
      if (fault.kind != Fault::Kind::kNone) item.scenario.inject.push_back(fault);
    }
    TopologyInstance instance;
    instance.direct_entry = scenario.entry == Entry::kDirect;
    instance.without_sidecar = scenario.environment.without_sidecar;
    std::sort(instance.without_sidecar.begin(), instance.without_sidecar.end());
    instance.mtls_off = scenario.environment.mtls_off;
    std::sort(instance.mtls_off.begin(), instance.mtls_off.end());
    instance.app_export_through_sidecar = scenario.environment.app_export_through_sidecar;
    instance.proxy_versions = scenario.environment.proxy_versions;
    instance.topology = scenario.topology;
    instance.faults = mesh_faults(scenario);
    move_to_namespace(instance.topology, suffix_of(instance));
    item.scenario.topology = instance.topology;
    item.instance = place(std::move(instance), scenario.entry == Entry::kMesh);
    item.group = group_of(scenario);
    plan_.scenarios.push_back(std::move(item));
  }

  EnvironmentPlan finish() {
    order_groups();
    std::stable_sort(plan_.scenarios.begin(), plan_.scenarios.end(),
                     [](const PlannedScenario& a, const PlannedScenario& b) { return a.group < b.group; });
    uint64_t next = 0;
    for (PlannedScenario& item : plan_.scenarios) {
      item.first_n = next;
      next += item.scenario.load.requests;
    }
    for (size_t g = 0; g < plan_.groups.size(); ++g) {
      plan_.groups[g].instances = instances_;
      for (size_t i = 0; i < instances_.size(); ++i) {
        plan_.groups[g].instances[i].done =
            std::none_of(plan_.scenarios.begin(), plan_.scenarios.end(),
                         [&](const PlannedScenario& item) { return item.instance == i && item.group >= g; });
      }
    }
    return std::move(plan_);
  }

 private:
  size_t place(TopologyInstance instance, bool mesh_client) {
    for (size_t i = 0; i < instances_.size(); ++i) {
      TopologyInstance& known = instances_[i];
      if (known.topology.name == instance.topology.name && known.topology.ns == instance.topology.ns) {
        known.mesh_client = known.mesh_client || mesh_client;
        return i;
      }
    }
    instance.mesh_client = mesh_client;
    instances_.push_back(std::move(instance));
    return instances_.size() - 1;
  }

  size_t group_of(const Scenario& scenario) {
    const SpecEnvironment& environment = scenario.environment;
    for (size_t i = 0; i < plan_.groups.size(); ++i) {
      if (same_group(plan_.groups[i], environment)) return i;
    }
    EnvironmentState state;
    state.istio = istio_;
    state.transport = environment.transport;
    state.naming = environment.naming;
    state.naming_unset = environment.naming_unset;
    state.naming_restart = environment.naming_restart;
    state.gateway_spawn = environment.gateway_spawn.value_or(true);
    state.sampling = environment.sampling;
    state.mesh_tracing = environment.mesh_tracing;
    state.telemetry_provider = environment.telemetry_provider;
    state.telemetry_scope = environment.telemetry_scope;
    plan_.groups.push_back(std::move(state));
    return plan_.groups.size() - 1;
  }

  // States of one naming and spawn stand together, in the order in which they were first asked for: between others all
  // proxies restart.
  void order_groups() {
    std::vector<size_t> order(plan_.groups.size());
    std::vector<size_t> rank(plan_.groups.size());
    for (size_t i = 0; i < order.size(); ++i) {
      order[i] = rank[i] = i;
      for (size_t j = 0; j < i && rank[i] == i; ++j) {
        if (!needs_restart(plan_.groups[j], plan_.groups[i])) rank[i] = rank[j];
      }
    }
    std::stable_sort(order.begin(), order.end(), [&rank](size_t a, size_t b) { return rank[a] < rank[b]; });
    std::vector<EnvironmentState> groups;
    std::vector<size_t> place(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      place[order[i]] = i;
      groups.push_back(std::move(plan_.groups[order[i]]));
    }
    plan_.groups = std::move(groups);
    for (PlannedScenario& item : plan_.scenarios) item.group = place[item.group];
  }

  const std::string istio_;
  const uint64_t seed_;
  EnvironmentPlan plan_;
  std::vector<TopologyInstance> instances_;
};

}  // namespace

uint64_t EnvironmentPlan::total_requests() const {
  uint64_t sum = 0;
  for (const PlannedScenario& item : scenarios) sum += item.scenario.load.requests;
  return sum;
}

EnvironmentPlan plan_environment(const std::vector<Scenario>& scenarios, const std::string& istio,
                                         uint64_t seed) {
  Planner planner(istio, seed);
  for (size_t i = 0; i < scenarios.size(); ++i) planner.add(scenarios[i], i);
  return planner.finish();
}

Fault draw_fault(const Topology& topology, uint64_t seed) {
  Rng rng(seed ^ 0x6661756c74ull);
  std::vector<const Service*> callers;
  for (const Service& service : topology.services) {
    if (!service.calls.empty()) callers.push_back(&service);
  }
  Fault fault;
  const uint64_t kind = rng.below(5);
  if (callers.empty() || kind == 0) return fault;
  fault.at = callers[rng.below(callers.size())]->name;
  static constexpr const char* kHeaders[] = {"traceparent", "tracestate", "x-request-id"};
  const char* header = kHeaders[rng.below(3)];
  fault.kind = kind == 4 ? Fault::Kind::kCallTwice : Fault::Kind::kDrop;
  if (fault.kind == Fault::Kind::kDrop) fault.header = header;
  return fault;
}

std::vector<ExpectedFinding> findings_of_fault(const Topology& topology, const Fault& fault) {
  Subject subject;
  subject.service = fault.at;
  if (fault.kind == Fault::Kind::kDrop) {
    subject.header = fault.header == "all" ? "traceparent" : fault.header;
    const char* code = subject.header == "traceparent"  ? "HOP0601"
                       : subject.header == "tracestate" ? "HOP0602"
                                                        : "HOP0603";
    return {{code, subject_key(subject)}};
  }
  if (fault.kind == Fault::Kind::kFail) return {{"HOP0506", subject_key(subject)}};
  if (fault.kind != Fault::Kind::kCallTwice) return {};
  std::vector<ExpectedFinding> out;
  const int index = topology.find(fault.at);
  for (const Call& call : index < 0 ? std::vector<Call>{} : topology.services[index].calls) {
    subject.hop = fault.at + "->" + call.to;
    out.push_back({"HOP0302", subject_key(subject)});
  }
  return out;
}

std::string describe(const Fault& fault) {
  if (fault.kind == Fault::Kind::kNone) return "none";
  std::string out = to_string(fault.kind);
  if (!fault.header.empty()) out += " " + fault.header;
  return out + " at " + fault.at;
}

}  // namespace hopcheck::run
