// Runs the steps of setting up an environment concurrently, each as soon as those it needs are done. One thread per
// running step; the first error stops the rest. Steps report to a StepLog, so that a timeline can be printed.
#pragma once

#include <atomic>
#include <cstdint>
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
  // Whose time a step is: a tool's that a person would run by hand as well, or the harness's own.
  enum class Time { kHarness, kTool };
  // `after`: steps that must have succeeded first. Returns the step's number. Only earlier steps can be named: no
  // cycles.
  size_t add(std::string name, std::vector<size_t> after, Body body, Time time = Time::kHarness);
  // Blocks until every step is done or, after an error or `stop`, until those that run have ended. The first step that
  // failed on its own account gives the error.
  Result<void> run(run::StepLog& log, const std::atomic<bool>& stop);

  // Of the run that has ended: its wall time, and the chain of dependent steps with the most time of tools in it, the
  // harness's own steps counted as nothing. The ratio of the two is what the harness adds to doing it by hand.
  struct CriticalPath {
    int64_t wall_nanos = 0, tools_nanos = 0;
    std::vector<std::string> steps;  // the tools' steps of that chain, in order
  };
  CriticalPath critical_path() const;

 private:
  struct Step {
    std::string name;
    std::vector<size_t> after;
    Body body;
    Time time;
    int64_t took_nanos = 0;
  };
  std::vector<Step> steps_;
  int64_t wall_nanos_ = 0;
};

// "wall 48.1 s, 1.21 times the tools' own critical path of 39.8 s (kind cluster, istioctl install)".
std::string to_text(const StepGraph::CriticalPath& path);

}  // namespace hopcheck::mesh
