#include "plan/expand.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "plan/app_spans.h"
#include "plan/fault_plan.h"
#include "plan/naming.h"
#include "plan/port_protocol.h"
#include "plan/tree_builder.h"

namespace hopcheck::plan {
namespace {

constexpr size_t kMaxVariants = 64;

// Every combination of workload and declared failure, in a fixed order.
std::vector<Choice> choices_of(const Scenario& scenario) {
  const size_t services = scenario.topology.services.size();
  std::vector<Choice> out{{std::vector<size_t>(services, 0), std::vector<bool>(services, false)}};
  for (size_t i = 0; i < services; ++i) {
    const Service& service = scenario.topology.services[i];
    const bool may_fail =
        !service.calls.empty() && std::any_of(scenario.faults.begin(), scenario.faults.end(), [&](const Fault& fault) {
          return fault.kind == Fault::Kind::kFail && fault.at == service.name && fault.percent < 100;
        });
    std::vector<Choice> next;
    for (const Choice& choice : out) {
      for (size_t w = 0; w < std::max<size_t>(1, service.workloads.size()); ++w) {
        for (int fails = 0; fails <= (may_fail ? 1 : 0); ++fails) {
          Choice copy = choice;
          copy.workload[i] = w;
          copy.fails[i] = fails != 0;
          next.push_back(std::move(copy));
        }
      }
    }
    out = std::move(next);
    if (out.size() > kMaxVariants) break;
  }
  return out;
}

// Whether the choice says something else than another one for this journey: its failures are those of some service that
// may fail here.
bool differs_for(const Scenario& scenario, const std::string& journey, const Choice& choice) {
  for (size_t i = 0; i < choice.fails.size(); ++i) {
    if (!choice.fails[i]) continue;
    const Fault* fault = find_fault(scenario, journey, scenario.topology.services[i].name, Fault::Kind::kFail);
    if (fault == nullptr || fault->percent >= 100) return false;
  }
  return true;
}

void name_variant(const Scenario& scenario, const Choice& choice, ExpectedTree& tree) {
  for (size_t i = 0; i < choice.workload.size(); ++i) {
    const Service& service = scenario.topology.services[i];
    const bool takes_part = std::any_of(tree.spans.begin(), tree.spans.end(), [&](const ExpectedSpan& span) {
      return span.service == static_cast<int>(i);
    });
    const auto say = [&](const std::string& text) { tree.variant += (tree.variant.empty() ? "" : ",") + text; };
    if (service.workloads.size() > 1 && takes_part) {
      tree.versions.emplace_back(static_cast<int>(i),
                                 canonical_revision(service, service.workloads[choice.workload[i]]));
      say(service.name + "=" + service.workloads[choice.workload[i]].version);
    }
    if (choice.fails[i]) say(service.name + " fails");
  }
}

// A route fault of one journey matches paths by prefix: no request of another journey may fall under it.
Result<void> check_routes(const Scenario& scenario, const Expansion& expansion) {
  std::map<std::string, std::string> matched;  // host and prefix → journey
  const auto each = [&](const auto& visit) {
    for (const ExpectedTree& tree : expansion.trees) {
      for (const ExpectedSpan& span : tree.spans) {
        const bool routed = span.role == ProxyRole::kInbound || span.peer >= 0;
        if (span.role != ProxyRole::kNone && routed && !span.path.empty()) visit(tree, span);
      }
    }
  };
  each([&](const ExpectedTree& tree, const ExpectedSpan& span) {
    if (span.route != "/*") matched[span.host + " " + span.route.substr(0, span.route.size() - 1)] = tree.journey;
  });
  Result<void> out;
  each([&](const ExpectedTree& tree, const ExpectedSpan& span) {
    if (!out || span.route != "/*") return;
    const std::string own = span.host + " " + span.path;
    for (const auto& [prefix, journey] : matched) {
      if (!out || own.compare(0, prefix.size(), prefix) != 0) continue;
      out = fail(ErrorKind::kUsage,
                 fmt::format("scenario {}: a fault of journey {} would hold for {} too", scenario.name, journey,
                             tree.journey),
                 fmt::format("both ask {} for {}", span.host, span.path), "give the journeys paths of their own");
    }
  });
  return out;
}

// A naming mode that a version does not have leaves nothing to expect of its proxies' names.
Result<void> check_naming(const Scenario& scenario, const ProfileBinding& binding) {
  std::vector<const MeshProfile*> used{binding.fallback};
  for (const auto& [service, profile] : binding.by_service) used.push_back(profile);
  for (const MeshProfile* profile : used) {
    if (profile == nullptr || profile->naming.count(claimed_environment(scenario).naming) > 0) continue;
    return fail(ErrorKind::kUsage,
                fmt::format("scenario {}: Istio {} has no {}", scenario.name, profile->istio_minor,
                            to_string(claimed_environment(scenario).naming)),
                fmt::format("profile {} names no such mode", profile->name), "run it on a version that has it");
  }
  return {};
}

// The load engine sends HTTP/1.1: what the gateway, a sidecar or the app itself takes on this port must be that.
Result<void> check_entry(const Scenario& scenario) {
  const Service& entry =
      scenario.topology.services[static_cast<size_t>(scenario.topology.find(scenario.topology.entry))];
  const PortProtocol protocol = protocol_of(entry, entry.ports.empty() ? 8080 : entry.ports[0].port);
  if (yields_spans(protocol) && protocol != PortProtocol::kGrpc) return {};
  return fail(ErrorKind::kUsage,
              fmt::format("topology {}: the first port of entry {} carries {}", scenario.topology.name, entry.name,
                          to_string(protocol)),
              "requests are sent as HTTP/1.1", "put an HTTP service in front of it");
}

}  // namespace

const MeshProfile& ProfileBinding::of(int service) const {
  const auto found = by_service.find(service);
  return found == by_service.end() ? *fallback : *found->second;
}

Result<Expansion> expand(const Scenario& scenario, const ProfileBinding& binding) {
  if (auto known = check_naming(scenario, binding); !known) return tl::unexpected(known.error());
  if (scenario.topology.find(scenario.topology.entry) < 0) {
    return fail(ErrorKind::kUsage, fmt::format("topology {}: entry service {} does not exist", scenario.topology.name,
                                               scenario.topology.entry));
  }
  if (auto entry = check_entry(scenario); !entry) return tl::unexpected(entry.error());
  if (auto apps = check_auto_services(scenario); !apps) return tl::unexpected(apps.error());
  const std::vector<Choice> choices = choices_of(scenario);
  if (choices.size() > kMaxVariants) {
    return fail(ErrorKind::kUsage,
                fmt::format("scenario {}: more than {} variants of one journey", scenario.name, kMaxVariants),
                "each service with several workloads multiplies them", "split the topology");
  }
  Expansion out;
  for (const Journey& journey : scenario.load.journeys) {
    out.by_journey.emplace_back();
    for (const Choice& choice : choices) {
      if (!differs_for(scenario, journey.name, choice)) continue;
      ExpectedTree tree = build_tree(scenario, binding, choice, journey);
      if (tree.spans.size() >= kMaxSpans) {
        return fail(ErrorKind::kUsage,
                    fmt::format("scenario {}: a request would leave more than {} spans", scenario.name, kMaxSpans));
      }
      name_variant(scenario, choice, tree);
      out.by_journey.back().push_back(static_cast<int>(out.trees.size()));
      out.trees.push_back(std::move(tree));
    }
  }
  if (auto routes = check_routes(scenario, out); !routes) return tl::unexpected(routes.error());
  return out;
}

}  // namespace hopcheck::plan
