// Which answer is due: an AnswerPlan played over the exports that come. Thread-safe; time is handed in.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "model/answers.h"

namespace hopcheck::sink {

class AnswerScript {
 public:
  // From now on; what was played before is forgotten.
  void play(AnswerPlan plan);
  // The answer to the next export, which arrives at `now_nanos` of a clock that never goes back.
  Answer next(int64_t now_nanos);

  struct State {
    std::string name;             // of the plan; "" = none
    std::vector<uint64_t> given;  // exports answered by each step
    uint64_t after = 0;           // and behind the last one
    size_t step = 0;              // the next export's, as far as is known; given.size(): past the last
  };
  State state() const;

 private:
  std::atomic<bool> idle_{true};  // no plan: nothing to lock for
  mutable std::mutex mutex_;
  AnswerPlan plan_;
  State state_;
  int64_t since_nanos_ = 0;  // when the present step was met
  bool met_ = false;
};

}  // namespace hopcheck::sink
