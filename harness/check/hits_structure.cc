// Structure: missing and unexpected spans, parent links, traces that split (rows O-60…O-67, M-80…M-88).
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "check/hits_internal.h"

namespace hopcheck::check {
namespace {

bool is_app(const ExpectedSpan& span) { return span.role == ProxyRole::kNone; }

// The callee's app span hangs directly under the caller's CLIENT: its proxy took no part (else its id would be the
// parent).
bool bypassed(const HitList& list, int e) {
  const auto& spans = list.view.tree.spans;
  for (size_t c = static_cast<size_t>(e) + 1; c < spans.size(); ++c) {
    if (spans[c].parent == e && list.view.match.link[c] == Link::kSkipsMissing) return true;
  }
  return false;
}

void add_missing(HitList& list) {
  const auto& tree = list.view.tree;
  std::vector<int> hit_of(tree.spans.size(), -1);  // hit that explains a missing node
  for (size_t i = 0; i < tree.spans.size(); ++i) {
    const int e = static_cast<int>(i);
    if (list.view.match.span_of[e] >= 0) continue;
    const ExpectedSpan& span = tree.spans[e];
    Hit hit;
    hit.expected_index = e;
    hit.subject.service = list.service_at(e);
    hit.expected = fmt::format("{} span `{}` of {}", to_string(span.kind), span.name, span.service_name);
    hit.actual = "no such span";
    if (span.parent >= 0) {
      hit.other = list.view.match.span_of[span.parent];
      hit.cause = hit_of[span.parent];
    }
    if (is_app(span)) {
      hit.code = "HOP1101";
      hit.subject.object = span.name;
    } else if (span.role == ProxyRole::kGatewayClient || span.role == ProxyRole::kGatewayServer) {
      hit.code = span.role == ProxyRole::kGatewayClient ? "HOP0304" : "HOP0301";
      hit.subject.hop = list.hop_at(e);
    } else {
      const bool no_proxy = span.role == ProxyRole::kInbound && list.on("HOP0303") && bypassed(list, e);
      hit.code = no_proxy ? "HOP0303" : "HOP0301";
      if (hit.code == std::string_view("HOP0301")) hit.subject.hop = list.hop_at(e);
      if (hit.code == std::string_view("HOP0303")) {
        hit.expected = fmt::format("a SERVER span of {}'s own proxy between caller and app", hit.subject.service);
        hit.actual = "its app spans hang directly under the caller's CLIENT span";
      }
    }
    hit_of[e] = list.add(std::move(hit));
  }
}

void add_unexpected(HitList& list) {
  const auto& view = list.view;
  std::vector<int>& hit_of = list.surplus_of;
  hit_of.assign(view.observed.spans.size(), -1);
  std::map<std::pair<std::string_view, std::string>, int> first;  // by code and subject: one hit stands for all alike
  // Parents first: a child of an unexpected span is its consequence. Depth is bounded by following parent_of with
  // marks.
  std::vector<int> order;
  std::vector<uint8_t> state(view.observed.spans.size(), 0);
  for (size_t i = 0; i < view.observed.spans.size(); ++i) {
    std::vector<int> chain;
    for (int s = static_cast<int>(i); s >= 0 && state[s] == 0; s = view.match.parent_of[s]) {
      state[s] = 1;
      chain.push_back(s);
    }
    order.insert(order.end(), chain.rbegin(), chain.rend());
  }
  for (int s : order) {
    if (view.match.expected_of[s] >= 0) continue;
    const Span& span = *view.observed.spans[s];
    const SpanInfo& info = view.observed.infos[s];
    Hit hit;
    hit.span = s;
    hit.subject.service = info.service == kUnknownService ? std::string(span.resource->service_name)
                                                          : view.classifier.service_label(info.service);
    const int parent = view.match.parent_of[s];
    if (parent >= 0) {
      hit.cause = hit_of[parent];
      hit.other = parent;
    }
    if (!info.mesh) {
      hit.code = "HOP1102";
      hit.subject.object = std::string(span.name);
    } else if (info.role == ProxyRole::kGatewayClient) {
      hit.code = "HOP0304";
      hit.subject.hop = "gateway->" + view.classifier.service_label(info.peer);
    } else {
      hit.code = "HOP0302";
      const bool inbound = info.role == ProxyRole::kInbound;
      // Below another proxy's span it is a further attempt of that proxy's call.
      const bool called = inbound && parent >= 0 && view.observed.infos[parent].mesh;
      hit.subject.hop = (called     ? view.classifier.service_label(view.observed.infos[parent].service)
                         : inbound  ? std::string()
                                    : hit.subject.service) +
                        "->" + (inbound ? hit.subject.service : view.classifier.service_label(info.peer));
    }
    const auto [place, fresh] = first.emplace(std::pair(std::string_view(hit.code), subject_key(hit.subject)), -1);
    if (fresh) {
      hit.expected = "no such span";
      hit.actual = fmt::format("{} span `{}` of {}", to_string(span.kind), span.name, span.resource->service_name);
      place->second = list.add(std::move(hit));
    }
    hit_of[s] = place->second;
  }
}

void add_split(HitList& list, int e, Hit hit) {
  const ExpectedSpan& span = list.view.tree.spans[e];
  const Span& observed = *list.span_at(e);
  hit.subject = {};
  hit.subject.header = "traceparent";
  // A service that we send to directly and that shows no span of its own has received what we sent: it did not go on.
  const bool own_call = span.role == ProxyRole::kOutbound && span.service >= 0;
  if (span.parent < 0 && !own_call) {
    hit.code = "HOP0604";
    hit.subject.service = list.service_at(e);
    hit.expected = "trace id and parent id of the traceparent we sent";
    hit.actual = fmt::format("trace {} with parent {}", to_hex(observed.trace_id), to_hex(observed.parent_id));
  } else {
    hit.code = "HOP0601";
    // The app between the proxy's two sides forwards; if the callee's own SERVER starts anew, the caller's proxy sent
    // nothing.
    hit.subject.service = span.role == ProxyRole::kInbound ? list.service_at(span.parent) : list.service_at(e);
    hit.expected =
        fmt::format("`{}` continues the trace {}", span.name,
                    span.parent < 0 ? "that we sent" : "of `" + list.view.tree.spans[span.parent].name + "`");
    hit.actual = observed.parent_id.is_zero() ? "it starts a trace of its own"
                                              : "it continues a trace that nobody sent";
  }
  list.add(std::move(hit));
}

void add_links(HitList& list) {
  const auto& view = list.view;
  for (size_t i = 0; i < view.tree.spans.size(); ++i) {
    const int e = static_cast<int>(i);
    const Link link = view.match.link[e];
    if (link == Link::kNone || link == Link::kExact || link == Link::kSkipsMissing || link == Link::kUnknownParent)
      continue;
    const ExpectedSpan& span = view.tree.spans[e];
    Hit hit;
    hit.expected_index = e;
    hit.span = view.match.span_of[e];
    hit.other = span.parent >= 0 ? view.match.span_of[span.parent] : -1;
    if (link == Link::kOtherTrace) {
      add_split(list, e, std::move(hit));
      continue;
    }
    hit.subject.service = list.service_at(e);
    hit.subject.object = span.name;
    hit.expected = span.parent >= 0 ? fmt::format("parent is `{}` of {}", view.tree.spans[span.parent].name,
                                                  view.tree.spans[span.parent].service_name)
                                    : std::string("the root of the trace");
    if (link == Link::kSecondRoot) {
      hit.code = "HOP0203";
      hit.actual = "no parent id, in the same trace";
    } else if (link == Link::kOrphan) {
      hit.code = "HOP0201";
      hit.actual = fmt::format("parent {} was never exported", to_hex(view.observed.spans[hit.span]->parent_id));
    } else {
      hit.code = "HOP0202";
      const Span& parent = *view.observed.spans[view.match.parent_of[hit.span]];
      hit.actual = fmt::format("parent is `{}` of {}", parent.name, parent.resource->service_name);
    }
    list.add(std::move(hit));
  }
}

// One cycle: named after the span whose own link is wrong (the first of the tree among several), else after its first.
void add_cycle(HitList& list, const std::vector<int>& members) {
  const auto& view = list.view;
  int shown = *std::min_element(members.begin(), members.end());
  int node = -1;
  for (int s : members) {
    const int e = view.match.expected_of[s];
    if (e < 0 || view.match.link[e] == Link::kExact || (node >= 0 && e > node)) continue;
    node = e;
    shown = s;
  }
  Hit hit;
  hit.code = "HOP0204";
  hit.span = shown;
  hit.subject.service =
      node >= 0 ? list.service_at(node) : std::string(view.observed.spans[shown]->resource->service_name);
  hit.expected = "parent links lead to a root";
  hit.actual = fmt::format("they lead back to the span after {} steps", members.size());
  const int index = list.add(std::move(hit));
  for (int s : members) list.cycle_of[s] = index;
}

// Walks up from every span; a walk that meets itself has found a cycle. Each span is walked once.
void add_cycles(HitList& list) {
  const auto& view = list.view;
  std::vector<uint8_t> state(view.observed.spans.size(), 0);  // 0 new, 1 on this walk, 2 done
  list.cycle_of.assign(state.size(), -1);
  for (size_t i = 0; i < state.size(); ++i) {
    std::vector<int> walk;
    int s = static_cast<int>(i);
    while (s >= 0 && state[s] == 0) {
      state[s] = 1;
      walk.push_back(s);
      s = view.match.parent_of[s];
    }
    if (s >= 0 && state[s] == 1) add_cycle(list, {std::find(walk.begin(), walk.end(), s), walk.end()});
    for (int w : walk) state[w] = 2;
  }
}

}  // namespace

void add_structure_hits(HitList& list) {
  add_cycles(list);
  add_missing(list);
  add_unexpected(list);
  add_links(list);
}

}  // namespace hopcheck::check
