#include "check/match.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

namespace hopcheck::check {
namespace {

bool same_identity(const ExpectedSpan& expected, const Span& span, const SpanInfo& info) {
  if (expected.role == ProxyRole::kNone) {
    return !info.mesh && info.service == expected.service && span.name == expected.name && span.kind == expected.kind;
  }
  return info.mesh && info.role == expected.role && info.service == expected.service &&
         (expected.peer < 0 || info.peer == expected.peer);
}

// Same place, something of the identity differs: an app span renamed or moved to another service name, or a proxy span
// whose workload cannot be told.
bool same_place(const ExpectedSpan& expected, const Span& span, const SpanInfo& info) {
  if (expected.role == ProxyRole::kNone) {
    if (info.mesh) return false;
    return info.service == expected.service || (info.service == kUnknownService && span.name == expected.name);
  }
  if (!info.mesh || info.role != expected.role) return false;
  return info.service == expected.service || (info.service == kUnknownService && info.peer == expected.peer);
}

class Matcher {
 public:
  Matcher(const Observed& observed, const ExpectedTree& tree) : observed_(observed), tree_(tree) {
    const size_t spans = observed.spans.size();
    match_.span_of.assign(tree.spans.size(), -1);
    match_.link.assign(tree.spans.size(), Link::kNone);
    match_.relaxed.assign(tree.spans.size(), false);
    match_.expected_of.assign(spans, -1);
    match_.parent_of.assign(spans, -1);
    link_observed();
    note_siblings();
  }

  Match run() {
    std::vector<int> deferred;
    for (size_t e = 0; e < tree_.spans.size(); ++e) {
      if (!match_exact(static_cast<int>(e))) deferred.push_back(static_cast<int>(e));
    }
    // Spans re-parented or in another trace: by identity alone; then their descendants may match exactly again.
    std::vector<int> missing;
    for (int e : deferred) {
      if (!match_exact(e) && !match_loose(e)) missing.push_back(e);
    }
    // Renamed ones: by place alone; children that were matched loosely because their parent was unknown become exact.
    for (int e : missing) match_relaxed(e);
    settle_links();
    return std::move(match_);
  }

 private:
  void link_observed() {
    std::unordered_map<SpanId, int, IdHash> by_id;
    by_id.reserve(observed_.spans.size() * 2);
    for (size_t i = 0; i < observed_.spans.size(); ++i) by_id.emplace(observed_.spans[i]->span_id, static_cast<int>(i));
    children_.resize(observed_.spans.size());
    for (size_t i = 0; i < observed_.spans.size(); ++i) {
      const Span& span = *observed_.spans[i];
      const auto found = span.parent_id.is_zero() ? by_id.end() : by_id.find(span.parent_id);
      if (found != by_id.end() && observed_.spans[found->second]->trace_id == span.trace_id) {
        match_.parent_of[i] = found->second;
        children_[found->second].push_back(static_cast<int>(i));
      } else {
        tops_.push_back(static_cast<int>(i));
      }
    }
  }

  // Siblings that only their path, or what is below them, tells apart: a service's calls to the same other one under
  // several paths, an SDK's CLIENT spans of one name.
  void note_siblings() {
    using Place =
        std::tuple<int, ProxyRole, int, int, std::string_view>;  // parent, role, service, peer, app span's name
    const auto place = [](const ExpectedSpan& span) {
      const bool app = span.role == ProxyRole::kNone;
      return Place{span.parent, span.role, span.service, app ? -1 : span.peer, app ? std::string_view(span.name) : ""};
    };
    std::map<Place, size_t> index;
    std::vector<size_t> sizes;
    groups_of_.resize(tree_.spans.size());
    for (size_t e = 0; e < tree_.spans.size(); ++e) {
      groups_of_[e] = index.emplace(place(tree_.spans[e]), index.size()).first->second;
      sizes.resize(index.size());
      ++sizes[groups_of_[e]];
    }
    groups_.resize(index.size());
    own_.resize(tree_.spans.size());
    for (const ExpectedSpan& span : tree_.spans) {
      const auto e = static_cast<size_t>(&span - tree_.spans.data());
      const auto note = [&](size_t at, const Mark& mark) {
        if (sizes[groups_of_[at]] < 2) return;
        own_[at].insert(mark);
        groups_[groups_of_[at]].insert(mark);
      };
      if (span.role != ProxyRole::kNone && !span.path.empty()) note(e, mark_of(span));
      if (span.parent < 0) continue;
      const auto parent = static_cast<size_t>(span.parent);
      if (tree_.spans[parent].role == ProxyRole::kNone) note(parent, mark_of(span));
    }
  }

  // What tells a call: role, service, peer, path; of an app span role, service and name.
  using Mark = std::tuple<ProxyRole, int, int, std::string_view>;
  static Mark mark_of(const ExpectedSpan& span) {
    if (span.role == ProxyRole::kNone) return {span.role, span.service, kUnknownService, span.name};
    return {span.role, span.service, span.role == ProxyRole::kInbound ? kUnknownService : span.peer, span.path};
  }
  Mark mark_of(int s) const {
    const SpanInfo& info = observed_.infos[s];
    if (!info.mesh) return {ProxyRole::kNone, info.service, kUnknownService, observed_.spans[s]->name};
    return {info.role, info.service, info.role == ProxyRole::kInbound ? kUnknownService : info.peer,
            url_path(info.url)};
  }

  bool free(int span) const { return match_.expected_of[span] < 0; }

  void take(int expected, int span, bool relaxed) {
    match_.span_of[expected] = span;
    match_.expected_of[span] = expected;
    match_.relaxed[expected] = relaxed;
  }

  // Whether a top span may be the tree's root: our parent id where we sent one, none where we did not.
  bool is_root(const Span& span) const {
    if (observed_.own_trace.is_zero()) return span.parent_id.is_zero();
    return span.trace_id == observed_.own_trace && span.parent_id == observed_.own_parent;
  }

  const std::vector<int>* places(int e) const {
    const int parent = tree_.spans[e].parent;
    if (parent < 0) return &tops_;
    const int span = match_.span_of[parent];
    return span < 0 ? nullptr : &children_[span];
  }

  template <class Fits>
  bool match_in_place(int e, bool relaxed, Fits fits) {
    const std::vector<int>* candidates = places(e);
    if (candidates == nullptr) return false;
    int best = -1;
    for (int s : *candidates) {
      if (!free(s) || (tree_.spans[e].parent < 0 && !is_root(*observed_.spans[s]))) continue;
      if (!fits(tree_.spans[e], *observed_.spans[s], observed_.infos[s])) continue;
      if (!relaxed && call_rank(e, s) == 0) continue;  // it is there for another one
      // Among equals (parallel or repeated calls) the one with the right path, then with the right name, then the one
      // that was answered as expected, then the earliest: of an undeclared retry the attempt that succeeded is the
      // expected one.
      if (best < 0 || rank(e, s) > rank(e, best)) best = s;
    }
    if (best < 0) return false;
    take(e, best, relaxed);
    return true;
  }

  int rank(int e, int s) const {
    const ExpectedSpan& expected = tree_.spans[e];
    const int code = observed_.infos[s].http_status;
    // Of a declared retry each attempt has its own status.
    const bool as_expected = expected.http_status >= 400 ? code == expected.http_status : code > 0 && code < 400;
    const bool answered = !observed_.infos[s].mesh || expected.http_status == 0 || as_expected;
    return call_rank(e, s) * 4 + (observed_.spans[s]->name == expected.name ? 2 : 0) + (answered ? 1 : 0);
  }

  // 2 its own path, or what belongs below it is; 1 neither that nor another's; 0 those of a sibling.
  int call_rank(int e, int s) const {
    const std::set<Mark>& own = own_[e];
    if (own.empty()) return 1;
    const std::set<Mark>& all = groups_[groups_of_[e]];
    if (tree_.spans[e].role != ProxyRole::kNone) {
      const Mark mark = mark_of(s);
      return own.count(mark) > 0 ? 2 : all.count(mark) > 0 ? 0 : 1;
    }
    bool others = false;
    for (int below : children_[s]) {
      const Mark mark = mark_of(below);
      if (own.count(mark) > 0) return 2;
      others = others || all.count(mark) > 0;
    }
    return others ? 0 : 1;
  }

  bool match_exact(int e) { return match_in_place(e, false, same_identity); }
  bool match_relaxed(int e) { return match_in_place(e, true, same_place); }

  bool match_loose(int e) {
    const ExpectedSpan& expected = tree_.spans[e];
    int ancestor = expected.parent;
    while (ancestor >= 0 && match_.span_of[ancestor] < 0) ancestor = tree_.spans[ancestor].parent;
    const Span* near = ancestor >= 0 ? observed_.spans[match_.span_of[ancestor]] : nullptr;
    int best = -1, best_rank = -1;
    for (size_t i = 0; i < observed_.spans.size(); ++i) {
      const int s = static_cast<int>(i);
      if (!free(s) || !same_identity(expected, *observed_.spans[i], observed_.infos[i])) continue;
      const bool same_trace = near != nullptr && observed_.spans[i]->trace_id == near->trace_id;
      const int loose_rank = call_rank(e, s) * 2 + (same_trace ? 1 : 0);
      if (loose_rank <= std::max(best_rank, 1)) continue;  // 0 and 1: it is there for another one
      best = s;
      best_rank = loose_rank;
    }
    if (best < 0) return false;
    take(e, best, false);
    return true;
  }

  Link link_of(int e) const {
    const int s = match_.span_of[e];
    if (s < 0) return Link::kNone;
    const Span& span = *observed_.spans[s];
    const int parent = tree_.spans[e].parent;
    const int observed_parent = match_.parent_of[s];
    if (parent < 0) {
      if (is_root(span)) return Link::kExact;
      return observed_parent >= 0 ? Link::kWrongParent
             : span.parent_id.is_zero() || span.trace_id != observed_.own_trace ? Link::kOtherTrace : Link::kOrphan;
    }
    const int expected_parent = match_.span_of[parent];
    if (expected_parent >= 0 && observed_parent == expected_parent) return Link::kExact;
    int ancestor = parent;
    while (ancestor >= 0 && match_.span_of[ancestor] < 0) ancestor = tree_.spans[ancestor].parent;
    const int near = ancestor >= 0 ? match_.span_of[ancestor] : -1;
    const bool other_trace = near >= 0 && observed_.spans[near]->trace_id != span.trace_id;
    if (expected_parent < 0) {
      if (observed_parent >= 0 && observed_parent == near) return Link::kSkipsMissing;
      if (near < 0 && is_root(span)) return Link::kSkipsMissing;
      if (observed_parent < 0 && !span.parent_id.is_zero() && !other_trace) return Link::kUnknownParent;
    }
    if (observed_parent >= 0) return Link::kWrongParent;
    if (other_trace) return Link::kOtherTrace;
    return span.parent_id.is_zero() ? Link::kSecondRoot : Link::kOrphan;
  }

  void settle_links() {
    for (size_t e = 0; e < tree_.spans.size(); ++e) {
      match_.link[e] = link_of(static_cast<int>(e));
      if (match_.link[e] == Link::kNone) ++match_.missing;
      else if ((match_.link[e] != Link::kExact && match_.link[e] != Link::kSkipsMissing) || match_.relaxed[e])
        ++match_.bad_links;
    }
    match_.unexpected = static_cast<size_t>(std::count(match_.expected_of.begin(), match_.expected_of.end(), -1));
  }

  const Observed& observed_;
  const ExpectedTree& tree_;
  Match match_;
  std::vector<std::vector<int>> children_;
  std::vector<int> tops_;
  std::vector<size_t> groups_of_;       // by expected index: which siblings are alike
  std::vector<std::set<Mark>> groups_;  // what tells them apart, all of it
  std::vector<std::set<Mark>> own_;     // by expected index
};

}  // namespace

Match match_tree(const Observed& observed, const ExpectedTree& tree) { return Matcher(observed, tree).run(); }

}  // namespace hopcheck::check
