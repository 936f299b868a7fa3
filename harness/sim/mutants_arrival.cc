// Arrival and sampling: family 01.
#include <algorithm>
#include <functional>

#include "sim/mutants.h"

namespace hopcheck::sim {
namespace {

void forget(Hand& hand, uint64_t from) {
  for (auto request = static_cast<uint32_t>(from); request < hand.mesh().tree_of.size(); ++request)
    hand.erase(hand.request(request));
}

Subject telemetry_object() {
  Subject subject;
  subject.object = "Telemetry istio-system/mesh-default";
  return subject;
}

Planted one_lost(Hand& hand, int) {
  hand.erase(hand.request(static_cast<uint32_t>(hand.rng().below(hand.mesh().tree_of.size()))));
  return planted({});
}

Planted all_lost(Hand& hand, int) {
  forget(hand, 0);
  return planted({});
}

// A proxy that samples anew: the spans of a request that must have none.
Planted unsampled_leak(Hand& hand, int) {
  Ground sampled;
  sampled.traceparent = TraceparentMode::kSampled;
  sampled.entry = hand.mesh().scenario.entry;
  sampled.naming = hand.mesh().scenario.environment.naming;
  sampled.gateway_spawn = hand.mesh().scenario.environment.gateway_spawn;
  sampled.requests = 1;
  auto source = simulate(hand.mesh().scenario.topology, *hand.mesh().profile, sampled, hand.rng().next(), hand.arena());
  if (!source) return not_applicable("the topology cannot be expanded");
  const TraceId trace = hand.mesh().ledger[0].intent.trace_id;
  for (size_t i = 0; i < source->spans.size(); ++i) {
    Span span = source->spans[i];
    span.trace_id = trace;
    if (source->tree(0).spans[i].parent < 0) span.parent_id = hand.mesh().ledger[0].intent.span_id;
    hand.mesh().spans.push_back(span);
    hand.mesh().origin.push_back({0, static_cast<int>(i), Origin::Kind::kExtra});
  }
  hand.mesh().tree_of[0] = source->tree_of[0];
  for (size_t i = 0; i < hand.mesh().spans.size(); ++i) {
    if (hand.span(i).attributes.find("http.url") == nullptr) continue;
    const std::string url(hand.span(i).attributes.text("http.url"));
    hand.replace_attribute(i, "http.url", url.substr(0, url.find('?')) + "?hop=" + hand.mesh().ledger[0].intent.hop);
  }
  return planted({});
}

Planted telemetry_without_percentage(Hand& hand, int) {
  hand.mesh().environment.telemetry[0].percentage = std::nullopt;
  forget(hand, 0);
  return planted(telemetry_object());
}

Planted telemetry_samples_less(Hand& hand, int) {
  hand.mesh().environment.telemetry[0].percentage = 50;
  forget(hand, hand.mesh().tree_of.size() / 2);
  return planted(telemetry_object());
}

// The configured half of the requests, and then: 0 nearly none of them, 1 nobody but half of the half.
Planted rate_off(Hand& hand, int which) {
  const size_t requests = hand.mesh().tree_of.size();
  forget(hand, which == 0 ? 0 : requests / 10);
  return planted({});
}

Planted control_lost(Hand& hand, int which) {
  ControlFact& control = hand.mesh().environment.control;
  forget(hand, which == 0 ? 0 : hand.mesh().tree_of.size() - 1);
  (which == 0 ? control.after_arrived : control.before_arrived) = false;
  Subject subject;
  subject.object = "Collector -> backend";
  return planted(subject);
}

Planted never_controlled(Hand& hand, int) {
  forget(hand, 0);
  hand.mesh().environment.control = {};
  return planted({});
}

// An unsampled run has no spans: without the control that is no proof.
Planted control_lost_unsampled(Hand& hand, int) {
  hand.mesh().environment.control.after_arrived = false;
  Subject subject;
  subject.object = "Collector -> backend";
  return planted(subject);
}

Planted fewer_than_planned(Hand& hand, int) {
  forget(hand, hand.mesh().tree_of.size() - 1);
  return planted({});
}

// Every second request that left spans is cut at these, with all below.
Planted cut_half(Hand& hand, const std::function<std::vector<size_t>(uint32_t)>& places, const Subject& subject) {
  bool turn = true;
  std::vector<size_t> gone;
  for (uint32_t request = 0; request < hand.mesh().tree_of.size(); ++request) {
    const std::vector<size_t> tops = places(request);
    if (tops.empty()) continue;
    for (size_t top : tops) {
      if (turn) {
        for (size_t i : hand.subtree(top)) gone.push_back(i);
      }
    }
    turn = !turn;
  }
  std::sort(gone.begin(), gone.end());
  gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
  hand.erase(gone);
  return planted(subject);
}

// An app that hands no x-request-id on, under a proxy that draws by itself: its outbound proxy draws anew.
Planted redrawn(Hand& hand, int) {
  if (hand.mesh().profile->parent_decides_sampling) return not_applicable("a proxy takes its caller's decision");
  std::vector<int> callers = hand.callers();
  const auto outbound = [&](int service, uint32_t request) {
    std::vector<size_t> calls = hand.calls_of(service, request);
    calls.erase(std::remove_if(calls.begin(), calls.end(),
                               [&](size_t i) { return hand.node(i).role != ProxyRole::kOutbound; }),
                calls.end());
    return calls;
  };
  const auto silent = [&](int service) {
    for (uint32_t request = 0; request < hand.mesh().tree_of.size(); ++request) {
      if (!outbound(service, request).empty()) return false;
    }
    return true;
  };
  callers.erase(std::remove_if(callers.begin(), callers.end(), silent), callers.end());
  if (callers.empty()) return not_applicable("no meshed service calls another one");
  const int service = callers[hand.rng().below(callers.size())];
  for (uint32_t request = 0; request < hand.mesh().tree_of.size(); ++request) {
    for (size_t top : outbound(service, request)) {
      const std::string fresh = hand.new_request_id();
      for (size_t i : hand.subtree(top)) {
        if (hand.span(i).attributes.find("guid:x-request-id") != nullptr)
          hand.replace_attribute(i, "guid:x-request-id", fresh);
      }
    }
  }
  Subject subject;
  subject.service = hand.label(service);
  subject.header = "x-request-id";
  return cut_half(hand, [&](uint32_t request) { return outbound(service, request); }, subject);
}

// The one newer proxy does not sample what its caller's did.
Planted cut_by_newer(Hand& hand, int) {
  const int service =
      hand.mesh().scenario.topology.find(hand.mesh().scenario.environment.proxy_versions.begin()->first);
  std::string envoy;
  const auto inbound = [&](uint32_t request) {
    return hand.all([&](size_t i) {
      return hand.mesh().origin[i].request == request && hand.node(i).role == ProxyRole::kInbound &&
             hand.node(i).service == service;
    });
  };
  for (uint32_t request = 0; request < hand.mesh().tree_of.size() && envoy.empty(); ++request) {
    const std::vector<size_t> tops = inbound(request);
    if (!tops.empty()) envoy = hand.node(tops[0]).envoy_minor;
  }
  if (envoy.empty()) return not_applicable("no request reaches the newer proxy");
  Subject subject;
  subject.service = hand.label(service);
  subject.object = "Envoy " + envoy;
  return cut_half(hand, inbound, subject);
}

}  // namespace

std::vector<Mutant> arrival_mutants() {
  Ground mixed = half_sampled();
  mixed.pinned_profile = false;
  mixed.naming = NamingMode::kAppLabelAndNamespace;
  mixed.mixed = true;
  Ground unsampled;
  unsampled.traceparent = TraceparentMode::kUnsampled;
  Ground half = headerless_ground();
  half.sampling = 50;
  half.requests = 60;
  Ground bare = sampled_ground();
  bare.ledger = false;
  return {
      {"one-request-lost", "HOP0101", any_ground(), {}, one_lost},
      {"all-requests-lost", "HOP0102", any_ground(), {"HOP0101"}, all_lost},
      {"unsampled-leak", "HOP0103", unsampled, {}, unsampled_leak},
      {"telemetry-without-percentage", "HOP0104", headerless_ground(), {"HOP0101"}, telemetry_without_percentage},
      {"telemetry-samples-less", "HOP0105", headerless_ground(), {"HOP0101"}, telemetry_samples_less},
      {"rate-none", "HOP0106", half, {}, rate_off, 0},
      {"rate-too-low", "HOP0106", half, {}, rate_off, 1},
      {"control-lost-after", "HOP0107", any_ground(), {"HOP0101"}, control_lost, 0},
      {"control-lost-before", "HOP0107", any_ground(), {"HOP0101"}, control_lost, 1},
      {"control-never-sent", "HOP0107", any_ground(), {"HOP0101"}, never_controlled},
      {"control-lost-unsampled", "HOP0107", unsampled, {}, control_lost_unsampled},
      {"fewer-than-planned", "HOP0108", bare, {}, fewer_than_planned},
      {"request-id-drawn-again", "HOP0110", half_sampled(), {"HOP0301", "HOP0603", "HOP1101"}, redrawn},
      {"cut-by-a-newer-proxy", "HOP0111", mixed, {"HOP0301", "HOP1101"}, cut_by_newer},
  };
}

}  // namespace hopcheck::sim
