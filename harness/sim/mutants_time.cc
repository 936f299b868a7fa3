// Time: family 07.
#include <algorithm>
#include <map>
#include <set>

#include "sim/mutants.h"

namespace hopcheck::sim {
namespace {

constexpr uint64_t kMs = 1'000'000, kSecond = 1'000'000'000;
constexpr int64_t kSkew = 5'000'000'000, kDelay = 200'000'000;
constexpr size_t kLeastPairs = 5;  // fewer tell nothing of clocks or medians

Ground often() {
  Ground out = any_ground();
  out.requests = 12;
  return out;
}

void shift(Span& span, int64_t by) {
  span.start_unix_nanos += static_cast<uint64_t>(by);
  span.end_unix_nanos += static_cast<uint64_t>(by);
}

// Findings name the hop of a mesh span, and service and name of an app span.
Subject of(const Hand& hand, size_t i) {
  Subject subject;
  subject.hop = hand.hop(i);
  if (!subject.hop.empty()) return subject;
  subject.service = hand.label(hand.node(i).service);
  subject.object = hand.node(i).name;
  return subject;
}

Planted early_start(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.node(k).parent >= 0; });
  if (!i) return not_applicable("every request leaves one span only");
  hand.span(*i).start_unix_nanos -= 10 * kSecond;
  return planted(of(hand, *i));
}

Planted late_end(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) { return hand.is_mesh(k) && hand.node(k).parent >= 0; });
  if (!i) return not_applicable("no mesh span hangs under another span");
  hand.span(*i).end_unix_nanos += 10 * kSecond;
  return planted(of(hand, *i));
}

Planted overhang(Hand& hand, int) {
  const auto i = hand.draw([&](size_t k) {
    const auto above = hand.parent(k);
    return !hand.is_mesh(k) && above && hand.is_mesh(*above);
  });
  if (!i) return not_applicable("no app span hangs under a proxy's");
  hand.span(*i).end_unix_nanos += 2 * kSecond;
  return planted(of(hand, *i));
}

Planted ends_before_start(Hand& hand, int) {
  const auto i = hand.draw([](size_t) { return true; });
  if (!i) return not_applicable("there is no span");
  hand.span(*i).end_unix_nanos = hand.span(*i).start_unix_nanos - kSecond;
  Subject subject;
  subject.service = hand.label(hand.node(*i).service);
  return planted(subject);
}

// The ends of one hop's spans, `times` requests, ten milliseconds after their parents'.
Planted end_a_little_late(Hand& hand, int times) {
  const auto first = hand.draw([&](size_t k) {
    const auto above = hand.parent(k);
    return hand.is_mesh(k) && above;
  });
  if (!first) return not_applicable("no mesh span hangs under another span");
  const Subject subject = of(hand, *first);
  int left = times;
  uint32_t last = UINT32_MAX;
  for (size_t i : hand.all([&](size_t k) { return hand.is_mesh(k) && of(hand, k) == subject; })) {
    const auto above = hand.parent(i);
    if (left == 0 || !above || hand.mesh().origin[i].request == last) continue;
    last = hand.mesh().origin[i].request;
    hand.span(i).end_unix_nanos = hand.span(*above).end_unix_nanos + 10 * kMs;
    --left;
  }
  if (left > 0) return not_applicable("too few requests take this hop");
  return planted(subject);
}

// In one request a service's clock differs from all others', for proxy and app alike: no constant explains it.
Planted skewed_clock(Hand& hand, int which) {
  const auto i = hand.draw([&](size_t k) {
    const auto above = hand.parent(k);
    return hand.node(k).role == ProxyRole::kInbound && above && hand.is_mesh(*above);
  });
  if (!i) return not_applicable("no service has a proxy above its own to compare with");
  const int service = hand.node(*i).service;
  const Subject subject = of(hand, *i);
  for (size_t k : hand.request(hand.mesh().origin[*i].request)) {
    if (hand.node(k).service == service) shift(hand.span(k), which == 0 ? -kSkew : kSkew);
  }
  return planted(subject);
}

// The clock of one pod is always behind or ahead of its caller's. The pod calls nobody, so that one hop tells of it.
Planted constant_skew(Hand& hand, int which) {
  const auto calls = [&](size_t k) {
    const auto above = hand.parent(k);
    return hand.node(k).role == ProxyRole::kInbound && above && hand.node(*above).role == ProxyRole::kOutbound;
  };
  std::map<std::pair<std::string, std::string>, std::vector<size_t>> hops;  // pods of caller and callee → its spans
  std::map<std::string, std::set<std::string>> callers;
  std::set<std::string> callees;
  for (size_t k : hand.all(calls)) {
    const std::string own = pod_of(hand.node(k)), above = pod_of(hand.node(*hand.parent(k)));
    hops[{above, own}].push_back(k);
    callers[own].insert(above);
    const auto below = hand.subtree(k);
    const bool leaf = std::all_of(below.begin(), below.end(),
                                  [&](size_t s) { return hand.node(s).service == hand.node(k).service; });
    if (leaf) callees.insert(own);
  }
  for (const auto& [pods, spans] : hops) {
    if (spans.size() < kLeastPairs || callers[pods.second].size() != 1 || callees.count(pods.second) == 0) continue;
    for (size_t k : spans) {
      for (size_t s : hand.subtree(k)) shift(hand.span(s), which == 0 ? -kSkew : kSkew);
    }
    Subject subject;
    subject.hop = pods.first + "->" + pods.second;
    return planted(subject);
  }
  return not_applicable("no pod that calls nobody is called through proxies by one other pod often enough");
}

// Declared is an app that takes longer; what grows is the time before its proxy has the request.
Planted other_gap(Hand& hand, int) {
  const auto calls = [&](size_t k) {
    const auto above = hand.parent(k);
    return hand.node(k).role == ProxyRole::kInbound && above && hand.node(*above).role == ProxyRole::kOutbound;
  };
  std::map<std::string, std::vector<size_t>> hops;
  for (size_t k : hand.all(calls)) hops[hand.hop(k)].push_back(k);
  for (const auto& [hop, spans] : hops) {
    if (spans.size() < kLeastPairs) continue;
    Fault fault;
    fault.kind = Fault::Kind::kDelay;
    fault.at = hand.label(hand.node(spans[0]).service);
    fault.delay_nanos = kDelay;
    hand.mesh().scenario.faults.push_back(fault);
    std::set<size_t> longer;  // each once, however many such calls are below it
    for (size_t k : spans) {
      for (auto above = hand.parent(k); above; above = hand.parent(*above)) longer.insert(*above);
    }
    for (size_t k : longer) hand.span(k).end_unix_nanos += kDelay;
    Subject subject;
    subject.hop = hop;
    subject.object = "wire gap";
    return planted(subject);
  }
  return not_applicable("no hop between two proxies is taken often enough");
}

}  // namespace

std::vector<Mutant> time_mutants() {
  return {
      {"early-start", "HOP0701", any_ground(), {}, early_start},
      {"clock-behind", "HOP0701", any_ground(), {"HOP0701", "HOP0702"}, skewed_clock, 0},
      {"clock-ahead", "HOP0702", any_ground(), {"HOP0701", "HOP0702"}, skewed_clock, 1},
      {"late-end", "HOP0702", any_ground(), {}, late_end},
      {"app-outlives-proxy", "HOP0703", any_ground(), {}, overhang},
      {"ends-before-start", "HOP0705", any_ground(), {}, ends_before_start},
      {"ends-often-late", "HOP0706", any_ground(), {}, end_a_little_late, 2},
      {"clock-always-behind", "HOP0707", often(), {}, constant_skew, 0},
      {"clock-always-ahead", "HOP0707", often(), {}, constant_skew, 1},
      {"delay-elsewhere", "HOP0708", often(), {}, other_gap},
      {"ends-once-late", "", any_ground(), {}, end_a_little_late, 1},
  };
}

}  // namespace hopcheck::sim
