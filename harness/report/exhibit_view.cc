#include "report/exhibit_view.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/text.h"

namespace hopcheck::report {
namespace {

using Spans = std::vector<ExhibitSpan>;
// What makes two spans the same one in expectation and observation; the last part tells repeated calls apart.
using Identity = std::tuple<std::string, std::string, std::string, size_t>;

bool known(int index, const Spans& spans) { return index >= 0 && static_cast<size_t>(index) < spans.size(); }

std::vector<size_t> by_start(const Spans& spans) {
  std::vector<size_t> order(spans.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return spans[a].start_nanos < spans[b].start_nanos; });
  return order;
}

std::vector<Identity> identities(const Spans& spans) {
  std::vector<Identity> out(spans.size());
  std::map<std::tuple<std::string, std::string, std::string>, size_t> seen;
  for (const size_t i : by_start(spans)) {
    const auto key = std::make_tuple(spans[i].service_name, spans[i].kind, spans[i].name);
    out[i] = std::tuple_cat(key, std::make_tuple(seen[key]++));
  }
  return out;
}

// For each observed span the observed span that the expectation has as its parent; -1 where that says nothing.
std::vector<int> expected_parents(const Exhibit& exhibit) {
  const std::vector<Identity> expected = identities(exhibit.expected), observed = identities(exhibit.observed);
  std::map<Identity, size_t> expected_at, observed_at;
  for (size_t i = 0; i < expected.size(); ++i) expected_at[expected[i]] = i;
  for (size_t i = 0; i < observed.size(); ++i) observed_at[observed[i]] = i;
  std::vector<int> parents(observed.size(), -1);
  for (size_t i = 0; i < observed.size(); ++i) {
    const auto twin = expected_at.find(observed[i]);
    if (twin == expected_at.end()) continue;
    const int parent = exhibit.expected[twin->second].parent;
    if (!known(parent, exhibit.expected)) continue;
    const auto found = observed_at.find(expected[static_cast<size_t>(parent)]);
    if (found != observed_at.end() && found->second != i) parents[i] = static_cast<int>(found->second);
  }
  return parents;
}

// Rows in preorder from parent links, iteratively; spans on a cycle are hung up as roots.
std::vector<TreeRow> preorder(const Spans& spans, const std::vector<int>& parents, const std::vector<bool>& broken) {
  std::vector<std::vector<size_t>> children(spans.size());
  std::vector<size_t> roots;
  const std::vector<size_t> order = by_start(spans);
  for (const size_t i : order) {
    if (parents[i] < 0) {
      roots.push_back(i);
    } else {
      children[static_cast<size_t>(parents[i])].push_back(i);
    }
  }
  std::vector<TreeRow> rows;
  std::vector<bool> done(spans.size(), false);
  struct Step {
    size_t span;
    int depth, parent_row;
  };
  const auto walk = [&](size_t root) {
    std::vector<Step> stack{{root, 0, -1}};
    while (!stack.empty()) {
      const Step step = stack.back();
      stack.pop_back();
      if (done[step.span]) continue;
      done[step.span] = true;
      TreeRow row;
      row.span = step.span;
      row.depth = step.depth;
      row.parent_row = step.parent_row;
      row.broken = step.parent_row >= 0 && broken[step.span];
      rows.push_back(row);
      const int own = static_cast<int>(rows.size()) - 1;
      const auto& below = children[step.span];
      for (auto child = below.rbegin(); child != below.rend(); ++child) stack.push_back({*child, step.depth + 1, own});
    }
  };
  for (const size_t root : roots) walk(root);
  for (const size_t i : order) {
    if (!done[i]) walk(i);
  }
  return rows;
}

TreeRow::Gap gap_between(const ExhibitSpan& parent, const ExhibitSpan& child) {
  const bool caller = parent.role == "outbound" || parent.role == "gatewayClient" || parent.role == "gatewayServer";
  if (caller && child.role == "inbound") return TreeRow::Gap::kWire;
  if (parent.role == "inbound" && child.role == "app" && child.kind == "SERVER") return TreeRow::Gap::kProxy;
  return TreeRow::Gap::kNone;
}

}  // namespace

std::vector<TreeRow> expected_rows(const Exhibit& exhibit) {
  std::vector<int> parents;
  for (const ExhibitSpan& span : exhibit.expected)
    parents.push_back(known(span.parent, exhibit.expected) ? span.parent : -1);
  return preorder(exhibit.expected, parents, std::vector<bool>(parents.size(), false));
}

std::vector<TreeRow> observed_rows(const Exhibit& exhibit) {
  const Spans& spans = exhibit.observed;
  const std::vector<int> wanted = expected_parents(exhibit);
  std::vector<int> parents(spans.size(), -1);
  std::vector<bool> broken(spans.size(), false);
  for (size_t i = 0; i < spans.size(); ++i) {
    const bool linked = known(spans[i].parent, spans) && static_cast<size_t>(spans[i].parent) != i;
    const bool wrong_link = linked && spans[i].state == "defect" && wanted[i] >= 0 && wanted[i] != spans[i].parent;
    broken[i] = wanted[i] >= 0 && (!linked || wrong_link);
    parents[i] = broken[i] ? wanted[i] : linked ? spans[i].parent : -1;
  }
  std::vector<TreeRow> rows = preorder(spans, parents, broken);
  for (TreeRow& row : rows) {
    if (row.parent_row < 0) {
      row.new_trace = true;
      continue;
    }
    const ExhibitSpan& parent = spans[rows[static_cast<size_t>(row.parent_row)].span];
    const ExhibitSpan& own = spans[row.span];
    row.new_trace = own.trace_id != parent.trace_id;
    if (row.broken) continue;
    row.gap = gap_between(parent, own);
    row.gap_nanos = parent.duration_nanos - own.duration_nanos;
  }
  return rows;
}

std::vector<std::string> offending_keys(const ExhibitSpan& span, const std::string& code, const std::string& subject) {
  if (span.defect.empty() || span.defect != code) return {};
  std::vector<std::string> keys;
  for (const std::string_view part : split(subject, ' ')) {
    if (part.substr(0, 7) == "object=") keys.emplace_back(part.substr(7));
    if (part == "header=x-request-id") keys.emplace_back("guid:x-request-id");
    if (part == "header=tracestate") keys.emplace_back("trace state");
  }
  const auto add = [&](std::initializer_list<const char*> more) { keys.insert(keys.end(), more.begin(), more.end()); };
  const std::string family = code.substr(0, 5);
  if (family == "HOP02") add({"parent span id"});
  // Where the context was lost: the span that starts a trace anew. The span that had it and stays whole is marked as
  // such.
  if ((code == "HOP0601" || code == "HOP0604") && span.parent_id.is_zero()) add({"trace id", "parent span id"});
  if (code == "HOP0401") add({"service.name"});
  if (code == "HOP0402") add({"name"});
  if (code == "HOP0501") add({"kind"});
  if (code == "HOP0505") add({"status", "http.status_code", "error"});
  if (code == "HOP0509") add({"response_flags"});
  if (family == "HOP07") add({"start", "duration"});
  if (code == "HOP0508" || code == "HOP0802") add({"trace id", "span id"});
  return keys;
}

size_t count_traces(const std::vector<ExhibitSpan>& spans) {
  std::set<TraceId> traces;
  for (const ExhibitSpan& span : spans) traces.insert(span.trace_id);
  return traces.size();
}

}  // namespace hopcheck::report
