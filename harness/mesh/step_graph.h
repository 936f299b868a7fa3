// Runs the steps of setting up an environment concurrently, each as soon as those it needs are done. One thread per
// running step; the first error stops the rest. Steps report to a StepLog, so that a timeline can be printed.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "run/provider.h"

namespace hopcheck::mesh {

class StepGraph {
 public:
  // Gets a flag that is set when the caller stops or another step has failed.
  using Body = std::function<Result<void>(const std::atomic<bool>& stop)>;
  // `after`: steps that must have succeeded first. Returns the step's number. Only earlier steps can be named: no
  // cycles.
  size_t add(std::string name, std::vector<size_t> after, Body body);
  // Blocks until every step is done or, after an error or `stop`, until those that run have ended. The first step that
  // failed on its own account gives the error.
  Result<void> run(run::StepLog& log, const std::atomic<bool>& stop);

 private:
  struct Step {
    std::string name;
    std::vector<size_t> after;
    Body body;
  };
  std::vector<Step> steps_;
};

}  // namespace hopcheck::mesh
