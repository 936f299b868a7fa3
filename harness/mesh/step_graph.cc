#include "mesh/step_graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cassert>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace hopcheck::mesh {
namespace {

enum class State { kWaiting, kRunning, kDone, kFailed };

struct Board {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<State> states;
  Result<void> error;
  std::atomic<bool> stop{false};
  size_t running = 0;
};

const char* outcome_of(const Result<void>& result) {
  if (result) return "ok";
  return result.error().kind == ErrorKind::kInterrupted ? "interrupted" : "failed";
}

}  // namespace

size_t StepGraph::add(std::string name, std::vector<size_t> after, Body body, Time time) {
  for (const size_t step : after) assert(step < steps_.size());
  steps_.push_back({std::move(name), std::move(after), std::move(body), time});
  return steps_.size() - 1;
}

Result<void> StepGraph::run(run::StepLog& log, const std::atomic<bool>& stop) {
  Board board;
  board.states.assign(steps_.size(), State::kWaiting);
  std::vector<std::thread> threads;
  const int64_t start = system_clock().monotonic_nanos();
  const auto execute = [&](size_t index) {
    const size_t token = log.begin(steps_[index].name);
    const int64_t began = system_clock().monotonic_nanos();
    const Result<void> result = steps_[index].body(board.stop);
    log.end(token, outcome_of(result));
    const std::lock_guard<std::mutex> lock(board.mutex);
    steps_[index].took_nanos = system_clock().monotonic_nanos() - began;
    board.states[index] = result ? State::kDone : State::kFailed;
    --board.running;
    // Steps that were merely interrupted by another's failure do not hide that failure.
    const bool hides = !board.error && board.error.error().kind == ErrorKind::kInterrupted;
    if (!result && (board.error || hides)) board.error = result;
    if (!result) board.stop = true;
    board.changed.notify_all();
  };
  std::unique_lock<std::mutex> lock(board.mutex);
  while (true) {
    if (stop.load()) board.stop = true;
    size_t waiting = 0;
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (board.states[i] != State::kWaiting) continue;
      ++waiting;
      bool ready = !board.stop.load();
      for (const size_t needed : steps_[i].after) ready = ready && board.states[needed] == State::kDone;
      if (!ready) continue;
      board.states[i] = State::kRunning;
      ++board.running;
      threads.emplace_back(execute, i);
    }
    if (board.running == 0 && (waiting == 0 || board.stop.load())) break;
    board.changed.wait_for(lock, std::chrono::milliseconds(50));
  }
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  wall_nanos_ = system_clock().monotonic_nanos() - start;
  if (board.error && stop.load()) return fail(ErrorKind::kInterrupted, "setting up the environment was interrupted");
  return board.error;
}

StepGraph::CriticalPath StepGraph::critical_path() const {
  constexpr size_t kNone = SIZE_MAX;
  std::vector<int64_t> until(steps_.size(), 0);  // most tools' time of a chain that ends with this step
  std::vector<size_t> before(steps_.size(), kNone);
  size_t last = kNone;
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (const size_t needed : steps_[i].after) {
      if (before[i] == kNone || until[needed] > until[before[i]]) before[i] = needed;
    }
    until[i] = before[i] == kNone ? 0 : until[before[i]];
    if (steps_[i].time == Time::kTool) until[i] += steps_[i].took_nanos;
    if (last == kNone || until[i] > until[last]) last = i;
  }
  CriticalPath path;
  path.wall_nanos = wall_nanos_;
  if (last != kNone) path.tools_nanos = until[last];
  for (size_t i = last; i != kNone; i = before[i]) {
    if (steps_[i].time == Time::kTool) path.steps.insert(path.steps.begin(), steps_[i].name);
  }
  return path;
}

std::string to_text(const StepGraph::CriticalPath& path) {
  const auto seconds = [](int64_t nanos) { return static_cast<double>(nanos) / 1e9; };
  std::string out = fmt::format("wall {:.1f} s", seconds(path.wall_nanos));
  if (path.tools_nanos <= 0) return out;
  return out + fmt::format(", {:.2f} times the tools' own critical path of {:.1f} s ({})",
                           static_cast<double>(path.wall_nanos) / static_cast<double>(path.tools_nanos),
                           seconds(path.tools_nanos), fmt::join(path.steps, ", "));
}

}  // namespace hopcheck::mesh
