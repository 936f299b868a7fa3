// A StepLog that prints each step as it ends and, at the end, all of them as a timeline with their share. Thread-safe.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

#include "run/provider.h"

namespace hopcheck::mesh {

struct TimedStep {
  std::string name, outcome;
  int64_t begin_nanos = 0, end_nanos = 0;  // since the first step began
};
// One line per step: when it began, how long it took, its share of the whole, a bar.
std::string timeline_table(const std::vector<TimedStep>& steps);

class Timeline final : public run::StepLog {
 public:
  explicit Timeline(std::FILE* out) : out_(out) {}  // nullptr: collects only
  size_t begin(const std::string& step) override;
  void end(size_t token, const std::string& outcome) override;
  void note(const std::string& text) override;
  std::string table() const;

 private:
  mutable std::mutex mutex_;
  std::FILE* out_;
  int64_t start_ = 0;
  std::vector<TimedStep> steps_;
};

}  // namespace hopcheck::mesh
