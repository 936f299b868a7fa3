// Phases and their steps: to the progress line and to phases.jsonl. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "run/provider.h"
#include "store/run_dir.h"
#include "ui/progress.h"

namespace hopcheck::app {

class PhaseLog final : public run::StepLog {
 public:
  // Either may be null.
  PhaseLog(ui::Progress* progress, const store::RunDirectory* directory) : progress_(progress), directory_(directory) {}

  void start_phase(const std::string& name);
  void end_phase(const std::string& outcome);
  const std::string& phase() const { return phase_; }
  ui::Progress* progress() const { return progress_; }
  std::vector<PhaseStep> steps() const;

  size_t begin(const std::string& step) override;
  void end(size_t token, const std::string& outcome) override;
  void note(const std::string& text) override;

 private:
  void record(PhaseStep step);

  ui::Progress* progress_;
  const store::RunDirectory* directory_;
  mutable std::mutex mutex_;
  std::string phase_;
  int64_t phase_start_ = 0;
  struct Open {
    std::string name;
    int64_t start = 0;
  };
  std::map<size_t, Open> open_;
  std::vector<PhaseStep> steps_;
  size_t next_ = 1;
};

}  // namespace hopcheck::app
