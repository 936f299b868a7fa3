#include "sim/mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "plan/expand.h"
#include "plan/intent.h"
#include "plan/naming.h"
#include "sim/edit.h"
#include "sim/synthesize.h"

namespace hopcheck::sim {
namespace {

constexpr uint64_t kCounterBefore = 1000;  // counters of a standing mesh do not begin at zero

Scenario scenario_of(const Topology& topology, const MeshProfile& profile, const Ground& ground) {
  Scenario out;
  out.name = topology.name + "-selftest";
  out.file = out.name + ".yaml";
  out.topology_ref = topology.name;
  out.topology = topology;
  out.profile = ground.pinned_profile ? profile.name : "auto";
  out.entry = *ground.entry;
  out.environment.naming = *ground.naming;
  out.environment.gateway_spawn = *ground.gateway_spawn;
  out.environment.sampling = ground.sampling;
  out.environment.naming_restart = ground.naming_restart;
  if (ground.newer != nullptr) out.environment.proxy_versions[ground.newer_at] = ground.newer->istio_minor;
  out.load.requests = ground.requests;
  out.load.traceparent = *ground.traceparent;
  if (out.load.traceparent != TraceparentMode::kNone) out.load.trace_state = "hop=t{n}";
  const int entry = topology.find(topology.entry);
  Journey journey;
  const auto& spans = topology.services[entry].spans;
  const bool post = !spans.empty() && spans[0].name.rfind("POST ", 0) == 0;
  journey.method = post ? "POST" : "GET";
  journey.path = post ? spans[0].name.substr(5) : "/";
  journey.name = journey.method + " " + journey.path;
  out.load.journeys = {journey};
  out.faults = ground.faults;
  return out;
}

class Simulator {
 public:
  Simulator(const MeshProfile& profile, const Ground& ground, uint64_t seed, Arena& arena)
      : ground_(ground), arena_(arena), rng_(seed) {
    mesh_.profile = &profile;
    mesh_.has_ledger = ground.ledger;
    mesh_.tag.nonce = rng_.next();
    for (uint8_t& byte : mesh_.tag.key) byte = static_cast<uint8_t>(rng_.next());
  }

  Result<Mesh> run(const Topology& topology) {
    mesh_.scenario = scenario_of(topology, *mesh_.profile, ground_);
    plan::ProfileBinding binding;
    binding.fallback = mesh_.profile;
    if (ground_.newer != nullptr) binding.by_service[topology.find(ground_.newer_at)] = ground_.newer;
    auto expansion = plan::expand(mesh_.scenario, binding);
    if (!expansion) return tl::unexpected(expansion.error());
    mesh_.trees = std::move(expansion->trees);
    requests(expansion->by_journey);
    environment();
    mesh_.bodies.received = mesh_.bodies.accepted = 1 + mesh_.spans.size() / 100;
    count_exports(mesh_);
    return std::move(mesh_);
  }

 private:
  // What of the sampled share this request belongs to. Envoy's own draw is random; here it is spread evenly, so that
  // the share of a clean run is the configured one whatever the seed. Grounds that sample a share make the first proxy
  // give the x-request-id, from which nobody can tell the draw beforehand.
  bool sampled(uint64_t i) const {
    const bool ours = ground_.traceparent != TraceparentMode::kNone;
    if (ground_.traceparent == TraceparentMode::kUnsampled) return false;
    if (ours && mesh_.profile->parent_decides_sampling) return true;
    const double share = ground_.sampling / 100;
    return static_cast<uint64_t>(static_cast<double>(i + 1) * share) >
           static_cast<uint64_t>(static_cast<double>(i) * share);
  }

  void requests(const std::vector<std::vector<int>>& by_journey) {
    LoadPlan plan;
    plan.tag = mesh_.tag;
    plan.count = ground_.requests;
    plan.traceparent = mesh_.scenario.load.traceparent;
    plan.trace_state = mesh_.scenario.load.trace_state;
    plan.journeys = mesh_.scenario.load.journeys;
    const plan::TagCipher cipher(mesh_.tag);
    for (uint64_t i = 0; i < plan.count; ++i) {
      LedgerEntry entry;
      entry.intent = plan::intent_at(plan, cipher, i);
      entry.scenario = mesh_.scenario.name;
      entry.journey = plan.journeys[entry.intent.journey].name;
      const int64_t due = 1'767'225'600'000'000'000 + entry.intent.due_offset_nanos;
      const auto& variants = by_journey[entry.intent.journey];
      mesh_.tree_of.push_back(variants[rng_.below(variants.size())]);
      const bool failed = std::any_of(ground_.faults.begin(), ground_.faults.end(), [](const Fault& fault) {
        return fault.kind == Fault::Kind::kFail || fault.kind == Fault::Kind::kAbort;
      });
      entry.outcome = {i, due, due + 50'000, due + 60'000'000, failed ? OutcomeKind::kFailed : OutcomeKind::kOk,
                       static_cast<uint16_t>(failed ? 503 : 200)};
      if (sampled(i)) leave_spans(entry, cipher);
      mesh_.ledger.push_back(std::move(entry));
    }
  }

  void leave_spans(const LedgerEntry& entry, const plan::TagCipher& cipher) {
    const auto request = static_cast<uint32_t>(entry.intent.n);
    const ExpectedTree& tree = mesh_.tree(request);
    SynthesisInput input;
    input.tree = &tree;
    input.trace_id = entry.intent.trace_id.is_zero() ? random_trace_id(rng_) : entry.intent.trace_id;
    input.root_parent = entry.intent.span_id;
    input.trace_state = entry.intent.trace_state;
    // Without a traceparent nobody sends an x-request-id either: the first proxy makes one.
    input.request_id =
        entry.intent.request_id.empty() ? Hand(mesh_, arena_, rng_).new_request_id() : entry.intent.request_id;
    input.request_id[14] = '9';  // Envoy's note that the request is traced
    if (!entry.intent.hop.empty()) input.query = "hop=" + entry.intent.hop;
    input.user_agent = "hopcheck/" + cipher.run8();
    input.start_unix_nanos = static_cast<uint64_t>(entry.outcome.sent_unix_nanos);
    std::vector<Span> spans = synthesize(input, arena_, rng_);
    for (size_t node = 0; node < spans.size(); ++node) {
      if (tree.spans[node].role != ProxyRole::kNone && tree.spans[node].http_status == 0)
        answer(spans[node], declared_status(), *tree.spans[node].profile, arena_);
      mesh_.spans.push_back(spans[node]);
      mesh_.origin.push_back({request, static_cast<int>(node), Origin::Kind::kNode});
    }
    forward_declared_drops(request);
  }

  int declared_status() const {
    for (const Fault& fault : ground_.faults) {
      if (fault.kind == Fault::Kind::kFail || fault.kind == Fault::Kind::kAbort || fault.kind == Fault::Kind::kRetry)
        return fault.status;
    }
    return 503;
  }

  // A declared drop of tracestate or x-request-id changes what is below the service.
  void forward_declared_drops(uint32_t request) {
    for (const Fault& fault : ground_.faults) {
      if (fault.kind != Fault::Kind::kDrop || fault.header == "traceparent") continue;
      Hand hand(mesh_, arena_, rng_);
      for (size_t top : hand.calls_of(mesh_.scenario.topology.find(fault.at), request)) {
        const std::string fresh = Hand(mesh_, arena_, rng_).new_request_id();
        for (size_t i : hand.subtree(top)) {
          if (fault.header == "tracestate") mesh_.spans[i].trace_state = {};
          else hand.replace_attribute(i, "guid:x-request-id", fresh);
        }
      }
    }
  }

  void environment() {
    Environment& environment = mesh_.environment;
    environment.provider = "sim";
    if (!ground_.pinned_profile) environment.istio = mesh_.profile->istio_minor + ".1";
    environment.gateway_spawn = mesh_.profile->spawns(ground_.gateway_spawn);
    environment.naming = to_string(*ground_.naming);
    environment.control = {true, true, true, true};
    environment.drain = {"complete", 6'200'000'000};
    environment.telemetry.push_back({"istio-system", "mesh-default", "otel-tracing", ground_.sampling, 0});
    environment.extension_providers = {"otel-http", "otel-tracing"};
    environment.collector_fact.received_before = environment.collector_fact.exported_before = kCounterBefore;
    environment.collector_fact.failed_before = environment.collector_fact.failed_after = 0;
    environment.collector_fact.queue_size = 0;
    for (const Service& service : mesh_.scenario.topology.services) {
      for (const Workload& workload : service.workloads) add_proxy(service, workload, service.name);
    }
    if (*ground_.entry == Entry::kGateway) {
      const Service gateway = plan::gateway_service();
      add_proxy(gateway, gateway.workloads[0], gateway.name);
    } else if (*ground_.entry == Entry::kMesh) {
      const Service client = plan::load_client_service(mesh_.scenario.topology.ns);
      add_proxy(client, client.workloads[0], client.name);
    }
  }

  void add_proxy(const Service& service, const Workload& workload, const std::string& name) {
    ProxyFact proxy;
    proxy.workload = workload.name;
    proxy.ns = service.ns;
    proxy.pod = pod_name(workload.name);
    proxy.service = name;
    proxy.injected = proxy.expected_meshed = service.meshed;
    if (service.meshed) {
      proxy.sent_before = kCounterBefore;
      proxy.dropped_before = proxy.dropped_after = 0;
    }
    mesh_.environment.proxies.push_back(std::move(proxy));
  }

  const Ground& ground_;
  Arena& arena_;
  Rng rng_;
  Mesh mesh_;
};

uint64_t lost_of(const std::vector<std::pair<std::string, uint64_t>>& losses, const std::string& pod) {
  uint64_t sum = 0;
  for (const auto& [name, count] : losses) {
    if (name == pod) sum += count;
  }
  return sum;
}

}  // namespace

std::string pod_of(const ExpectedSpan& node) { return pod_name(node.workload) + "." + node.workload_namespace; }

Ground settle(const Ground& ground, const MeshProfile& profile, uint64_t seed) {
  Rng rng(seed ^ 0x67726f756e64ull);
  // Drawn in a fixed order, whatever is set: the draws of one field do not move with another.
  const auto entry = static_cast<Entry>(rng.below(4));
  const auto traceparent = rng.below(2) == 0 ? TraceparentMode::kSampled : TraceparentMode::kNone;
  const uint64_t naming = rng.below(std::max<size_t>(1, profile.naming.size()));
  const bool spawn = rng.below(4) != 0;
  Ground out = ground;
  if (!out.entry) out.entry = entry;
  if (!out.traceparent) out.traceparent = traceparent;
  if (!out.naming && !profile.naming.empty()) out.naming = std::next(profile.naming.begin(), naming)->first;
  if (!out.naming) out.naming = NamingMode::kAppLabelAndNamespace;
  if (!out.gateway_spawn) out.gateway_spawn = spawn;
  return out;
}

Result<Mesh> simulate(const Topology& topology, const MeshProfile& profile, const Ground& settled, uint64_t seed,
                      Arena& arena) {
  return Simulator(profile, settled, seed, arena).run(topology);
}

void count_exports(Mesh& mesh) {
  std::map<std::string, uint64_t> sent;
  uint64_t received = 0;
  for (size_t i = 0; i < mesh.spans.size(); ++i) {
    const Origin& origin = mesh.origin[i];
    if (origin.kind == Origin::Kind::kCopy) continue;
    ++received;
    const ExpectedSpan& node = mesh.tree(origin.request).spans[origin.node];
    if (node.role != ProxyRole::kNone) ++sent[pod_of(node)];
  }
  for (const auto& [pod, count] : mesh.lost_behind_collector) received += count;
  for (ProxyFact& proxy : mesh.environment.proxies) {
    if (!proxy.sent_before) continue;
    const std::string pod = proxy.pod + "." + proxy.ns;
    const auto found = sent.find(pod);
    proxy.sent_after = *proxy.sent_before + (found == sent.end() ? 0 : found->second) +
                       lost_of(mesh.lost_before_collector, pod) + lost_of(mesh.lost_behind_collector, pod);
  }
  CollectorFact& collector = mesh.environment.collector_fact;
  if (!collector.received_before) return;
  collector.received_after = *collector.received_before + received;
  collector.exported_after = collector.received_after;
}

}  // namespace hopcheck::sim
