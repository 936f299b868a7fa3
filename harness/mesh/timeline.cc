#include "mesh/timeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"

namespace hopcheck::mesh {
namespace {

constexpr size_t kBarWidth = 40;
double seconds(int64_t nanos) { return static_cast<double>(nanos) / 1e9; }

}  // namespace

std::string timeline_table(const std::vector<TimedStep>& steps) {
  int64_t whole = 1;
  for (const TimedStep& step : steps) whole = std::max(whole, step.end_nanos);
  std::string out;
  for (const TimedStep& step : steps) {
    const int64_t took = std::max<int64_t>(0, step.end_nanos - step.begin_nanos);
    const auto column = [&](int64_t nanos) {
      return static_cast<size_t>(static_cast<double>(nanos) / static_cast<double>(whole) * kBarWidth);
    };
    const size_t from = std::min(column(step.begin_nanos), kBarWidth - 1);
    const size_t width =
        std::clamp<size_t>(column(step.begin_nanos + took) - column(step.begin_nanos), 1, kBarWidth - from);
    out += fmt::format("{:>7.1f}s {:>6.1f}s {:>4.0f}% |{}{}{}| {}{}\n", seconds(step.begin_nanos), seconds(took),
                       100.0 * static_cast<double>(took) / static_cast<double>(whole), std::string(from, ' '),
                       std::string(width, '#'), std::string(kBarWidth - from - width, ' '), step.name,
                       step.outcome == "ok" ? "" : " (" + step.outcome + ")");
  }
  return out + fmt::format("{:>7.1f}s in all\n", seconds(whole));
}

size_t Timeline::begin(const std::string& step) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int64_t now = system_clock().monotonic_nanos();
  if (start_ == 0) start_ = now;
  steps_.push_back({step, "running", now - start_, now - start_});
  return steps_.size() - 1;
}

void Timeline::end(size_t token, const std::string& outcome) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TimedStep& step = steps_.at(token);
  step.end_nanos = system_clock().monotonic_nanos() - start_;
  step.outcome = outcome;
  if (out_ != nullptr)
    fmt::print(out_, "{:>7.1f}s {} {} ({:.1f}s)\n", seconds(step.end_nanos), step.name, outcome,
               seconds(step.end_nanos - step.begin_nanos));
}

void Timeline::note(const std::string& text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (out_ != nullptr) fmt::print(out_, "         {}\n", text);
}

std::string Timeline::table() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return timeline_table(steps_);
}

}  // namespace hopcheck::mesh
