#include "load/drives.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "load/engine.h"
#include "load/target.h"
#include "plan/load_plan_json.h"

namespace hopcheck::load {

struct Drives::Drive {
  LoadPlan plan;
  std::string plan_text;  // tells a repeated request from a new plan
  uint64_t order = 0;
  std::atomic<bool> stop{false};
  std::thread thread;

  mutable std::mutex mutex;  // guards what follows
  std::vector<Outcome> outcomes;
  bool finished = false;
  std::optional<Error> error;

  ~Drive() {
    stop = true;
    if (thread.joinable()) thread.join();
  }
  bool running() const {
    const std::lock_guard lock(mutex);
    return !finished;
  }
  void run() {
    const auto keep = [this](const Outcome& outcome) {
      const std::lock_guard lock(mutex);
      outcomes.push_back(outcome);
    };
    const Result<void> result = load::run(plan, keep, stop);
    const std::lock_guard lock(mutex);
    finished = true;
    if (!result) error = result.error();
  }
};

Drives::Drives() = default;
Drives::~Drives() { stop(); }

Result<Drives::Start> Drives::start(const LoadPlan& plan) {
  const Result<Target> target = check_plan(plan);
  if (!target) return tl::unexpected<Error>(target.error());
  if (plan.count > kMaxOutcomes) {
    return fail(ErrorKind::kUsage, "unusable load plan", "more than " + std::to_string(kMaxOutcomes) + " requests");
  }
  const std::string text = plan::to_json(plan);
  const std::lock_guard lock(mutex_);
  const auto same = drives_.find(plan.first_n);
  if (same != drives_.end() && same->second->plan_text == text) return Start::kKnown;
  for (const auto& item : drives_) {
    if (item.second->running()) return Start::kBusy;
  }
  if (same != drives_.end()) drives_.erase(same);
  forget_old(plan.count);
  auto drive = std::make_unique<Drive>();
  drive->plan = plan;
  drive->plan_text = text;
  drive->order = started_++;
  drive->thread = std::thread(&Drive::run, drive.get());
  drives_[plan.first_n] = std::move(drive);
  return Start::kStarted;
}

// All kept drives are finished when this is called.
void Drives::forget_old(uint64_t room) {
  uint64_t kept = room;
  for (const auto& item : drives_) kept += item.second->plan.count;
  while (kept > kMaxOutcomes && !drives_.empty()) {
    const auto oldest = std::min_element(drives_.begin(), drives_.end(), [](const auto& a, const auto& b) {
      return a.second->order < b.second->order;
    });
    kept -= oldest->second->plan.count;
    drives_.erase(oldest);
  }
}

std::optional<Drives::Page> Drives::page(uint64_t first_n, uint64_t from) const {
  const std::lock_guard lock(mutex_);
  const auto found = drives_.find(first_n);
  if (found == drives_.end()) return std::nullopt;
  const Drive& drive = *found->second;
  const std::lock_guard drive_lock(drive.mutex);
  Page page;
  const size_t begin = static_cast<size_t>(std::min<uint64_t>(from, drive.outcomes.size()));
  const size_t end = std::min(begin + kPageSize, drive.outcomes.size());
  page.outcomes.assign(drive.outcomes.begin() + static_cast<std::ptrdiff_t>(begin),
                       drive.outcomes.begin() + static_cast<std::ptrdiff_t>(end));
  page.finished = drive.finished && end == drive.outcomes.size();
  page.error = drive.error;
  return page;
}

void Drives::stop() {
  const std::lock_guard lock(mutex_);
  for (const auto& item : drives_) item.second->stop = true;
}

}  // namespace hopcheck::load
