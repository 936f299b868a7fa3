// Time: family 07.
#include "sim/mutants.h"

namespace hopcheck::sim {
namespace {

constexpr uint64_t kMs = 1'000'000, kSecond = 1'000'000'000;

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

// The clock of a workload's pods differs from all others', for proxy and app alike.
Planted skewed_clock(Hand& hand, int which) {
  const auto i = hand.draw([&](size_t k) {
    const auto above = hand.parent(k);
    return hand.node(k).role == ProxyRole::kInbound && above && hand.is_mesh(*above);
  });
  if (!i) return not_applicable("no service has a proxy above its own to compare with");
  const int service = hand.node(*i).service;
  const Subject subject = of(hand, *i);
  for (size_t k : hand.all([&](size_t s) { return hand.node(s).service == service; })) {
    const int64_t by = which == 0 ? -static_cast<int64_t>(5 * kSecond) : static_cast<int64_t>(5 * kSecond);
    hand.span(k).start_unix_nanos += static_cast<uint64_t>(by);
    hand.span(k).end_unix_nanos += static_cast<uint64_t>(by);
  }
  return planted(subject);
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
      {"ends-once-late", "", any_ground(), {}, end_a_little_late, 1},
  };
}

}  // namespace hopcheck::sim
