// The agent's drives: at most one runs at a time, in its own thread; outcomes are kept to be fetched page by page,
// the oldest finished drives being forgotten first. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/ledger.h"

namespace hopcheck::load {

class Drives {
 public:
  static constexpr uint64_t kMaxOutcomes = 5'000'000;  // of all drives kept, 48 bytes each
  static constexpr size_t kPageSize = 5000;

  Drives();
  ~Drives();  // stops what runs (two seconds at most for requests in flight) and waits for it

  enum class Start {
    kStarted,
    kKnown,  // the same plan is running or finished: nothing was started
    kBusy,   // another one is running
  };
  // Usage error: the plan cannot be driven. A finished drive of the same first_n and another plan is replaced.
  Result<Start> start(const LoadPlan& plan);

  struct Page {
    std::vector<Outcome> outcomes;  // in order of completion, from index `from`, at most kPageSize
    bool finished = false;          // and this is the last page
    std::optional<Error> error;     // the drive itself failed
  };
  // nullopt: no such drive.
  std::optional<Page> page(uint64_t first_n, uint64_t from) const;
  void stop();

 private:
  struct Drive;
  void forget_old(uint64_t room);

  mutable std::mutex mutex_;
  std::map<uint64_t, std::unique_ptr<Drive>> drives_;  // by first_n
  uint64_t started_ = 0;
};

}  // namespace hopcheck::load
