#include "sim/peer_checks.h"

#include <algorithm>
#include <map>

#include "sim/synthesize.h"

namespace hopcheck::sim {
namespace {

// Spans of the capture and nodes of a tree with their children, to be walked side by side.
struct Forest {
  std::vector<std::vector<size_t>> children;
  std::vector<size_t> tops;
};

Forest forest_of(const std::vector<Span>& spans) {
  Forest out;
  out.children.resize(spans.size());
  std::map<std::pair<TraceId, SpanId>, size_t> by_id;
  for (size_t i = 0; i < spans.size(); ++i) by_id.emplace(std::pair(spans[i].trace_id, spans[i].span_id), i);
  std::vector<size_t> order(spans.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(spans[a].start_unix_nanos, spans[a].span_id) <
           std::pair(spans[b].start_unix_nanos, spans[b].span_id);
  });
  for (size_t i : order) {
    const auto parent = by_id.find(std::pair(spans[i].trace_id, spans[i].parent_id));
    if (parent != by_id.end() && parent->second != i) out.children[parent->second].push_back(i);
    else out.tops.push_back(i);
  }
  return out;
}

Forest forest_of(const ExpectedTree& tree) {
  Forest out;
  out.children.resize(tree.spans.size());
  for (size_t i = 0; i < tree.spans.size(); ++i) {
    const int parent = tree.spans[i].parent;
    if (parent >= 0) out.children[static_cast<size_t>(parent)].push_back(i);
    else out.tops.push_back(i);
  }
  return out;
}

// Iterative: pairs of (span, node) still to be compared. Bounded by the size of the tree.
bool found_at(const std::vector<Span>& spans, const Forest& observed, size_t top, const ExpectedTree& tree,
              const Forest& wanted) {
  std::vector<std::pair<size_t, size_t>> open{{top, wanted.tops.front()}};
  while (!open.empty()) {
    const auto [s, n] = open.back();
    open.pop_back();
    const Span& span = spans[s];
    const ExpectedSpan& node = tree.spans[n];
    if (span.name != name_of(node) || span.resource->service_name != node.service_name) return false;
    const auto& have = observed.children[s];
    const auto& want = wanted.children[n];
    if (have.size() < want.size()) return false;
    for (size_t c = 0; c < want.size(); ++c) open.emplace_back(have[c], want[c]);
  }
  return true;
}

}  // namespace

bool any_trace_matches(const Mesh& mesh) {
  const Forest observed = forest_of(mesh.spans);
  for (const ExpectedTree& tree : mesh.trees) {
    if (tree.spans.empty()) continue;
    const Forest wanted = forest_of(tree);
    for (size_t top : observed.tops) {
      if (found_at(mesh.spans, observed, top, tree, wanted)) return true;
    }
  }
  return false;
}

bool counts_suffice(const Mesh& mesh, const Mesh& wanted) {
  std::map<std::string_view, int64_t> balance;
  for (const Span& span : mesh.spans) ++balance[span.resource->service_name];
  for (const Span& span : wanted.spans) --balance[span.resource->service_name];
  return std::all_of(balance.begin(), balance.end(), [](const auto& item) { return item.second >= 0; });
}

}  // namespace hopcheck::sim
