#include "check/exhibit.h"

#include <algorithm>

namespace hopcheck::check {
namespace {

std::string value_text(const AnyValue& value) {
  switch (value.type) {
    case AnyValue::Type::kBool: return value.boolean ? "true" : "false";
    case AnyValue::Type::kInt: return std::to_string(value.integer);
    case AnyValue::Type::kDouble: return std::to_string(value.real);
    case AnyValue::Type::kEmpty: return "";
    default: return std::string(value.text.substr(0, 512));
  }
}

ExhibitSpan observed_bar(const Span& span, const SpanInfo& info, uint64_t zero) {
  ExhibitSpan bar;
  bar.service_name = std::string(span.resource->service_name);
  bar.name = std::string(span.name);
  bar.kind = to_string(span.kind);
  bar.role = to_string(info.role);
  bar.trace_id = span.trace_id;
  bar.span_id = span.span_id;
  bar.parent_id = span.parent_id;
  bar.start_nanos = static_cast<int64_t>(span.start_unix_nanos - zero);
  bar.duration_nanos = static_cast<int64_t>(span.end_unix_nanos - span.start_unix_nanos);
  bar.status = to_string(span.status);
  for (const Attribute& attribute : span.attributes)
    bar.attributes.emplace_back(attribute.key, value_text(attribute.value));
  return bar;
}

}  // namespace

Exhibit make_exhibit(const ScenarioJudge& judge, const JudgedRequest& request, const Finding* finding) {
  Exhibit out;
  out.n = request.n;
  if (finding != nullptr) {
    out.code = finding->code;
    out.subject = subject_key(finding->subject);
  }
  const Observed observed = judge.observed_of(request.n);
  const size_t tree_index = request.tree >= 0 ? static_cast<size_t>(request.tree) : 0;
  const ExpectedTree& tree = judge.expansion().trees[tree_index];
  const Match match = match_tree(observed, tree);
  for (size_t e = 0; e < tree.spans.size() && e < kMaxExhibitSpans; ++e) {
    const ExpectedSpan& span = tree.spans[e];
    ExhibitSpan bar;
    bar.parent = span.parent;
    bar.service_name = span.service_name;
    bar.name = span.name;
    bar.kind = to_string(span.kind);
    bar.role = to_string(span.role);
    bar.state = match.span_of[e] >= 0 ? "matched" : "missing";
    out.expected.push_back(std::move(bar));
  }
  const uint64_t zero = observed.spans.empty() ? 0 : observed.spans.front()->start_unix_nanos;
  for (size_t s = 0; s < observed.spans.size() && s < kMaxExhibitSpans; ++s) {
    ExhibitSpan bar = observed_bar(*observed.spans[s], observed.infos[s], zero);
    const int parent = match.parent_of[s];
    bar.parent = parent >= 0 && static_cast<size_t>(parent) < kMaxExhibitSpans ? parent : -1;
    bar.state = match.expected_of[s] >= 0 ? "matched" : "unexpected";
    const bool witness =
        finding != nullptr && std::any_of(finding->witnesses.begin(), finding->witnesses.end(), [&](const Witness& w) {
          return w.span_id == bar.span_id && w.trace_id == bar.trace_id;
        });
    if (witness) {
      bar.defect = finding->code;
      if (bar.state == "matched") bar.state = "defect";
    }
    out.observed.push_back(std::move(bar));
  }
  return out;
}

std::vector<Exhibit> make_exhibits(const ScenarioJudge& judge, const std::vector<Finding>& findings) {
  std::vector<Exhibit> out;
  const auto request_of = [&](uint64_t n) -> const JudgedRequest* {
    for (const JudgedRequest& request : judge.requests()) {
      if (request.n == n) return &request;
    }
    return nullptr;
  };
  const auto& aggregates = judge.aggregates().all();
  for (const Finding& finding : findings) {
    if (out.size() >= kMaxExhibits) break;
    const auto found = aggregates.find({finding.code, subject_key(finding.subject)});
    if (found == aggregates.end()) continue;
    if (const JudgedRequest* request = request_of(found->second.example_n))
      out.push_back(make_exhibit(judge, *request, &finding));
  }
  for (const JudgedRequest& request : judge.requests()) {
    if (request.klass != RequestClass::kComplete) continue;
    out.push_back(make_exhibit(judge, request, nullptr));
    break;
  }
  return out;
}

}  // namespace hopcheck::check
