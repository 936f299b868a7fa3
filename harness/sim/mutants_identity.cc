// Names, kinds, scope, resource, tags, status, versions, ids: families 04 and 05.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "plan/naming.h"
#include "sim/mutants.h"

namespace hopcheck::sim {
namespace {

constexpr std::array<NamingMode, 4> kModes = {NamingMode::kAppLabelAndNamespace, NamingMode::kCanonicalNameOnly,
                                              NamingMode::kCanonicalNameAndNamespace,
                                              NamingMode::kOtelSemanticConventions};

Subject of_service(const Hand& hand, size_t i, std::string object = "") {
  Subject subject;
  subject.service = hand.label(hand.node(i).service);
  subject.object = std::move(object);
  return subject;
}

std::optional<size_t> a_mesh_span(Hand& hand) {
  return hand.draw([&](size_t k) { return hand.is_mesh(k); });
}

// Every span of the same proxies, in all requests.
std::vector<size_t> same_proxy(const Hand& hand, size_t i) {
  return hand.all([&](size_t k) { return hand.is_mesh(k) && hand.node(k).service == hand.node(i).service; });
}

Service service_of(int index, const Topology& topology) {
  if (index == kGatewayService) return plan::gateway_service();
  if (index == kClientService) return plan::load_client_service(topology.ns);
  return topology.services[static_cast<size_t>(index)];
}

// A pod that started under another naming mode keeps its name until it restarts.
Planted stale_naming(Hand& hand, int) {
  const MeshProfile& profile = *hand.mesh().profile;
  const Topology& topology = hand.mesh().scenario.topology;
  std::string other_name;
  const auto i = hand.draw([&](size_t k) {
    if (!hand.is_mesh(k)) return false;
    const Service service = service_of(hand.node(k).service, topology);
    if (service.workloads.size() != 1) return false;
    return std::any_of(profile.naming.begin(), profile.naming.end(), [&](const auto& item) {
      return plan::proxy_service_name(item.second, service, service.workloads[0]) != hand.node(k).service_name;
    });
  });
  if (!i) return not_applicable("all naming modes give each workload the same name");
  const Service service = service_of(hand.node(*i).service, topology);
  for (const auto& [mode, rule] : profile.naming) {
    const std::string name = plan::proxy_service_name(rule, service, service.workloads[0]);
    if (name != hand.node(*i).service_name) other_name = name;
  }
  for (size_t k : same_proxy(hand, *i)) hand.rename_service(k, other_name);
  return planted(of_service(hand, *i));
}

// The mode was set to another one and no proxy restarted: all keep the names of the mode before.
Planted names_before(Hand& hand, int) {
  const MeshProfile& profile = *hand.mesh().profile;
  const NamingMode now = hand.mesh().scenario.environment.naming;
  const auto name = [&](size_t i, const NamingRule& rule) {
    const Service service = service_of(hand.node(i).service, hand.mesh().scenario.topology);
    return plan::proxy_service_name(rule, service, service.workloads.front());
  };
  const auto wrong = [&](const NamingRule& rule) {
    return hand.all([&](size_t k) { return hand.is_mesh(k) && name(k, rule) != hand.node(k).service_name; });
  };
  for (const auto& [mode, rule] : profile.naming) {
    const std::vector<size_t> spans = wrong(rule);
    if (mode == now || spans.empty()) continue;
    // A mode that gives these workloads the same names cannot be told from this one; the first is named.
    NamingMode named = mode;
    for (const auto& [other, other_rule] : profile.naming) {
      const bool same = std::all_of(spans.begin(), spans.end(),
                                    [&](size_t k) { return name(k, other_rule) == name(k, rule); });
      if (!same) continue;
      named = other;
      break;
    }
    for (size_t k : spans) hand.rename_service(k, name(k, rule));
    Subject subject;
    subject.object = std::string("names of ") + to_string(named);
    return planted(subject);
  }
  return not_applicable("all naming modes give each workload the same name");
}

Planted other_service_name(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  for (size_t k : same_proxy(hand, *i)) hand.rename_service(k, "istio-proxy");
  return planted(of_service(hand, *i));
}

Planted app_service_name(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return !hand.is_mesh(k); });
  if (!i) return not_applicable("no service makes app spans");
  const int service = hand.node(*i).service;
  for (size_t k : hand.all([&](size_t s) { return !hand.is_mesh(s) && hand.node(s).service == service; }))
    hand.rename_service(k, "unknown_service");
  return planted(of_service(hand, *i));
}

Planted rename_mesh(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  const bool spawned = hand.node(*i).role == ProxyRole::kGatewayClient;
  hand.rename(*i, spawned ? "router outbound|80||elsewhere; egress" : "allow_any");
  Subject subject;
  subject.hop = hand.hop(*i);
  return planted(subject);
}

Planted rename_app(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return !hand.is_mesh(k); });
  if (!i) return not_applicable("no service makes app spans");
  hand.rename(*i, hand.node(*i).name + " v2");
  return planted(of_service(hand, *i, hand.node(*i).name));
}

Planted kind_of_mesh(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  hand.span(*i).kind = hand.span(*i).kind == SpanKind::kServer ? SpanKind::kClient : SpanKind::kServer;
  return planted(of_service(hand, *i, to_string(hand.node(*i).role)));
}

Planted kind_of_app(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return !hand.is_mesh(k); });
  if (!i) return not_applicable("no service makes app spans");
  hand.span(*i).kind = SpanKind::kProducer;
  return planted(of_service(hand, *i, hand.node(*i).name));
}

Planted scope_name(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  if (!hand.span(*i).scope->present) return not_applicable("this version's proxies send no scope");
  Scope scope = *hand.span(*i).scope;
  scope.name = "rewritten";
  for (size_t k : same_proxy(hand, *i)) hand.set_scope(k, scope);
  return planted(of_service(hand, *i));
}

// Lost where the version sends one, there where it sends none.
Planted scope_presence(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  Scope scope;
  scope.present = !hand.span(*i).scope->present;
  if (scope.present) scope.name = "envoy";
  for (size_t k : same_proxy(hand, *i)) hand.set_scope(k, scope);
  return planted(of_service(hand, *i));
}

struct Choice {
  size_t span = 0;
  std::string key;
};

// A span and an attribute that it must always have; `exact`: one whose value is known.
enum class Of { kResource, kSpan };
enum class Value { kAny, kKnown };
std::optional<Choice> an_attribute(Hand& hand, Of of, Value value) {
  const auto keys = [&](size_t k) {
    std::vector<std::string> out;
    const ExpectedSpan& node = hand.node(k);
    for (const ExpectedAttribute& item : of == Of::kResource ? node.resource : node.attributes) {
      const bool due = item.when == AttributeRule::When::kAlways && item.key != "service.name";
      // The version string decides which profile is asked (HOP0507); `component` tells mesh from app without a scope.
      const bool tells =
          item.key == "telemetry.sdk.version" || (item.key == "component" && !hand.span(k).scope->present);
      if (due && !tells && (value == Value::kAny || !item.value.empty())) out.push_back(item.key);
    }
    return out;
  };
  const auto i = hand.draw([&](size_t k) { return hand.is_mesh(k) && !keys(k).empty(); });
  if (!i) return std::nullopt;
  const auto list = keys(*i);
  return Choice{*i, list[hand.rng().below(list.size())]};
}

Planted resource_missing(Hand& hand, int) {
  const auto choice = an_attribute(hand, Of::kResource, Value::kAny);
  if (!choice) return not_applicable("the profile asks for no resource attribute");
  hand.remove_resource(choice->span, choice->key);
  return planted(of_service(hand, choice->span, choice->key));
}

Planted resource_wrong(Hand& hand, int) {
  const auto choice = an_attribute(hand, Of::kResource, Value::kKnown);
  if (!choice) return not_applicable("the profile knows no value of a resource attribute");
  hand.replace_resource(choice->span, choice->key, "rewritten");
  return planted(of_service(hand, choice->span, choice->key));
}

Planted tag_missing(Hand& hand, int) {
  const auto choice = an_attribute(hand, Of::kSpan, Value::kAny);
  if (!choice) return not_applicable("the profile asks for no tag");
  hand.remove_attribute(choice->span, choice->key);
  return planted(of_service(hand, choice->span, choice->key));
}

Planted tag_wrong(Hand& hand, int) {
  const auto choice = an_attribute(hand, Of::kSpan, Value::kKnown);
  if (!choice) return not_applicable("the profile knows no value of a tag");
  hand.replace_attribute(choice->span, choice->key, "rewritten");
  return planted(of_service(hand, choice->span, choice->key));
}

// What a later version sets: a proxy that does not do so in this one.
Planted tag_of_another_version(Hand& hand, int) {
  const auto forbidden = [&](size_t k) {
    for (const ExpectedAttribute& item : hand.node(k).attributes) {
      if (item.when == AttributeRule::When::kNever) return item.key;
    }
    return std::string();
  };
  const auto i = hand.draw([&](size_t k) { return hand.is_mesh(k) && !forbidden(k).empty(); });
  if (!i) return not_applicable("the profile rules no tag out");
  const std::string key = forbidden(*i);
  hand.replace_attribute(*i, key, "set all the same");
  return planted(of_service(hand, *i, key));
}

Planted tag_type(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.span(k).attributes.find("request_size") != nullptr; });
  if (!i) return not_applicable("no span says its request's size");
  hand.make_attribute_integer(*i, "request_size", 0);
  return planted(of_service(hand, *i, "request_size"));
}

Planted other_path(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return !hand.node(k).path.empty(); });
  if (!i) return not_applicable("no span says its request's path");
  const std::string url(hand.span(*i).attributes.text("http.url"));
  const size_t query = url.find('?');
  hand.replace_attribute(*i, "http.url",
                         url.substr(0, query) + "/elsewhere" + (query == std::string::npos ? "" : url.substr(query)));
  return planted(of_service(hand, *i, "http.url"));
}

// As findings name what was answered: "200", of a gRPC call "grpc 0".
std::string answered(const Hand& hand, size_t i) {
  const std::string_view grpc = hand.span(i).attributes.text("grpc.status_code");
  return grpc.empty() ? "200" : "grpc " + std::string(grpc);
}

Planted status(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  hand.span(*i).status = StatusCode::kError;
  return planted(of_service(hand, *i, fmt::format("{} {}", to_string(hand.span(*i).kind), answered(hand, *i))));
}

Planted error_tag(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  hand.replace_attribute(*i, "error", "true");
  return planted(of_service(hand, *i, fmt::format("{} {} error", to_string(hand.span(*i).kind), answered(hand, *i))));
}

// The service answers 500 and calls nobody; everything above passes the code on.
Planted error_answer(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.node(k).role == ProxyRole::kInbound; });
  if (!i) return not_applicable("no proxy stands before a service");
  const Subject subject = of_service(hand, *i);
  std::vector<size_t> not_done;
  for (size_t k : hand.subtree(*i)) {
    if (hand.node(k).service != hand.node(*i).service || hand.node(k).role == ProxyRole::kOutbound)
      not_done.push_back(k);
  }
  const MeshProfile& profile = *hand.mesh().profile;
  for (std::optional<size_t> k = i; k; k = hand.parent(*k)) {
    if (hand.is_mesh(*k)) answer(hand.span(*k), 500, profile, hand.arena());
  }
  Outcome& outcome = hand.mesh().ledger[hand.mesh().origin[*i].request].outcome;
  outcome.kind = OutcomeKind::kFailed;
  outcome.status = 500;
  hand.erase(not_done);
  return planted(subject);
}

Planted envoy_version(Hand& hand, int) {
  const auto i = a_mesh_span(hand);
  if (!i) return not_applicable("there is no mesh span");
  for (size_t k : same_proxy(hand, *i))
    hand.replace_resource(k, "telemetry.sdk.version",
                          "0000000000000000000000000000000000000000/1.12.0/Clean/RELEASE/BoringSSL");
  return planted(of_service(hand, *i, "telemetry.sdk.version"));
}

// A span that nothing hangs under, so that only its own ids are wrong.
// A proxy says that it delayed a request, and nobody declared that.
Planted response_flag(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.span(k).attributes.text("response_flags") == "-"; });
  if (!i) return not_applicable("no proxy says response_flags");
  hand.replace_attribute(*i, "response_flags", "DI");
  Subject subject;
  subject.hop = hand.hop(*i);
  return planted(subject);
}

Planted zero_span_id(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.children(k).empty(); });
  if (!i) return not_applicable("there is no span");
  hand.span(*i).span_id = {};
  hand.span(*i).ids_valid = false;
  return planted(of_service(hand, *i));
}

Planted zero_trace_id(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) {
    return hand.children(k).empty() && hand.request(hand.mesh().origin[k].request).size() > 1;
  });
  if (!i) return not_applicable("every request leaves one span only");
  hand.span(*i).trace_id = {};
  hand.span(*i).ids_valid = false;
  return planted(of_service(hand, *i));
}

Ground naming_ground(NamingMode mode) {
  Ground out;
  out.naming = mode;
  return out;
}

}  // namespace

std::vector<Mutant> identity_mutants() {
  std::vector<Mutant> out;
  for (size_t m = 0; m < kModes.size(); ++m) {
    out.push_back({fmt::format("stale-naming.{}", to_string(kModes[m])), "HOP0401", naming_ground(kModes[m]), {},
                   stale_naming});
  }
  for (size_t m = 0; m < kModes.size(); ++m) {
    Ground unchanged = naming_ground(kModes[m]);
    unchanged.naming_restart = false;
    out.push_back({fmt::format("names-before.{}", to_string(kModes[m])), "HOP0404", unchanged, {"HOP0401"},
                   names_before});
  }
  const std::vector<Mutant> rest = {
      {"other-service-name", "HOP0401", any_ground(), {}, other_service_name},
      {"app-service-name", "HOP0401", any_ground(), {}, app_service_name},
      {"mesh-span-renamed", "HOP0402", any_ground(), {}, rename_mesh},
      {"app-span-renamed", "HOP0403", any_ground(), {}, rename_app},
      {"mesh-span-kind", "HOP0501", any_ground(), {}, kind_of_mesh},
      {"app-span-kind", "HOP0501", any_ground(), {}, kind_of_app},
      {"scope-name", "HOP0502", any_ground(), {}, scope_name},
      {"scope-presence", "HOP0502", any_ground(), {}, scope_presence},
      {"resource-missing", "HOP0503", any_ground(), {}, resource_missing},
      {"resource-wrong", "HOP0503", any_ground(), {}, resource_wrong},
      {"tag-missing", "HOP0504", any_ground(), {}, tag_missing},
      {"tag-wrong", "HOP0504", any_ground(), {}, tag_wrong},
      {"tag-of-another-version", "HOP0504", any_ground(), {}, tag_of_another_version},
      {"tag-type", "HOP0504", any_ground(), {}, tag_type},
      {"other-path", "HOP0504", any_ground(), {}, other_path},
      {"status", "HOP0505", any_ground(), {}, status},
      {"error-tag", "HOP0505", any_ground(), {}, error_tag},
      {"error-answer", "HOP0506", any_ground(), {"HOP0301", "HOP1101"}, error_answer},
      {"envoy-version", "HOP0507", any_ground(), {}, envoy_version},
      {"response-flag", "HOP0509", any_ground(), {}, response_flag},
      {"zero-span-id", "HOP0508", any_ground(), {}, zero_span_id},
      {"zero-trace-id", "HOP0508", any_ground(), {"HOP0301", "HOP1101", "HOP0601"}, zero_trace_id},
  };
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

}  // namespace hopcheck::sim
