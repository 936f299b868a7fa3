// OTLP/HTTP protobuf exporter: one thread, a bounded queue, retries. Delivery is at least once, as OTLP has it: a
// batch whose answer was lost is sent again. Protocol: OTLP specification 1.11, "OTLP/HTTP" (retryable: 429, 502,
// 503, 504).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "demo/http_client.h"
#include "model/span.h"

namespace hopcheck::demo {

// A finished span that owns its text.
struct SpanRecord {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;
  SpanKind kind = SpanKind::kInternal;
  StatusCode status = StatusCode::kUnset;
  uint32_t flags = 0;
  std::string name;
  std::string trace_state;
  std::string status_message;
  uint64_t start_unix_nanos = 0;
  uint64_t end_unix_nanos = 0;
  std::vector<std::pair<std::string, std::variant<std::string, int64_t>>> attributes;
};

struct ExporterOptions {
  std::string url;  // http://HOST:4318/v1/traces
  HttpRoute route;
  std::vector<std::pair<std::string, std::string>> resource;
  std::string scope_name = "hopcheck-demo";
  std::string scope_version;
  size_t max_queue = 4'096;  // spans; beyond it new ones are dropped and counted
  size_t batch = 256;        // spans per request; a full batch goes at once
  int flush_ms = 500;        // otherwise after this time
  int first_backoff_ms = 200;  // doubled each time, at most 5 s; Retry-After wins within that bound
  int max_attempts = 8;        // then the batch is given up and counted as failed
};

struct ExporterCounters {
  uint64_t queued = 0;    // waiting or on their way
  uint64_t exported = 0;  // spans in requests answered 2xx
  uint64_t dropped = 0;   // spans that found the queue full
  uint64_t failed = 0;    // spans given up
  uint64_t requests = 0;  // attempts, answered or not
  uint64_t retries = 0;   // those that were not a batch's first
};

// "resourceSpans" body for the records, in order.
std::string encode_records(const std::vector<SpanRecord>& records, const ExporterOptions& options);

class Exporter {
 public:
  explicit Exporter(ExporterOptions options);
  ~Exporter();  // shutdown() with one second
  Exporter(const Exporter&) = delete;

  void add(std::vector<SpanRecord> records);  // never blocks on the network; thread-safe
  ExporterCounters counters() const;
  // Sends what is queued until `limit` is over; what is left counts as failed. Idempotent; add() afterwards counts as
  // dropped.
  void shutdown(std::chrono::milliseconds limit);

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace hopcheck::demo
