#include "check/hits.h"

#include <regex>

#include "check/hits_internal.h"

namespace hopcheck::check {

struct PatternCache::Compiled {
  std::regex regex;
  bool valid = true;
  std::unordered_map<std::string, bool> remembered;
};

bool PatternCache::matches(const std::string& pattern, std::string_view value) {
  constexpr size_t kRemembered = 4096;
  auto& compiled = patterns_[pattern];
  if (!compiled) {
    compiled = std::make_shared<Compiled>();
    try {
      compiled->regex = std::regex(pattern, std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error&) {
      compiled->valid = false;  // config refuses such profiles; a hand-made one matches nothing
    }
  }
  if (!compiled->valid || value.size() > 4096) return false;
  const std::string key(value);
  const auto found = compiled->remembered.find(key);
  if (found != compiled->remembered.end()) return found->second;
  const bool result = std::regex_match(key, compiled->regex);
  if (compiled->remembered.size() < kRemembered) compiled->remembered.emplace(key, result);
  return result;
}

std::string hop_of(const Classifier& classifier, const ExpectedTree& tree, int expected_index) {
  const ExpectedSpan& span = tree.spans[expected_index];
  if (span.role == ProxyRole::kNone) return "";
  if (span.role != ProxyRole::kInbound) {
    // A request that no route took, or that went to a place outside, names no peer.
    const std::string to = span.peer < 0 ? "outside" : classifier.service_label(span.peer);
    return classifier.service_label(span.service) + "->" + to;
  }
  std::string from = "client";
  if (span.parent >= 0) from = classifier.service_label(tree.spans[span.parent].service);
  return from + "->" + classifier.service_label(span.service);
}

int HitList::add(Hit hit) {
  if (!on(hit.code)) return -1;
  const std::string_view family = std::string_view(hit.code).substr(3, 2);
  const bool of_content = family == "04" || family == "05" || family == "07";
  if (of_content && hit.span >= 0 && view.disputed != nullptr && (*view.disputed)[hit.span]) return -1;
  if (hit.cause >= 0 && hits[hit.cause].cause >= 0) hit.cause = hits[hit.cause].cause;
  const int index = static_cast<int>(hits.size());
  if (hit.cause < 0) {
    first_.emplace(std::pair(std::string_view(hit.code), std::string()), index);
    if (!hit.subject.service.empty()) first_.emplace(std::pair(std::string_view(hit.code), hit.subject.service), index);
  }
  hits.push_back(std::move(hit));
  return index;
}

int HitList::find(std::string_view code, std::string_view service) const {
  const auto found = first_.find(std::pair(code, std::string(service)));
  return found == first_.end() ? -1 : found->second;
}

std::vector<Hit> request_hits(const RequestView& view, PatternCache& patterns) {
  HitList list(view);
  add_mixed_hits(list);
  add_structure_hits(list);
  add_sampling_hits(list);
  add_error_hits(list);
  add_flag_hits(list);
  add_header_hits(list);
  add_identity_hits(list, patterns);
  add_time_hits(list);
  link_causes(list);
  return std::move(list.hits);
}

}  // namespace hopcheck::check
