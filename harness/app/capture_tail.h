// Tails the sink's capture into the run directory during the drive: raw bytes, appended as they come, decoded once for
// the tally. One thread of its own; the accessors are thread-safe.
#pragma once

#include <atomic>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/arena.h"
#include "run/provider.h"
#include "run/tally.h"
#include "store/capture.h"

namespace hopcheck::app {

class CaptureTail {
 public:
  CaptureTail(run::Provider& provider, std::string path, const RunTag& tag);
  ~CaptureTail();
  Result<void> start();
  // Waits until the sealed end has been read or the deadline passed, then ends the thread.
  Result<void> finish(int64_t timeout_nanos);

  void expect(uint64_t first_n, uint64_t count, uint32_t spans);
  uint64_t due_missing(const std::vector<bool>& answered);
  bool seen(const TraceId& id);
  uint64_t spans() const { return spans_; }
  int64_t last_span_nanos() const { return last_span_nanos_; }  // monotonic; 0 = none attributed yet

 private:
  void loop();
  void take(const std::string& bytes);

  run::Provider& provider_;
  const std::string path_;
  std::ofstream file_;
  store::CaptureParser parser_;
  std::mutex mutex_;  // guards tally_
  run::Tally tally_;
  std::atomic<uint64_t> spans_{0};
  std::atomic<int64_t> last_span_nanos_{0};
  std::atomic<bool> end_{false}, sealed_{false};
  std::string problem_;  // written by the thread, read after it ended
  std::thread thread_;
};

}  // namespace hopcheck::app
