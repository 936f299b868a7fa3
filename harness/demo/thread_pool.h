// Threads on demand: a job waits only when `max_threads` jobs run. Threads stay until shutdown().
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hopcheck::demo {

class GrowingPool {
 public:
  explicit GrowingPool(size_t max_threads) : max_threads_(max_threads) {}
  GrowingPool(const GrowingPool&) = delete;

  void enqueue(std::function<void()> job);
  void shutdown();  // runs what is queued, then joins; the owner calls it once, before destruction

 private:
  void work();

  const size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace hopcheck::demo
