// The signature lines of one scenario (SignatureLine, verdict.md section 6), collected request by request from what was
// observed, and joined with what the profile expects. Order-free: the same requests give the same lines. Pure.
//
// Bounds, since names come from outside: `kMaxKinds` kinds of span (what comes after them is counted in one line,
// "(further)"), paths of 64 spans (deeper ones count where the path was cut), 512 attribute keys for each kind.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "check/match.h"
#include "model/run_result.h"
#include "plan/expand.h"

namespace hopcheck::check {

class SignatureBook {
 public:
  static constexpr size_t kMaxKinds = 4096;

  // `match` belongs to `observed`; the spans outlive the book.
  void add(const std::string& journey, const Observed& observed, const Match& match);
  // Sorted by journey and path.
  std::vector<SignatureLine> lines(const plan::Expansion& expansion) const;

 private:
  using AttributeKeys = std::set<std::pair<std::string_view, AnyValue::Type>>;
  // What tells two kinds of span apart: journey, kind above (index, -1 = none), service.name, span kind, name.
  struct Key {
    std::string_view journey, service, name;
    int above = -1;
    SpanKind kind = SpanKind::kUnspecified;
    auto operator<=>(const Key&) const = default;
  };
  struct Kind {
    Key key;
    int depth = 0;
    uint64_t count = 0, traces = 0, last_request = 0;
    std::unordered_set<uint64_t> key_lists;  // hashes of attribute lists that were looked through
    AttributeKeys attributes, resource;
  };
  int kind_of(const Key& key);  // -1 beyond the bound
  std::vector<int> kinds_of(std::string_view journey, const Observed& observed, const Match& match);
  std::string_view name_of(const Span& span, const SpanInfo& info);
  static void add_keys(const AttributeList& list, AttributeKeys& keys, Kind& kind);
  std::string path_of(int kind) const;

  std::set<std::string, std::less<>> journeys_, names_;  // what keys view and no span holds
  std::map<Key, int> index_;
  std::vector<Kind> kinds_;
  uint64_t requests_ = 0;
  std::map<std::string, uint64_t> further_;  // journey → spans beyond the bound
};

}  // namespace hopcheck::check
