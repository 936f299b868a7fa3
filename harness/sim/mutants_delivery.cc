// Delivery, evidence and honesty: families 08 and 10.
#include <algorithm>

#include "sim/mutants.h"

namespace hopcheck::sim {
namespace {

Subject object(std::string text) {
  Subject subject;
  subject.object = std::move(text);
  return subject;
}

// What a proxy sent, and counted, of one span: gone before (0) or behind (1) the Collector.
Planted lost_on_the_way(Hand& hand, int which) {
  const auto i = hand.draw([&](size_t k) {
    const ProxyRole role = hand.node(k).role;
    const bool side = role == ProxyRole::kInbound || role == ProxyRole::kOutbound;
    return side && hand.request(hand.mesh().origin[k].request).size() > 2;
  });
  if (!i) return not_applicable("no request leaves more than two spans");
  Subject subject;
  if (which == 0) subject.service = hand.label(hand.node(*i).service);
  subject.object = which == 0 ? "proxy -> Collector" : "Collector -> backend";
  (which == 0 ? hand.mesh().lost_before_collector : hand.mesh().lost_behind_collector)
      .emplace_back(pod_of(hand.node(*i)), 1);
  hand.erase({*i});
  return planted(subject);
}

// A whole request, behind the Collector: every proxy counted its spans.
Planted request_lost_on_the_way(Hand& hand, int) {
  const auto request = static_cast<uint32_t>(hand.rng().below(hand.mesh().tree_of.size()));
  const auto piece = hand.request(request);
  if (std::none_of(piece.begin(), piece.end(), [&](size_t i) { return hand.is_mesh(i); }))
    return not_applicable("no proxy takes part");
  for (size_t i : piece) {
    if (hand.is_mesh(i)) hand.mesh().lost_behind_collector.emplace_back(pod_of(hand.node(i)), 1);
  }
  hand.erase(piece);
  return planted(object("Collector -> backend"));
}

Planted duplicate(Hand& hand, int) {
  const auto i = hand.draw([](size_t) { return true; });
  if (!i) return not_applicable("there is no span");
  const Span copy = hand.span(*i);
  Origin origin = hand.mesh().origin[*i];
  origin.kind = Origin::Kind::kCopy;
  hand.mesh().spans.push_back(copy);
  hand.mesh().origin.push_back(origin);
  return planted({});
}

// One proxy's spans come a minute after all others, in frames of their own.
Planted late_batch(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.is_mesh(k); });
  if (!i) return not_applicable("there is no mesh span");
  const std::string pod = pod_of(hand.node(*i));
  std::vector<Span> late;
  std::vector<Origin> origins;
  const auto batch = hand.all([&](size_t k) { return hand.is_mesh(k) && pod_of(hand.node(k)) == pod; });
  for (size_t k : batch) {
    Span span = hand.span(k);
    span.frame_sequence += 1000;
    span.arrival_unix_nanos = span.end_unix_nanos + 60'000'000'000;
    late.push_back(span);
    origins.push_back(hand.mesh().origin[k]);
  }
  hand.erase(batch);
  hand.mesh().spans.insert(hand.mesh().spans.end(), late.begin(), late.end());
  hand.mesh().origin.insert(hand.mesh().origin.end(), origins.begin(), origins.end());
  return planted({});
}

// Same ids, other content, sorting before or after the true one.
Planted conflict(Hand& hand, int which) {
  const auto i = hand.draw([](size_t) { return true; });
  if (!i) return not_applicable("there is no span");
  Span copy = hand.span(*i);
  Origin origin = hand.mesh().origin[*i];
  origin.kind = Origin::Kind::kExtra;
  copy.name = hand.arena().copy(which == 0 ? std::string(copy.name) + " again" : "!" + std::string(copy.name));
  hand.mesh().spans.push_back(copy);
  hand.mesh().origin.push_back(origin);
  Subject subject;
  subject.service = hand.node(*i).service_name;
  return planted(subject);
}

Planted refused(Hand& hand, int) {
  hand.mesh().bodies.received += 2;
  hand.mesh().bodies.refused += 2;
  return planted({});
}

Planted damaged(Hand& hand, int) {
  hand.mesh().environment.capture_complete = false;
  hand.mesh().environment.capture_problem = "frame 17: checksum";
  return planted({});
}

Planted restarted(Hand& hand, int which) {
  Environment& environment = hand.mesh().environment;
  switch (which) {
    case 0: {
      const auto proxy = std::find_if(environment.proxies.begin(), environment.proxies.end(),
                                      [](const ProxyFact& item) { return item.injected; });
      if (proxy == environment.proxies.end()) return not_applicable("no pod has a proxy");
      proxy->restarts = 1;
      return planted(object("pod " + proxy->ns + "/" + proxy->pod));
    }
    case 1: environment.collector_fact.restarts = 1; return planted(object("Collector"));
    case 2: environment.sink_restarts = 1; return planted(object("sink"));
    default: environment.crashes.push_back("envoy frontend-1 ended by itself: signal 11: (log: /tmp/x)");
  }
  return planted(object("envoy frontend-1"));
}

// Traffic of nobody: a proxy of the topology exports a trace that no request of the run is in.
Planted stray(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) {
    return hand.is_mesh(k) && hand.node(k).service >= 0 && hand.span(k).attributes.find("http.url") != nullptr;
  });
  if (!i) return not_applicable("no service's proxy takes part");
  const size_t copy = hand.repeat({*i}).front();
  hand.move_to_trace({copy}, hand.new_trace_id());
  hand.span(copy).parent_id = {};
  hand.span(copy).trace_state = {};
  hand.replace_attribute(copy, "guid:x-request-id", hand.new_request_id());
  const std::string url(hand.span(copy).attributes.text("http.url"));
  hand.replace_attribute(copy, "http.url", url.substr(0, url.find('?')));
  Subject subject;
  subject.service = hand.node(*i).service_name;
  return planted(subject);
}

void unsend(Hand& hand, uint32_t request, OutcomeKind kind) {
  Outcome& outcome = hand.mesh().ledger[request].outcome;
  outcome.kind = kind;
  outcome.status = 0;
  outcome.done_unix_nanos = 0;
  if (kind == OutcomeKind::kUnsent) outcome.sent_unix_nanos = 0;
  hand.erase(hand.request(request));
}

Planted nothing_sent(Hand& hand, int) {
  for (uint32_t request = 0; request < hand.mesh().tree_of.size(); ++request)
    unsend(hand, request, OutcomeKind::kUnsent);
  return planted({});
}

Planted canary_missed(Hand& hand, int) {
  hand.mesh().canary.reported = false;
  return planted({});
}

Planted sums_broken(Hand& hand, int) {
  hand.mesh().bodies.received += 1;
  return planted({});
}

Planted deadline(Hand& hand, int) {
  hand.mesh().environment.drain.ended_by = "deadline";
  return planted({});
}

Planted unanswered(Hand& hand, int which) {
  unsend(hand, 0, which == 0 ? OutcomeKind::kUnsent : OutcomeKind::kIndeterminate);
  return planted({});
}

}  // namespace

std::vector<Mutant> delivery_mutants() {
  return {
      {"lost-before-collector", "HOP0801", any_ground(), {"HOP0301"}, lost_on_the_way, 0},
      {"lost-behind-collector", "HOP0801", any_ground(), {"HOP0301"}, lost_on_the_way, 1},
      {"request-lost-behind-collector", "HOP0801", any_ground(), {"HOP0101"}, request_lost_on_the_way},
      {"duplicate", "", any_ground(), {}, duplicate},
      {"late-batch", "", any_ground(), {}, late_batch},
      {"conflict", "HOP0802", any_ground(), {}, conflict, 0},
      {"conflict-sorting-first", "HOP0802", any_ground(), {}, conflict, 1},
      {"refused", "HOP0803", any_ground(), {}, refused},
      {"damaged", "HOP0804", any_ground(), {}, damaged},
      {"proxy-restarted", "HOP0805", any_ground(), {}, restarted, 0},
      {"collector-restarted", "HOP0805", any_ground(), {}, restarted, 1},
      {"sink-restarted", "HOP0805", any_ground(), {}, restarted, 2},
      {"process-crashed", "HOP0805", any_ground(), {}, restarted, 3},
      {"stray-traffic", "HOP0806", any_ground(), {}, stray},
      {"nothing-sent", "HOP1001", any_ground(), {}, nothing_sent},
      {"canary-missed", "HOP1003", any_ground(), {}, canary_missed},
      {"sums-broken", "HOP1004", any_ground(), {}, sums_broken},
      {"drain-at-deadline", "HOP1006", any_ground(), {}, deadline},
      {"request-unsent", "HOP1007", any_ground(), {}, unanswered, 0},
      {"request-unanswered", "HOP1007", any_ground(), {}, unanswered, 1},
  };
}

}  // namespace hopcheck::sim
