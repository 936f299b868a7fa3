// What travels with a request: family 06. One mutant for each header and each calling service of a topology.
#include <fmt/format.h>

#include <array>

#include "sim/mutants.h"

namespace hopcheck::sim {
namespace {

constexpr int kServices = 4;  // the first so many calling services of a topology; a chain of five has four

std::optional<int> caller(const Hand& hand, int which) {
  const auto callers = hand.callers();
  if (static_cast<size_t>(which) >= callers.size()) return std::nullopt;
  return callers[static_cast<size_t>(which)];
}

Planted at(const Hand& hand, int service, const char* header) {
  Subject subject;
  subject.service = hand.label(service);
  subject.header = header;
  return planted(subject);
}

// Calls the change for the subtree of each call that the service makes; false when it makes none.
template <class Change>
bool at_each_call(Hand& hand, int service, Change change) {
  bool any = false;
  for (uint32_t request = 0; request < hand.mesh().tree_of.size(); ++request) {
    for (size_t top : hand.calls_of(service, request)) {
      change(top, hand.subtree(top));
      any = true;
    }
  }
  return any;
}

Planted nothing_to_lose() { return not_applicable("no traceparent was sent, and no proxy stands above the service"); }

// No traceparent: the next proxy starts a trace, and what hung on the old one is gone with it.
Planted lose_traceparent(Hand& hand, int which) {
  const auto service = caller(hand, which);
  if (!service) return not_applicable(fmt::format("the topology has fewer than {} calling services", which + 1));
  bool known = true;
  const bool any = at_each_call(hand, *service, [&](size_t top, const std::vector<size_t>& piece) {
    known = known && hand.context_is_known(top);
    hand.move_to_trace(piece, hand.new_trace_id());
    hand.span(top).parent_id = {};
    for (size_t i : piece) hand.span(i).trace_state = {};
  });
  if (!known) return nothing_to_lose();
  return any ? at(hand, *service, "traceparent") : not_applicable("no request takes this service's calls");
}

// An SDK that makes ids of its own: the call goes on with a context nobody sent before.
Planted replace_traceparent(Hand& hand, int which) {
  const auto service = caller(hand, which);
  if (!service) return not_applicable(fmt::format("the topology has fewer than {} calling services", which + 1));
  bool known = true;
  const bool any = at_each_call(hand, *service, [&](size_t top, const std::vector<size_t>& piece) {
    known = known && hand.context_is_known(top);
    hand.move_to_trace(piece, hand.new_trace_id());
    hand.span(top).parent_id = hand.new_span_id();
    for (size_t i : piece) hand.span(i).trace_state = {};
  });
  if (!known) return nothing_to_lose();
  return any ? at(hand, *service, "traceparent") : not_applicable("no request takes this service's calls");
}

Planted lose_tracestate(Hand& hand, int which) {
  const auto service = caller(hand, which);
  if (!service) return not_applicable(fmt::format("the topology has fewer than {} calling services", which + 1));
  const bool any = at_each_call(hand, *service, [&](size_t, const std::vector<size_t>& piece) {
    for (size_t i : piece) hand.span(i).trace_state = {};
  });
  return any ? at(hand, *service, "tracestate") : not_applicable("no request takes this service's calls");
}

// The next proxy makes an x-request-id of its own.
Planted lose_request_id(Hand& hand, int which) {
  const auto service = caller(hand, which);
  if (!service) return not_applicable(fmt::format("the topology has fewer than {} calling services", which + 1));
  bool known_above = false;
  const bool any = at_each_call(hand, *service, [&](size_t top, const std::vector<size_t>& piece) {
    const std::string fresh = hand.new_request_id();
    for (auto up = hand.parent(top); up; up = hand.parent(*up))
      known_above = known_above || hand.span(*up).attributes.find("guid:x-request-id") != nullptr;
    for (size_t i : piece) {
      if (hand.span(i).attributes.find("guid:x-request-id") != nullptr)
        hand.replace_attribute(i, "guid:x-request-id", fresh);
    }
  });
  if (!any) return not_applicable("no request takes this service's calls");
  if (!known_above) return not_applicable("no proxy above the service shows an x-request-id to compare with");
  return at(hand, *service, "x-request-id");
}

// Something in front of the entry replaces what we sent.
Planted lose_at_entry(Hand& hand, int which) {
  size_t root = 0;
  for (uint32_t request = 0; request < hand.mesh().tree_of.size(); ++request) {
    const auto piece = hand.request(request);
    if (piece.empty()) continue;
    root = piece.front();
    if (hand.node(root).role == ProxyRole::kOutbound && hand.node(root).service >= 0)
      return not_applicable("nothing stands between us and the service that makes the first call");
    hand.move_to_trace(piece, hand.new_trace_id());
    hand.span(root).parent_id = which == 0 ? SpanId{} : hand.new_span_id();
    for (size_t i : piece) hand.span(i).trace_state = {};
  }
  return at(hand, hand.node(root).service, "traceparent");
}

}  // namespace

std::vector<Mutant> context_mutants() {
  std::vector<Mutant> out;
  for (int s = 0; s < kServices; ++s) {
    out.push_back(
        {fmt::format("traceparent-lost.{}", s + 1), "HOP0601", any_ground(), {"HOP0602"}, lose_traceparent, s});
    out.push_back(
        {fmt::format("traceparent-replaced.{}", s + 1), "HOP0601", any_ground(), {"HOP0602"}, replace_traceparent, s});
    out.push_back({fmt::format("tracestate-lost.{}", s + 1), "HOP0602", sampled_ground(), {}, lose_tracestate, s});
    out.push_back({fmt::format("x-request-id-lost.{}", s + 1), "HOP0603", any_ground(), {}, lose_request_id, s});
  }
  out.push_back({"lost-at-entry", "HOP0604", sampled_ground(), {"HOP0602"}, lose_at_entry, 0});
  out.push_back({"replaced-at-entry", "HOP0604", sampled_ground(), {"HOP0602"}, lose_at_entry, 1});
  return out;
}

}  // namespace hopcheck::sim
