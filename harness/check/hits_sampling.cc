// Traces that a mesh of two versions cuts: up to Envoy 1.38 a proxy takes its caller's decision, from 1.39 on it draws
// as well (facts 1.8, 9 item 18). A proxy of the second kind below one of the first drops what was sampled above it,
// and tells everything below it not to sample.
#include <fmt/format.h>

#include "check/hits_internal.h"

namespace hopcheck::check {
namespace {

// Nothing of the subtree under `top` was seen. Nodes stand in preorder, parents before children.
bool all_missing_below(const HitList& list, int top) {
  const auto& spans = list.view.tree.spans;
  std::vector<bool> below(spans.size(), false);
  for (size_t i = static_cast<size_t>(top); i < spans.size(); ++i) {
    below[i] = static_cast<int>(i) == top || (spans[i].parent >= top && below[spans[i].parent]);
    if (below[i] && list.view.match.span_of[i] >= 0) return false;
  }
  return true;
}

// The nearest proxy span above, -1 none.
int proxy_above(const ExpectedTree& tree, int e) {
  int up = tree.spans[e].parent;
  while (up >= 0 && tree.spans[up].role == ProxyRole::kNone) up = tree.spans[up].parent;
  return up;
}

}  // namespace

void add_sampling_hits(HitList& list) {
  const auto& view = list.view;
  const double percent = claimed_environment(view.scenario).sampling.value_or(100.0);
  if (percent >= 100) return;
  const size_t known = list.hits.size();
  for (size_t i = 0; i < known; ++i) {
    const int e = list.hits[i].expected_index;
    if (list.hits[i].cause >= 0 || list.hits[i].code != std::string_view("HOP0301") || e < 0) continue;
    const ExpectedSpan& span = view.tree.spans[e];
    const int above = proxy_above(view.tree, e);
    if (above < 0 || view.match.span_of[above] < 0 || span.profile == nullptr) continue;
    const MeshProfile& caller = *view.tree.spans[above].profile;
    if (span.profile->parent_decides_sampling || !caller.parent_decides_sampling || !all_missing_below(list, e))
      continue;
    Hit hit;
    hit.code = "HOP0111";
    hit.expected_index = e;
    hit.other = view.match.span_of[above];
    hit.subject.service = list.service_at(e);
    hit.subject.object = "Envoy " + span.envoy_minor;
    hit.expected = fmt::format("the spans of {} and below: its caller's proxy (Envoy {}) sampled the trace",
                               hit.subject.service, caller.envoy_minor);
    hit.actual = fmt::format("none: from Envoy {} on the proxy also draws by itself, {:g} % here",
                             span.envoy_minor, percent);
    list.hits[i].cause = list.add(std::move(hit));
  }
}

}  // namespace hopcheck::check
