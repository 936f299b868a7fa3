#include "mesh/step_graph.h"

#include <cassert>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

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

size_t StepGraph::add(std::string name, std::vector<size_t> after, Body body) {
  for (const size_t step : after) assert(step < steps_.size());
  steps_.push_back({std::move(name), std::move(after), std::move(body)});
  return steps_.size() - 1;
}

Result<void> StepGraph::run(run::StepLog& log, const std::atomic<bool>& stop) {
  Board board;
  board.states.assign(steps_.size(), State::kWaiting);
  std::vector<std::thread> threads;
  const auto execute = [&](size_t index) {
    const size_t token = log.begin(steps_[index].name);
    const Result<void> result = steps_[index].body(board.stop);
    log.end(token, outcome_of(result));
    const std::lock_guard<std::mutex> lock(board.mutex);
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
  if (board.error && stop.load()) return fail(ErrorKind::kInterrupted, "setting up the environment was interrupted");
  return board.error;
}

}  // namespace hopcheck::mesh
