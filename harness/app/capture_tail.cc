#include "app/capture_tail.h"

#include <chrono>
#include <filesystem>

#include "base/clock.h"

namespace hopcheck::app {

CaptureTail::CaptureTail(run::Provider& provider, std::string path, const RunTag& tag)
    : provider_(provider), path_(std::move(path)), tally_(tag) {}

CaptureTail::~CaptureTail() {
  end_ = true;
  if (thread_.joinable()) thread_.join();
}

Result<void> CaptureTail::start() {
  file_.open(path_, std::ios::binary | std::ios::trunc);
  if (!file_) return fail(ErrorKind::kEnvironment, path_ + " cannot be written", "", "check the disk and --out");
  std::error_code ignored;  // the folder is private anyway
  std::filesystem::permissions(path_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                               ignored);
  thread_ = std::thread([this] { loop(); });
  return {};
}

void CaptureTail::loop() {
  uint64_t from = 0;
  int failures = 0;
  while (!end_ && !sealed_) {
    const auto bytes = provider_.sink_capture(from, 1000);
    if (!bytes) {
      // The sink may be restarting; what it acknowledged is on its disk, so the same offset is asked again.
      if (++failures > 60) {
        problem_ = "the sink's capture could not be read any more: " + bytes.error().what;
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      continue;
    }
    failures = 0;
    if (bytes->empty()) continue;
    from += bytes->size();
    take(*bytes);
    if (!problem_.empty()) return;
  }
}

void CaptureTail::take(const std::string& bytes) {
  file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file_.flush();
  if (!file_) {
    problem_ = path_ + " cannot be written: disk full?";
    return;
  }
  const auto fed = parser_.feed(bytes, [&](const store::Frame& frame) {
    if (frame.status != 200) return;
    Arena arena;
    std::vector<Span> spans;
    if (!store::decode_frame(frame, arena, spans)) return;
    const std::lock_guard lock(mutex_);
    for (const Span& span : spans) {
      if (tally_.add(span)) last_span_nanos_ = system_clock().monotonic_nanos();
    }
    spans_ += spans.size();
  });
  if (!fed) problem_ = fed.error().what;
  if (parser_.sealed()) sealed_ = true;
}

Result<void> CaptureTail::finish(int64_t timeout_nanos) {
  const int64_t deadline = system_clock().monotonic_nanos() + timeout_nanos;
  while (!sealed_ && thread_.joinable() && system_clock().monotonic_nanos() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  end_ = true;
  if (thread_.joinable()) thread_.join();
  file_.close();
  if (!problem_.empty()) return fail(ErrorKind::kEvidence, problem_);
  if (!sealed_) return fail(ErrorKind::kEvidence, "the sealed end of the capture did not arrive");
  return {};
}

void CaptureTail::expect(uint64_t first_n, uint64_t count, uint32_t spans) {
  const std::lock_guard lock(mutex_);
  tally_.expect(first_n, count, spans);
}

uint64_t CaptureTail::due_missing(const std::vector<bool>& answered) {
  const std::lock_guard lock(mutex_);
  return tally_.due_missing(answered);
}

bool CaptureTail::seen(const TraceId& id) {
  const std::lock_guard lock(mutex_);
  return tally_.seen(id);
}

}  // namespace hopcheck::app
