// Shared by the files that make hits_*.cc; nobody else includes it.
#pragma once

#include "check/hits.h"

namespace hopcheck::check {

class HitList {
 public:
  explicit HitList(const RequestView& request) : view(request) {}

  int add(Hit hit) {
    hits.push_back(std::move(hit));
    return static_cast<int>(hits.size()) - 1;
  }
  const Span* span_at(int expected) const {
    const int s = expected < 0 ? -1 : view.match.span_of[expected];
    return s < 0 ? nullptr : view.observed.spans[s];
  }
  const SpanInfo* info_at(int expected) const {
    const int s = expected < 0 ? -1 : view.match.span_of[expected];
    return s < 0 ? nullptr : &view.observed.infos[s];
  }
  std::string service_at(int expected) const {
    return view.classifier.service_label(view.tree.spans[expected].service);
  }
  std::string hop_at(int expected) const { return hop_of(view.classifier, view.tree, expected); }
  // First hit of this code (and, when given, service) that is a cause itself; -1 none.
  int find(std::string_view code, std::string_view service = "") const;

  const RequestView& view;
  std::vector<Hit> hits;
};

void add_structure_hits(HitList& list);                             // 02, 03, 11, 0601, 0604
void add_sampling_hits(HitList& list);                              // 0111
void add_error_hits(HitList& list);                                 // 0506
void add_header_hits(HitList& list);                                // 0602, 0603
void add_identity_hits(HitList& list, PatternCache& patterns);      // 04, 05
void add_time_hits(HitList& list);                                  // 07
void link_causes(HitList& list);

}  // namespace hopcheck::check
