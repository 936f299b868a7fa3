// Mergeable, order-free aggregates of hits, and their composition into findings: one cause, one finding.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "check/hits.h"

namespace hopcheck::check {

inline constexpr size_t kWitnessRequests = 4;  // requests whose witnesses a finding keeps (the smallest n)

struct HitKey {
  std::string code, subject;
  auto operator<=>(const HitKey&) const = default;
};

struct Aggregate {
  Subject subject;
  uint64_t count = 0;                              // requests
  std::map<uint64_t, std::vector<Witness>> witnesses;  // by request number, at most kWitnessRequests
  uint64_t example_n = UINT64_MAX;                 // smallest request that shows it
  std::string expected, actual;                    // of that request
  std::map<HitKey, uint64_t> consequences;
};

class Aggregates {
 public:
  // Adds one request's hits. Each (code, subject) counts once per request.
  void add(uint64_t n, const Observed& observed, const std::vector<Hit>& hits);
  void add_finding(uint64_t n, const char* code, Subject subject, std::string expected, std::string actual,
                   std::vector<Witness> witnesses);
  void merge(const Aggregates& other);

  // Moves `from` under `to` (created when absent, with `subject`): its count becomes a consequence.
  Aggregate& demote(const HitKey& from, const char* code, const Subject& subject);
  std::map<HitKey, Aggregate>& all() { return all_; }
  const std::map<HitKey, Aggregate>& all() const { return all_; }

  std::vector<HitKey> keys_of(std::string_view code) const;  // of those that stand for themselves
  std::vector<Finding> findings() const;  // ascending by (code, subject)

 private:
  std::map<HitKey, Aggregate> all_;
};

}  // namespace hopcheck::check
