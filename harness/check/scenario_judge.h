// Judges the requests of one scenario: chooses each request's expected tree, matches, collects hits, classes, gaps and
// samples.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "check/aggregate.h"
#include "check/attribution.h"
#include "check/judge.h"
#include "check/signature_book.h"
#include "check/skew.h"
#include "plan/expand.h"
#include "stats/histogram.h"

namespace hopcheck::check {

// One request as it was judged; kept so that exhibits can be drawn without judging again.
struct JudgedRequest {
  uint64_t n = 0;
  int tree = -1;
  RequestClass klass = RequestClass::kUnsent;
};

// A detached trace of this scenario's topology, as evidence for a split (no tag, no ledger: nothing names its request).
struct DetachedTop {
  const TraceGroup* trace = nullptr;
  uint32_t span = 0;  // its top span
  SpanInfo info;
};

class ScenarioJudge {
 public:
  ScenarioJudge(const JudgeInput& input, const ScenarioInput& scenario, int index, const Classifier& classifier,
                const plan::ProfileBinding& binding, plan::Expansion expansion);

  // Judges everything of this scenario. `attribution` gets final span classes and, without a ledger, request numbers.
  void run(Attribution& attribution);

  ScenarioResult take_result();
  Aggregates& aggregates() { return aggregates_; }
  const Aggregates& aggregates() const { return aggregates_; }
  const ScenarioResult& result() const { return result_; }
  const std::vector<JudgedRequest>& requests() const { return requests_; }
  const plan::Expansion& expansion() const { return expansion_; }
  const Classifier& classifier() const { return classifier_; }
  const ScenarioInput& input() const { return scenario_; }
  const plan::ProfileBinding& binding() const { return binding_; }
  const std::vector<DetachedTop>& detached() const { return detached_; }
  uint64_t judged() const { return judged_; }  // answered, sampled requests with spans
  // Re-creates what request n looked like, for an exhibit.
  Observed observed_of(uint64_t n) const;

 private:
  struct HopGaps {
    uint64_t client = 0, server = 0, app = 0;
    stats::Histogram wire, proxy, own;
    bool app_expected = false;
  };

  void number_bare_requests(Attribution& attribution);
  std::vector<bool> disputed(const Observed& observed) const;
  void add_finding(uint64_t n, const char* code, std::string expected, std::string actual,
                   std::vector<Witness> witnesses);
  bool begins_here(const TraceGroup& trace, uint32_t& root) const;
  void judge_request(uint64_t n, const LedgerEntry* entry, Attribution& attribution);
  RequestClass judge_absence(uint64_t n, const LedgerEntry* entry, const Observed& observed);
  void count_rate(const LedgerEntry* entry, const Observed& observed);
  void classify_spans(const Observed& observed, const ExpectedTree& tree, const Match& match,
                      const std::vector<Hit>& hits, bool excused, Attribution& attribution);
  bool excused_by_change(const Observed& observed, const Match& match, const ExpectedTree& tree);
  int choose_tree(const Observed& observed, const LedgerEntry* entry, Match& match) const;
  void add_gaps(const Observed& observed, const ExpectedTree& tree, const Match& match);
  void read_clocks();
  void report_skew();
  void compare_gaps();
  void add_latency(const Outcome& outcome);
  void finish();
  void note_collisions();
  void judge_count();
  uint64_t silent_requests() const;
  void judge_rate();
  void collect_detached(const Attribution& attribution);
  double claimed_sampling(const LedgerEntry* entry) const;
  const MeshProfile& first_profile() const;
  std::optional<bool> own_draw(const LedgerEntry* entry) const;
  std::string why_unsampled(const LedgerEntry* entry) const;

  const JudgeInput& input_;
  const ScenarioInput& scenario_;
  const int index_;
  const Classifier& classifier_;
  const plan::ProfileBinding& binding_;
  plan::Expansion expansion_;
  const RuleSet rules_;
  std::set<std::pair<TraceId, SpanId>> disputed_;  // ids that several different spans carry
  PatternCache own_patterns_;
  PatternCache& patterns_;
  Aggregates aggregates_;
  ScenarioResult result_;
  std::vector<JudgedRequest> requests_;
  std::map<uint64_t, std::vector<const TraceGroup*>> traces_of_;
  std::vector<DetachedTop> detached_;
  std::vector<uint64_t> completes_by_tree_;
  std::map<std::pair<std::string, std::string>, HopGaps> gaps_;
  std::map<std::string, std::map<std::pair<std::string, std::string>, HopGaps>> gaps_by_journey_;
  SkewBook skew_;
  SignatureBook signature_;
  std::map<int, int> change_budget_;  // service → missing inbound spans already excused
  uint64_t excused_spans_ = 0, judged_ = 0, rate_sent_ = 0, rate_seen_ = 0, drawn_ = 0;
  uint64_t failures_unseen_ = 0;  // answered with a server error, and not sampled
  stats::Histogram corrected_, uncorrected_, lateness_;
  uint64_t late_ = 0;
};

}  // namespace hopcheck::check
