// Shared by the files that make hits_*.cc; nobody else includes it.
#pragma once

#include <map>

#include "check/hits.h"

namespace hopcheck::check {

// Whether "UF,URX" holds "URX".
bool has_flag(std::string_view flags, std::string_view flag);

class HitList {
 public:
  explicit HitList(const RequestView& request) : view(request) {}

  bool on(std::string_view code) const { return view.rules == nullptr || view.rules->on(code); }
  // Index of the hit; -1: its rule does not exist, or its span's content is disputed. Causes are added before what
  // follows from them, and a chain of causes is shortened to its beginning.
  int add(Hit hit);
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
  // First hit of this code (and, when given, service) that was added as a cause itself; -1 none.
  int find(std::string_view code, std::string_view service = "") const;

  const RequestView& view;
  std::vector<Hit> hits;
  std::vector<int> cycle_of;    // by observed span: the hit of the cycle it is part of, -1 none
  std::vector<int> surplus_of;  // by observed span: the hit that says it should not be there, -1 none

 private:
  std::map<std::pair<std::string_view, std::string>, int> first_;
};

void add_structure_hits(HitList& list);                             // 02, 03, 11, 0601, 0604
void add_mixed_hits(HitList& list);                                 // 0206
void add_sampling_hits(HitList& list);                              // 0111
void add_error_hits(HitList& list);                                 // 0506
void add_flag_hits(HitList& list);                                  // 0509
void add_header_hits(HitList& list);                                // 0602, 0603
void add_identity_hits(HitList& list, PatternCache& patterns);      // 04, 05
void add_time_hits(HitList& list);                                  // 07
void link_causes(HitList& list);                                    // hits_causes.cc

}  // namespace hopcheck::check
