// Trace rules: pure functions of one request's pieces and its expected tree → raw hits, already composed within the
// request (a hit that only follows from another names its cause). The run-level composer is compose.h.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "check/match.h"
#include "check/rule_set.h"
#include "check/skew.h"
#include "model/finding.h"
#include "model/scenario.h"

namespace hopcheck::check {

struct Hit {
  const char* code = "";
  Subject subject;
  std::string expected, actual;
  int span = -1;            // observed index that shows it, -1 none
  int other = -1;           // second witness, -1 none
  int expected_index = -1;  // node of the tree, -1 none
  int cause = -1;           // index of the hit it follows from, a finding of its own; -1: it is one itself
};

// Full-match regular expressions of profiles, compiled once; verdicts per value are remembered (bounded).
class PatternCache {
 public:
  bool matches(const std::string& pattern, std::string_view value);

 private:
  struct Compiled;
  std::unordered_map<std::string, std::shared_ptr<Compiled>> patterns_;
};

struct RequestView {
  const Scenario& scenario;
  const Classifier& classifier;
  const Observed& observed;
  const ExpectedTree& tree;
  const Match& match;
  std::string_view trace_state;  // what we sent; "" none
  const RuleSet* rules = nullptr;                // null: all rules exist
  bool mixed = false;                            // one of its traces names several requests
  std::string_view hop = {};                     // the request's own tag; "" none
  const std::vector<bool>* disputed = nullptr;   // by observed span: another one has its ids (HOP0802 says so)
  const SkewBook* skew = nullptr;  // of all requests; null: every clock is taken to be right
};

std::vector<Hit> request_hits(const RequestView& view, PatternCache& patterns);

// "checkout->payments" for a proxy node of the tree.
std::string hop_of(const Classifier& classifier, const ExpectedTree& tree, int expected_index);

}  // namespace hopcheck::check
