#include "app/phase_log.h"

#include "base/clock.h"

namespace hopcheck::app {

void PhaseLog::record(PhaseStep step) {
  if (directory_ != nullptr) {
    if (const auto written = directory_->append_phase(step); !written && progress_ != nullptr)
      progress_->note(written.error().what);
  }
  const std::lock_guard lock(mutex_);
  steps_.push_back(std::move(step));
}

void PhaseLog::start_phase(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    phase_ = name;
    phase_start_ = system_clock().wall_unix_nanos();
  }
  if (progress_ != nullptr) progress_->phase(name);
}

void PhaseLog::end_phase(const std::string& outcome) {
  PhaseStep step;
  {
    const std::lock_guard lock(mutex_);
    if (phase_.empty()) return;
    step = {phase_, "", phase_start_, system_clock().wall_unix_nanos(), outcome};
    phase_.clear();
  }
  record(std::move(step));
}

size_t PhaseLog::begin(const std::string& step) {
  const size_t token = progress_ != nullptr ? progress_->begin(step) : 0;
  const std::lock_guard lock(mutex_);
  const size_t key = progress_ != nullptr ? token : next_++;
  open_[key] = {step, system_clock().wall_unix_nanos()};
  return key;
}

void PhaseLog::end(size_t token, const std::string& outcome) {
  if (progress_ != nullptr) progress_->end(token, outcome);
  PhaseStep step;
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(token);
    if (found == open_.end()) return;
    step = {phase_, found->second.name, found->second.start, system_clock().wall_unix_nanos(), outcome};
    open_.erase(found);
  }
  record(std::move(step));
}

void PhaseLog::note(const std::string& text) {
  if (progress_ != nullptr) progress_->note(text);
}

std::vector<PhaseStep> PhaseLog::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

}  // namespace hopcheck::app
