// Drives planned scenarios through their targets: lanes (one per client: the host, each in-cluster agent) run side by
// side, the scenarios of a lane one after the other. Outcomes are kept per scenario.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "app/phase_log.h"
#include "model/ledger.h"
#include "run/environment_plan.h"

namespace hopcheck::app {

struct DriveContext {
  run::Provider* provider = nullptr;
  const run::EnvironmentPlan* plan = nullptr;
  RunTag tag;
  PhaseLog* log = nullptr;
  const std::atomic<bool>* stop = nullptr;
  uint64_t total = 0;                         // requests of the whole run, for the progress line
  std::function<uint64_t()> spans_arrived;    // for the progress line
};

class Driver {
 public:
  explicit Driver(DriveContext context);

  // Until every target of these scenarios answers well, then a few more requests to open connections (not judged).
  Result<void> warm_up(const std::vector<size_t>& scenarios);
  // All at once at `rate` requests/s together; each lane's share is its share of the requests.
  Result<void> drive(const std::vector<size_t>& scenarios, double rate);

  LoadPlan plan_of(size_t scenario) const;
  std::vector<LedgerEntry> ledger() const;    // every planned request, sent or not
  std::vector<bool> answered() const;         // by n
  int64_t last_answer_nanos() const { return last_answer_nanos_; }  // monotonic

 private:
  struct Lane {
    run::DriveTarget target;
    std::vector<size_t> scenarios;
    uint64_t requests = 0;
  };
  Result<std::vector<Lane>> lanes_of(const std::vector<size_t>& scenarios) const;
  Result<run::DriveTarget> target_of(size_t scenario) const;
  Result<void> send(const run::DriveTarget& target, const LoadPlan& plan,
                    const std::function<void(const Outcome&)>& sink);
  Result<void> send_by_agent(const run::DriveTarget& target, const LoadPlan& plan,
                             const std::function<void(const Outcome&)>& sink);
  Result<void> warm_target(const run::DriveTarget& target, size_t scenario);
  void keep(size_t scenario, const Outcome& outcome);

  DriveContext context_;
  std::vector<std::vector<Outcome>> outcomes_;  // by scenario, by n - first_n
  mutable std::mutex mutex_;
  std::atomic<uint64_t> done_{0};
  std::atomic<int64_t> last_answer_nanos_{0};
  std::atomic<uint64_t> next_warmup_n_;
  int64_t started_nanos_ = 0;
};

}  // namespace hopcheck::app
