// Errors a service answers with, and the headers that travel with a request (facts 3; rows M-81, M-82, M-84, M-85).
#include <fmt/format.h>

#include <algorithm>

#include "check/hits_internal.h"

namespace hopcheck::check {
namespace {

int matched_ancestor(const HitList& list, int e) {
  int up = list.view.tree.spans[e].parent;
  while (up >= 0 && list.view.match.span_of[up] < 0) up = list.view.tree.spans[up].parent;
  return up;
}

// A drop that the scenario declares is part of its expectation.
bool declared_drop(const HitList& list, const std::string& service, std::string_view header) {
  const auto& faults = list.view.scenario.faults;
  return std::any_of(faults.begin(), faults.end(), [&](const Fault& fault) {
    return fault.kind == Fault::Kind::kDrop && fault.at == service &&
           (fault.header == header || fault.header == "all");
  });
}

void add_trace_state_hits(HitList& list) {
  const auto& view = list.view;
  if (view.trace_state.empty()) return;
  for (size_t i = 0; i < view.tree.spans.size(); ++i) {
    const int e = static_cast<int>(i);
    const Span* span = list.span_at(e);
    if (span == nullptr || span->trace_state == view.trace_state) continue;
    const int above = matched_ancestor(list, e);
    if (above >= 0 && list.span_at(above)->trace_state != view.trace_state) continue;  // lost further up
    Hit hit;
    hit.code = "HOP0602";
    hit.expected_index = e;
    hit.span = view.match.span_of[e];
    hit.other = above >= 0 ? view.match.span_of[above] : -1;
    hit.subject.service =
        view.tree.spans[e].role == ProxyRole::kInbound && above >= 0 ? list.service_at(above) : list.service_at(e);
    hit.subject.header = "tracestate";
    if (declared_drop(list, hit.subject.service, "tracestate")) continue;
    hit.expected = fmt::format("tracestate {}", view.trace_state);
    hit.actual = span->trace_state.empty() ? "none" : std::string(span->trace_state);
    list.add(std::move(hit));
  }
}

void add_request_id_hits(HitList& list) {
  const auto& view = list.view;
  for (size_t i = 0; i < view.tree.spans.size(); ++i) {
    const int e = static_cast<int>(i);
    const SpanInfo* info = list.info_at(e);
    if (info == nullptr || info->request_id.empty()) continue;
    int above = view.tree.spans[e].parent;
    while (above >= 0 && (list.info_at(above) == nullptr || list.info_at(above)->request_id.empty())) {
      above = view.tree.spans[above].parent;
    }
    if (above < 0 || list.info_at(above)->request_id == info->request_id) continue;
    Hit hit;
    hit.code = "HOP0603";
    hit.expected_index = e;
    hit.span = view.match.span_of[e];
    hit.other = view.match.span_of[above];
    hit.subject.service = view.tree.spans[e].role == ProxyRole::kInbound ? list.service_at(above) : list.service_at(e);
    hit.subject.header = "x-request-id";
    if (declared_drop(list, hit.subject.service, "x-request-id")) continue;
    hit.expected = fmt::format("x-request-id {}", list.info_at(above)->request_id);
    hit.actual = std::string(info->request_id);
    list.add(std::move(hit));
  }
}

}  // namespace

void add_error_hits(HitList& list) {
  const auto& view = list.view;
  // Children come after parents: the deepest error is met first, and everything above it only passes it on.
  std::vector<int> error_below(view.tree.spans.size(), -1);
  for (size_t i = view.tree.spans.size(); i > 0; --i) {
    const int e = static_cast<int>(i) - 1;
    const ExpectedSpan& span = view.tree.spans[e];
    const SpanInfo* info = list.info_at(e);
    int found = error_below[e];
    const bool wrong = info != nullptr && info->mesh && span.http_status != 0 &&
                       (info->http_status >= 400 || info->http_status == 0);
    if (wrong && found < 0) {
      Hit hit;
      hit.code = "HOP0506";
      hit.expected_index = e;
      hit.span = view.match.span_of[e];
      hit.subject.service = view.classifier.service_label(span.role == ProxyRole::kInbound ? span.service : span.peer);
      hit.expected = fmt::format("HTTP {}", span.http_status);
      hit.actual = fmt::format("HTTP {} (response_flags {})", info->http_status, info->response_flags);
      found = list.add(std::move(hit));
    }
    if (found >= 0 && span.parent >= 0 && error_below[span.parent] < 0) error_below[span.parent] = found;
  }
}

void add_header_hits(HitList& list) {
  add_trace_state_hits(list);
  add_request_id_hits(list);
}

// Precedence within one request (verdict.md section 2): which hits only follow from another.
// The finding of the span that should not be there at all and under which the hit's span hangs; -1 when there is none.
static int surplus_parent(const HitList& list, const Hit& hit) {
  const int parent = hit.span < 0 ? -1 : list.view.match.parent_of[static_cast<size_t>(hit.span)];
  if (parent < 0 || list.view.match.expected_of[static_cast<size_t>(parent)] >= 0) return -1;
  for (size_t i = 0; i < list.hits.size(); ++i) {
    const Hit& other = list.hits[i];
    if (other.span == parent && other.code == std::string_view("HOP0302")) {
      return other.cause >= 0 ? other.cause : static_cast<int>(i);
    }
  }
  return -1;
}

void link_causes(HitList& list) {
  const auto& view = list.view;
  const auto under = [&](int node, int ancestor) {
    for (int e = node; e >= 0; e = view.tree.spans[e].parent) {
      if (e == ancestor) return true;
    }
    return false;
  };
  for (size_t i = 0; i < list.hits.size(); ++i) {
    Hit& hit = list.hits[i];
    if (hit.cause >= 0) continue;
    const std::string_view code = hit.code;
    const auto follow = [&](int cause) {
      if (cause >= 0 && cause != static_cast<int>(i) && list.hits[cause].cause < 0) hit.cause = cause;
    };
    if (code == "HOP0602" || code == "HOP0603") {
      follow(list.find("HOP0601", hit.subject.service));
      if (hit.cause < 0) follow(list.find("HOP0604"));
    } else if (code == "HOP0301") {
      follow(list.find("HOP0303", hit.subject.service));
    } else if (code == "HOP0202" || code == "HOP0501" || code == "HOP0504" || code == "HOP0505" || code == "HOP0402") {
      const int gateway = list.find("HOP0304");
      const int node = hit.expected_index;
      const bool at_gateway = node >= 0 && (view.tree.spans[node].service == kGatewayService || code == "HOP0202");
      if (gateway >= 0 && at_gateway) follow(gateway);
      if (code == "HOP0202" && hit.cause < 0) follow(surplus_parent(list, hit));
    }
    if (hit.cause >= 0 || hit.expected_index < 0) continue;
    // What a failing service did not do any more: spans below it.
    const int error = list.find("HOP0506");
    const bool absent = code == "HOP0301" || code == "HOP1101" || code == "HOP0303";
    if (error >= 0 && absent && under(hit.expected_index, list.hits[error].expected_index)) follow(error);
  }
}

}  // namespace hopcheck::check
