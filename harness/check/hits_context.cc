// Errors a service answers with, and the headers that travel with a request (facts 3; rows M-81, M-82, M-84, M-85).
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "check/hits_internal.h"
#include "plan/app_spans.h"

namespace hopcheck::check {
namespace {

int matched_ancestor(const HitList& list, int e) {
  int up = list.view.tree.spans[e].parent;
  while (up >= 0 && list.view.match.span_of[up] < 0) up = list.view.tree.spans[up].parent;
  return up;
}

// A drop that the scenario declares is part of its expectation, and so is what an SDK does not forward by itself.
bool declared_drop(const HitList& list, const std::string& service, std::string_view header) {
  if (!plan::forwards_header(list.view.scenario.topology, service, header)) return true;
  const auto& faults = list.view.scenario.faults;
  return std::any_of(faults.begin(), faults.end(), [&](const Fault& fault) {
    return fault.kind == Fault::Kind::kDrop && fault.at == service &&
           (fault.header == header || fault.header == "all");
  });
}

// "<run8>-<n>" of a URL that carries one, whatever the run.
std::string_view hop_tag(std::string_view url) {
  size_t at = url.find("?hop=");
  if (at == std::string_view::npos) at = url.find("&hop=");
  if (at == std::string_view::npos) return "";
  const std::string_view value = url.substr(at + 5);
  return value.substr(0, value.find('&'));
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

// A service that goes on with the context of another request: the tag in http.url changes on the way down the tree.
void add_mixed_hits(HitList& list) {
  const auto& view = list.view;
  if (!view.mixed) return;
  std::vector<std::string_view> tag(view.tree.spans.size());  // own, else of the nearest span above
  Hit hit;
  hit.code = "HOP0206";
  hit.expected = "spans of one request";
  hit.actual = "hop tags of several requests in one trace";
  bool named = false;
  for (size_t i = 0; i < view.tree.spans.size(); ++i) {
    const int e = static_cast<int>(i);
    const int above = matched_ancestor(list, e);
    const std::string_view inherited = above >= 0 ? tag[above] : view.hop;
    const SpanInfo* info = list.info_at(e);
    tag[e] = info == nullptr ? std::string_view{} : hop_tag(info->url);
    if (tag[e].empty()) tag[e] = inherited;
    if (inherited.empty() || tag[e] == inherited) continue;
    Hit own = hit;
    own.expected_index = e;
    own.span = view.match.span_of[e];
    own.other = above >= 0 ? view.match.span_of[above] : -1;
    const bool by_caller = view.tree.spans[e].role == ProxyRole::kInbound && above >= 0;
    own.subject.service = list.service_at(by_caller ? above : e);
    own.actual = fmt::format("hop={} under hop={}", tag[e], inherited);
    list.add(std::move(own));
    named = true;
  }
  if (named) return;
  hit.span = 0;
  list.add(std::move(hit));
}

void add_error_hits(HitList& list) {
  const auto& view = list.view;
  // Children come after parents: the deepest error is met first, and everything above it only passes it on.
  std::vector<int> error_below(view.tree.spans.size(), -1);
  for (size_t i = view.tree.spans.size(); i > 0; --i) {
    const int e = static_cast<int>(i) - 1;
    const ExpectedSpan& span = view.tree.spans[e];
    const SpanInfo* info = list.info_at(e);
    int found = error_below[e];
    // A declared error is asked for as it is, success only as such.
    const bool wrong = info != nullptr && info->mesh && span.http_status != 0 &&
                       (span.http_status >= 400 ? info->http_status >= 0 && info->http_status != span.http_status
                                                : info->http_status >= 400 || info->http_status == 0);
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

void add_flag_hits(HitList& list) {
  const auto& view = list.view;
  for (size_t i = 0; i < view.tree.spans.size(); ++i) {
    const int e = static_cast<int>(i);
    const std::string& want = view.tree.spans[e].response_flag;
    const SpanInfo* info = list.info_at(e);
    if (want.empty() || info == nullptr || info->response_flags.empty()) continue;
    if (want == "-") {
      // Flags of a failed request are the failure's (HOP0506); DC says that the caller left.
      const bool fine = info->http_status > 0 && info->http_status < 400;
      if (!fine || info->response_flags == "-" || has_flag(info->response_flags, "DC")) continue;
    } else if (has_flag(info->response_flags, want)) {
      continue;
    }
    Hit hit;
    hit.code = "HOP0509";
    hit.expected_index = e;
    hit.span = view.match.span_of[e];
    hit.subject.hop = list.hop_at(e);
    hit.expected = want == "-" ? "no response flag" : "response_flags with " + want;
    hit.actual = fmt::format("response_flags {}", info->response_flags);
    list.add(std::move(hit));
  }
}

bool has_flag(std::string_view flags, std::string_view flag) {
  for (std::string_view item : split(flags, ',')) {
    if (item == flag) return true;
  }
  return false;
}

void add_header_hits(HitList& list) {
  add_trace_state_hits(list);
  add_request_id_hits(list);
}

}  // namespace hopcheck::check
