#include "check/aggregate.h"

#include <set>

#include "check/catalogue.h"

namespace hopcheck::check {
namespace {

std::vector<Witness> witnesses_of(const Observed& observed, const Hit& hit) {
  std::vector<Witness> out;
  for (int index : {hit.other, hit.span}) {
    if (index >= 0) out.push_back({observed.spans[index]->trace_id, observed.spans[index]->span_id});
  }
  return out;
}

void keep_witnesses(Aggregate& aggregate, uint64_t n, std::vector<Witness> witnesses) {
  if (!witnesses.empty()) aggregate.witnesses.emplace(n, std::move(witnesses));
  if (aggregate.witnesses.size() > kWitnessRequests) aggregate.witnesses.erase(std::prev(aggregate.witnesses.end()));
}

}  // namespace

void Aggregates::add(uint64_t n, const Observed& observed, const std::vector<Hit>& hits) {
  std::set<HitKey> seen;
  for (const Hit& hit : hits) {
    const HitKey key{hit.code, subject_key(hit.subject)};
    if (!seen.insert(key).second) continue;
    if (hit.cause >= 0) {
      int root = hit.cause;
      for (size_t steps = 0; hits[root].cause >= 0 && steps < hits.size(); ++steps) root = hits[root].cause;
      Aggregate& cause = all_[{hits[root].code, subject_key(hits[root].subject)}];
      cause.subject = hits[root].subject;
      ++cause.consequences[key];
      continue;
    }
    Aggregate& aggregate = all_[key];
    aggregate.subject = hit.subject;
    ++aggregate.count;
    keep_witnesses(aggregate, n, witnesses_of(observed, hit));
    if (n < aggregate.example_n) {
      aggregate.example_n = n;
      aggregate.expected = hit.expected;
      aggregate.actual = hit.actual;
    }
  }
}

void Aggregates::add_finding(uint64_t n, const char* code, Subject subject, std::string expected, std::string actual,
                             std::vector<Witness> witnesses) {
  Aggregate& aggregate = all_[{code, subject_key(subject)}];
  aggregate.subject = std::move(subject);
  ++aggregate.count;
  keep_witnesses(aggregate, n, std::move(witnesses));
  if (n < aggregate.example_n || aggregate.count == 1) {
    aggregate.example_n = n;
    aggregate.expected = std::move(expected);
    aggregate.actual = std::move(actual);
  }
}

void Aggregates::merge(const Aggregates& other) {
  for (const auto& [key, theirs] : other.all_) {
    Aggregate& ours = all_[key];
    ours.subject = theirs.subject;
    ours.count += theirs.count;
    for (const auto& [n, list] : theirs.witnesses) keep_witnesses(ours, n, list);
    for (const auto& [code, count] : theirs.consequences) ours.consequences[code] += count;
    if (theirs.example_n < ours.example_n) {
      ours.example_n = theirs.example_n;
      ours.expected = theirs.expected;
      ours.actual = theirs.actual;
    }
  }
}

Aggregate& Aggregates::demote(const HitKey& from, const char* code, const Subject& subject) {
  auto node = all_.extract(from);
  Aggregate& cause = all_[{code, subject_key(subject)}];
  cause.subject = subject;
  if (node.empty()) return cause;
  Aggregate& lesser = node.mapped();
  cause.consequences[from] += lesser.count;
  for (const auto& [key, count] : lesser.consequences) cause.consequences[key] += count;
  cause.count = std::max(cause.count, lesser.count);
  if (cause.witnesses.empty()) cause.witnesses = lesser.witnesses;
  cause.example_n = std::min(cause.example_n, lesser.example_n);
  return cause;
}

std::vector<HitKey> Aggregates::keys_of(std::string_view code) const {
  std::vector<HitKey> out;
  for (const auto& [key, aggregate] : all_) {
    if (key.code == code && aggregate.count > 0) out.push_back(key);
  }
  return out;
}

std::vector<Finding> Aggregates::findings() const {
  std::vector<Finding> out;
  for (const auto& [key, aggregate] : all_) {
    if (aggregate.count == 0) continue;
    const RuleInfo& rule = rule_info(key.code);
    Finding finding;
    finding.code = key.code;
    finding.severity = rule.severity;
    finding.title = rule.title;
    finding.hint = rule.hint;
    finding.page = "docs/rules/" + key.code + ".md";
    finding.subject = aggregate.subject;
    finding.expected = aggregate.expected;
    finding.actual = aggregate.actual;
    finding.count = aggregate.count;
    for (const auto& [n, list] : aggregate.witnesses)
      finding.witnesses.insert(finding.witnesses.end(), list.begin(), list.end());
    for (const auto& [consequence, count] : aggregate.consequences) {
      finding.consequences.push_back({consequence.code, consequence.subject, count});
    }
    out.push_back(std::move(finding));
  }
  return out;
}

}  // namespace hopcheck::check
