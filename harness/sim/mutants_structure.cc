// Structure, spans per hop, app spans: families 02, 03 and 11; and spans that no Telemetry object asks for.
#include <algorithm>

#include "sim/mutants.h"

namespace hopcheck::sim {
namespace {

constexpr ProxyRole kRoles[] = {ProxyRole::kGatewayServer, ProxyRole::kGatewayClient, ProxyRole::kOutbound,
                                ProxyRole::kInbound};

Subject at_hop(const Hand& hand, size_t i) {
  Subject subject;
  subject.service = hand.label(hand.node(i).service);
  subject.hop = hand.hop(i);
  return subject;
}

Subject at_span(const Hand& hand, size_t i) {
  Subject subject;
  subject.service = hand.label(hand.node(i).service);
  subject.object = hand.node(i).name;
  return subject;
}

// Whether what is left of the request after taking these away still names its request: its own trace id or a hop tag.
bool names_its_request(Hand& hand, uint32_t request, size_t without) {
  const bool ours = !hand.mesh().ledger[request].intent.trace_id.is_zero();
  for (size_t i : hand.request(request)) {
    if (i == without) continue;
    if (ours || hand.span(i).attributes.find("http.url") != nullptr) return true;
  }
  return false;
}

Planted drop(Hand& hand, int which) {
  const ProxyRole role = kRoles[which];
  const auto i = hand.draw([&](size_t k) { return hand.node(k).role == role; });
  if (!i) return not_applicable(std::string("no proxy emits a span as ") + to_string(role) + " here");
  if (!names_its_request(hand, hand.mesh().origin[*i].request, *i))
    return not_applicable("nothing that names the request would be left");
  const Subject subject = at_hop(hand, *i);
  hand.erase({*i});
  return planted(subject);
}

Planted drop_app(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return !hand.is_mesh(k); });
  if (!i) return not_applicable("no service makes app spans");
  if (!names_its_request(hand, hand.mesh().origin[*i].request, *i))
    return not_applicable("nothing that names the request would be left");
  const Subject subject = at_span(hand, *i);
  hand.erase({*i});
  return planted(subject);
}

Planted extra_app(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return !hand.is_mesh(k); });
  if (!i) return not_applicable("no service makes app spans");
  Subject subject = at_span(hand, *i);
  subject.object = "undeclared work";
  hand.rename(hand.repeat({*i}).front(), subject.object);
  return planted(subject);
}

// A service's SDK makes ids and passes them on, and exports nothing.
Planted silent_sdk(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) {
    const int service = hand.node(k).service;
    return !hand.is_mesh(k) && hand.mesh().scenario.topology.services[static_cast<size_t>(service)].spans.size() > 1;
  });
  if (!i) return not_applicable("no service makes more than one app span");
  const int service = hand.node(*i).service;
  for (uint32_t request = 0; request < hand.mesh().tree_of.size(); ++request) {
    const auto own = hand.all([&](size_t k) {
      return hand.mesh().origin[k].request == request && !hand.is_mesh(k) && hand.node(k).service == service;
    });
    if (!own.empty() && own.size() == hand.request(request).size()) return not_applicable("no other span is there");
  }
  Subject subject;
  subject.service = hand.label(service);
  hand.erase(hand.all([&](size_t k) { return !hand.is_mesh(k) && hand.node(k).service == service; }));
  return planted(subject);
}

Planted orphan(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.node(k).parent >= 0; });
  if (!i) return not_applicable("every request leaves one span only");
  hand.span(*i).parent_id = hand.new_span_id();
  return planted(at_span(hand, *i));
}

// Under another span of the same request, above or beside it.
Planted reparent(Hand& hand, int) {
  const auto other = [&](size_t i) {
    return hand.all([&](size_t k) {
      return hand.mesh().origin[k].request == hand.mesh().origin[i].request && !hand.below(k, i) &&
             hand.span(k).span_id != hand.span(i).parent_id;
    });
  };
  const auto i = hand.draw([&](size_t k) { return hand.node(k).parent >= 0 && !other(k).empty(); });
  if (!i) return not_applicable("there is no second place for any span");
  const auto places = other(*i);
  hand.span(*i).parent_id = hand.span(places[hand.rng().below(places.size())]).span_id;
  return planted(at_span(hand, *i));
}

Planted second_root(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.node(k).parent >= 0; });
  if (!i) return not_applicable("every request leaves one span only");
  hand.span(*i).parent_id = {};
  return planted(at_span(hand, *i));
}

Planted cycle(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return !hand.children(k).empty(); });
  if (!i) return not_applicable("every request leaves one span only");
  const auto below = hand.subtree(*i);
  hand.span(*i).parent_id = hand.span(below[1 + hand.rng().below(below.size() - 1)]).span_id;
  Subject subject;
  subject.service = hand.label(hand.node(*i).service);
  return planted(subject);
}

Planted own_parent(Hand& hand, int) {
  const auto i = hand.draw([](size_t) { return true; });
  if (!i) return not_applicable("there is no span");
  hand.span(*i).parent_id = hand.span(*i).span_id;
  Subject subject;
  subject.service = hand.label(hand.node(*i).service);
  return planted(subject);
}

// Two requests meet in one service, and each goes on with the other's context.
Planted swapped_contexts(Hand& hand, int) {
  const auto& mesh = hand.mesh();
  const auto callers = hand.callers();
  for (uint32_t a = 0; a + 1 < mesh.tree_of.size(); ++a) {
    for (int service : callers) {
      const auto first = hand.calls_of(service, a), second = hand.calls_of(service, a + 1);
      if (mesh.tree_of[a] != mesh.tree_of[a + 1] || first.empty() || first.size() != second.size()) continue;
      if (!hand.context_is_known(first[0])) continue;
      const TraceId trace_a = hand.span(first[0]).trace_id, trace_b = hand.span(second[0]).trace_id;
      for (size_t c = 0; c < first.size(); ++c)
        std::swap(hand.span(first[c]).parent_id, hand.span(second[c]).parent_id);
      for (size_t c = 0; c < first.size(); ++c) {
        hand.move_to_trace(hand.subtree(first[c]), trace_b);
        hand.move_to_trace(hand.subtree(second[c]), trace_a);
      }
      Subject subject;
      subject.service = hand.label(service);
      return planted(subject);
    }
  }
  return not_applicable("no service below a proxy, or that was sent a traceparent, calls another one through a proxy");
}

// The caller's proxy tries twice: one CLIENT span, two SERVER spans, the first attempt answered with 503.
Planted extra_retry(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) {
    const auto above = hand.parent(k);
    return hand.node(k).role == ProxyRole::kInbound && above && hand.is_mesh(*above);
  });
  if (!i) return not_applicable("no call goes from proxy to proxy");
  std::vector<size_t> again{*i};
  for (size_t k : hand.subtree(*i)) {
    if (!hand.is_mesh(k) && hand.node(k).service == hand.node(*i).service) again.push_back(k);
  }
  const auto copies = hand.repeat(again);
  for (size_t k : copies) hand.span(k).start_unix_nanos -= 1'000'000;
  hand.span(copies[0]).end_unix_nanos = hand.span(copies[0]).start_unix_nanos + 500'000;
  answer(hand.span(copies[0]), 503, *hand.mesh().profile, hand.arena());
  Subject subject;
  subject.service = hand.label(hand.node(*i).service);
  subject.hop = hand.hop(*i);
  return planted(subject);
}

Planted repeat_call(Hand& hand, ProxyRole role) {
  const auto i = hand.draw([&](size_t k) { return hand.node(k).role == role; });
  if (!i) return not_applicable(std::string("no proxy emits a span as ") + to_string(role) + " here");
  const Subject subject = at_hop(hand, *i);
  hand.repeat(hand.subtree(*i));
  return planted(subject);
}

Planted extra_call(Hand& hand, int) {
  // The load client's one call is the request itself.
  const auto i = hand.draw(
      [&](size_t k) { return hand.node(k).role == ProxyRole::kOutbound && hand.node(k).service >= 0; });
  if (!i) return not_applicable("no meshed service calls another one");
  const Subject subject = at_hop(hand, *i);
  hand.repeat(hand.subtree(*i));
  return planted(subject);
}

Planted extra_attempt(Hand& hand, int) { return repeat_call(hand, ProxyRole::kGatewayClient); }

// The mesh's gateways spawn no upstream span although the scenario says so.
Planted spawn_off(Hand& hand, int) {
  const MeshProfile& profile = *hand.mesh().profile;
  const bool has_switch =
      profile.gateway_spawn == GatewaySpawn::kDefaultOff || profile.gateway_spawn == GatewaySpawn::kDefaultOn;
  if (!has_switch || profile.gateway_single.empty())
    return not_applicable("this version's gateway has no such switch");
  const auto upstream = hand.all([&](size_t k) { return hand.node(k).role == ProxyRole::kGatewayClient; });
  if (upstream.empty()) return not_applicable("the gateway spawns no upstream span here");
  const Subject subject = at_hop(hand, upstream[0]);
  for (size_t i : upstream) {
    const size_t server = *hand.parent(i);
    hand.span(server).kind = profile.gateway_single[0].kind;
    for (size_t child : hand.children(i)) hand.span(child).parent_id = hand.span(server).span_id;
  }
  hand.erase(upstream);
  return planted(subject);
}

// These spans were never made: what hung on them hangs on what is above.
void splice_out(Hand& hand, const std::vector<size_t>& gone) {
  // Parents come first, so that a link over two spans that go is moved up twice.
  for (size_t i : gone) {
    for (size_t k = 0; k < hand.mesh().spans.size(); ++k) {
      if (hand.span(k).parent_id == hand.span(i).span_id) hand.span(k).parent_id = hand.span(i).parent_id;
    }
  }
  hand.erase(gone);
}

// The Telemetry object stands in the services' namespace instead of the root one: no provider at other proxies.
Planted narrow_scope(Hand& hand, int) {
  const std::string& ns = hand.mesh().scenario.topology.ns;
  const std::vector<size_t> gone =
      hand.all([&](size_t k) { return hand.is_mesh(k) && hand.node(k).workload_namespace != ns; });
  for (size_t i : gone) {
    const auto rest = hand.request(hand.mesh().origin[i].request);
    if (std::none_of(rest.begin(), rest.end(), [&](size_t k) {
          return hand.is_mesh(k) && hand.node(k).workload_namespace == ns &&
                 hand.span(k).attributes.find("http.url") != nullptr;
        }))
      return not_applicable("nothing that names the request would be left");
  }
  if (gone.empty()) return not_applicable("all proxies are in one namespace");
  splice_out(hand, gone);
  TelemetryFact& fact = hand.mesh().environment.telemetry[0];
  fact.ns = ns;
  Subject subject;
  subject.object = "Telemetry " + ns + "/" + fact.name;
  return planted(subject);
}

// The Telemetry object names a provider that MeshConfig does not have: proxies make no spans and leave headers alone.
Planted unknown_provider(Hand& hand, int) {
  splice_out(hand, hand.all([&](size_t k) { return hand.is_mesh(k); }));
  TelemetryFact& fact = hand.mesh().environment.telemetry[0];
  fact.provider = "not-there";
  Subject subject;
  subject.object = "Telemetry " + fact.ns + "/" + fact.name;
  return planted(subject);
}

// The workload's pods have no proxy: nothing is emitted on either side, and its callers reach the app itself.
Planted no_sidecar(Hand& hand, int) {
  const auto drawn = hand.draw([&](size_t k) { return hand.node(k).role == ProxyRole::kInbound; });
  if (!drawn) return not_applicable("no proxy stands before a service");
  const int service = hand.node(*drawn).service;
  const std::vector<size_t> gone =
      hand.all([&](size_t k) { return hand.is_mesh(k) && hand.node(k).service == service; });
  for (size_t i : gone) {
    if (!names_its_request(hand, hand.mesh().origin[i].request, i) ||
        hand.request(hand.mesh().origin[i].request).size() <= 2) {
      return not_applicable("nothing else is left of the request");
    }
  }
  Subject subject;
  subject.service = hand.label(service);
  splice_out(hand, gone);
  for (ProxyFact& proxy : hand.mesh().environment.proxies) {
    if (proxy.service != subject.service) continue;
    proxy.injected = false;
    proxy.sent_before = proxy.sent_after = proxy.dropped_before = proxy.dropped_after = std::nullopt;
  }
  return planted(subject);
}

}  // namespace

std::vector<Mutant> structure_mutants() {
  Ground spawning = at_gateway();
  spawning.gateway_spawn = true;
  Ground known;  // by their trace ids, when no proxy names the request
  known.traceparent = TraceparentMode::kSampled;
  return {
      {"narrow-scope", "HOP0109", at_gateway(), {"HOP0301", "HOP0304"}, narrow_scope},
      {"unknown-provider", "HOP0112", known, {"HOP0101", "HOP0301", "HOP0303", "HOP0304"}, unknown_provider},
      {"orphan", "HOP0201", any_ground(), {}, orphan},
      {"re-parented", "HOP0202", any_ground(), {}, reparent},
      {"second-root", "HOP0203", any_ground(), {}, second_root},
      {"cycle", "HOP0204", any_ground(), {"HOP0202"}, cycle},
      {"own-parent", "HOP0204", any_ground(), {"HOP0202"}, own_parent},
      {"swapped-contexts", "HOP0206", any_ground(), {"HOP0602", "HOP0603", "HOP0701", "HOP0702", "HOP0703", "HOP0706"},
       swapped_contexts},
      {"drop-gateway-server", "HOP0301", at_gateway(), {}, drop, 0},
      {"drop-gateway-client", "HOP0304", spawning, {}, drop, 1},
      {"drop-outbound", "HOP0301", any_ground(), {}, drop, 2},
      {"drop-outbound-of-client", "HOP0301", in_mesh(), {}, drop, 2},
      {"drop-inbound", "HOP0301", any_ground(), {}, drop, 3},
      {"extra-retry", "HOP0302", any_ground(), {"HOP1102"}, extra_retry},
      {"extra-call", "HOP0302", any_ground(), {"HOP0302", "HOP1102"}, extra_call},
      {"no-sidecar", "HOP0303", any_ground(), {"HOP0301"}, no_sidecar},
      {"extra-gateway-attempt", "HOP0304", spawning, {"HOP0302", "HOP1102"}, extra_attempt},
      {"gateway-spawn-off", "HOP0304", spawning, {"HOP0202", "HOP0501", "HOP0504", "HOP0505"}, spawn_off},
      {"drop-app-span", "HOP1101", any_ground(), {}, drop_app},
      {"extra-app-span", "HOP1102", any_ground(), {}, extra_app},
      {"silent-sdk", "HOP1103", any_ground(), {"HOP1101"}, silent_sdk},
  };
}

}  // namespace hopcheck::sim
