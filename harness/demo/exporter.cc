#include "demo/exporter.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/arena.h"
#include "demo/http_client.h"
#include "otlp/encode.h"

namespace hopcheck::demo {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kMaxBackoffMs = 5'000;
constexpr long kExportTimeoutMs = 10'000;

bool is_retryable(int status) {
  return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

AnyValue text_value(std::string_view text) {
  AnyValue value;
  value.type = AnyValue::Type::kString;
  value.text = text;
  return value;
}

AttributeList resource_attributes(const ExporterOptions& options, Arena& arena) {
  auto* out = arena.array<Attribute>(options.resource.size());
  for (size_t i = 0; i < options.resource.size(); ++i) {
    out[i] = {options.resource[i].first, text_value(options.resource[i].second)};
  }
  return {out, static_cast<uint32_t>(options.resource.size())};
}

AttributeList span_attributes(const SpanRecord& record, Arena& arena) {
  auto* out = arena.array<Attribute>(record.attributes.size());
  for (size_t i = 0; i < record.attributes.size(); ++i) {
    out[i].key = record.attributes[i].first;
    if (const auto* text = std::get_if<std::string>(&record.attributes[i].second)) {
      out[i].value = text_value(*text);
    } else {
      out[i].value = {};
      out[i].value.type = AnyValue::Type::kInt;
      out[i].value.integer = std::get<int64_t>(record.attributes[i].second);
    }
  }
  return {out, static_cast<uint32_t>(record.attributes.size())};
}

}  // namespace

std::string encode_records(const std::vector<SpanRecord>& records, const ExporterOptions& options) {
  Arena arena;
  Resource resource;
  resource.attributes = resource_attributes(options, arena);
  resource.service_name = resource.attributes.text("service.name");
  Scope scope;
  scope.present = true;
  scope.name = options.scope_name;
  scope.version = options.scope_version;
  std::vector<Span> spans;
  spans.reserve(records.size());
  for (const SpanRecord& record : records) {
    Span span;
    span.trace_id = record.trace_id;
    span.span_id = record.span_id;
    span.parent_id = record.parent_id;
    span.kind = record.kind;
    span.status = record.status;
    span.flags = record.flags;
    span.name = record.name;
    span.trace_state = record.trace_state;
    span.status_message = record.status_message;
    span.start_unix_nanos = record.start_unix_nanos;
    span.end_unix_nanos = record.end_unix_nanos;
    span.attributes = span_attributes(record, arena);
    span.resource = &resource;
    span.scope = &scope;
    spans.push_back(span);
  }
  return otlp::encode_protobuf(spans);
}

class Exporter::Worker {
 public:
  explicit Worker(ExporterOptions options) : options_(std::move(options)), thread_([this] { loop(); }) {}

  ~Worker() { shutdown(milliseconds(1'000)); }

  void add(std::vector<SpanRecord> records) {
    const std::lock_guard lock(mutex_);
    for (SpanRecord& record : records) {
      if (stopping_ || counters_.queued >= options_.max_queue) {
        ++counters_.dropped;
        continue;
      }
      queue_.push_back(std::move(record));
      ++counters_.queued;
    }
    if (queue_.size() >= options_.batch) wake_.notify_one();
  }

  ExporterCounters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }

  void shutdown(milliseconds limit) {
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_) deadline_ = SteadyClock::now() + limit;
      stopping_ = true;
      wake_.notify_one();
    }
    std::unique_lock lock(mutex_);
    // A transfer under way is cut off at the deadline; what is left is counted as failed.
    if (!done_.wait_until(lock, deadline_, [&] { return finished_; })) abort_.request_stop();
    lock.unlock();
    const std::lock_guard join_lock(join_mutex_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void loop() {
    for (;;) {
      std::vector<SpanRecord> batch = next_batch();
      if (batch.empty()) break;
      send(batch);
    }
    const std::lock_guard lock(mutex_);
    finished_ = true;
    done_.notify_all();
  }

  // Empty only when stopping and nothing is left.
  std::vector<SpanRecord> next_batch() {
    std::unique_lock lock(mutex_);
    const auto full = [&] { return stopping_ || queue_.size() >= options_.batch; };
    while (!wake_.wait_for(lock, milliseconds(options_.flush_ms), full) && queue_.empty()) {
    }
    const size_t count = std::min(queue_.size(), options_.batch);
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<SpanRecord> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
    return batch;
  }

  void send(const std::vector<SpanRecord>& batch) {
    HttpCall call;
    call.method = "POST";
    call.url = options_.url;
    call.headers = {{"Content-Type", "application/x-protobuf"}};
    call.body = encode_records(batch, options_);
    bool accepted = false;
    int backoff_ms = options_.first_backoff_ms;
    for (int attempt = 1; attempt <= options_.max_attempts; ++attempt) {
      call.timeout_ms = time_left_ms();
      if (call.timeout_ms <= 0) break;
      const HttpAnswer answer = client_.perform(call, abort_.get_token());
      accepted = answer.status >= 200 && answer.status < 300;
      const bool again = !accepted && is_retryable(answer.status) && attempt < options_.max_attempts;
      count_request(attempt);
      if (!again) break;
      const long asked_ms = std::min<long>(answer.retry_after_seconds, kMaxBackoffMs / 1000) * 1000;
      wait_backoff(asked_ms > 0 ? asked_ms : backoff_ms);
      backoff_ms = std::min(backoff_ms * 2, kMaxBackoffMs);
    }
    const std::lock_guard lock(mutex_);
    (accepted ? counters_.exported : counters_.failed) += batch.size();
    counters_.queued -= batch.size();
  }

  void count_request(int attempt) {
    const std::lock_guard lock(mutex_);
    ++counters_.requests;
    if (attempt > 1) ++counters_.retries;
  }

  long time_left_ms() const {
    const std::lock_guard lock(mutex_);
    if (!stopping_) return kExportTimeoutMs;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - SteadyClock::now()).count();
    return std::min<long>(left, kExportTimeoutMs);
  }

  // A shutdown cuts the wait short once; from then on waits are short, so that the deadline allows several attempts.
  void wait_backoff(long wait_ms) {
    std::unique_lock lock(mutex_);
    if (stopping_) {
      lock.unlock();
      std::this_thread::sleep_for(milliseconds(std::min<long>(wait_ms, 100)));
      return;
    }
    wake_.wait_for(lock, milliseconds(wait_ms), [&] { return stopping_; });
  }

  const ExporterOptions options_;
  HttpClient client_{options_.route};
  std::stop_source abort_;
  mutable std::mutex mutex_;
  std::mutex join_mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::deque<SpanRecord> queue_;
  ExporterCounters counters_;
  bool stopping_ = false;
  bool finished_ = false;
  SteadyClock::time_point deadline_;
  std::thread thread_;  // last: starts when all the rest exists
};

Exporter::Exporter(ExporterOptions options) : worker_(std::make_unique<Worker>(std::move(options))) {}
Exporter::~Exporter() = default;
void Exporter::add(std::vector<SpanRecord> records) { worker_->add(std::move(records)); }
ExporterCounters Exporter::counters() const { return worker_->counters(); }
void Exporter::shutdown(std::chrono::milliseconds limit) { worker_->shutdown(limit); }

}  // namespace hopcheck::demo
