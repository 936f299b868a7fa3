// What a sink counted, and its summary. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "model/run_result.h"
#include "model/span.h"
#include "otlp/decode.h"
#include "store/capture.h"

namespace hopcheck::sink {

// Of one transport.
struct TransportCounts {
  uint64_t requests = 0;  // accepted, refused and aborted
  uint64_t accepted = 0;
  uint64_t spans = 0;     // of accepted ones
};

struct TallyCounts {
  BodyCounts bodies;  // received = accepted + refused + aborted; requests that were no trace export are not among them
  uint64_t spans = 0;         // stored
  uint64_t refused_spans = 0;  // in bodies that were decoded and then refused: they were never ours to lose
  uint64_t rejected_spans = 0;  // of accepted bodies, by partial successes; not among `spans`
  uint64_t body_bytes = 0;  // of accepted bodies, as received
  uint64_t duplicates = 0;  // spans whose trace and span id were stored before
  uint64_t strays = 0;      // other paths and methods, malformed heads
  std::map<std::string, uint64_t> refused;   // reason → bodies
  std::map<std::string, uint64_t> findings;  // code → occurrences
  std::map<std::string, uint64_t> mismatches;  // what was spoken to the wrong port → connections
  std::map<std::string, TransportCounts> transports;  // "grpc", "http": those that were used
};

class Tally {
 public:
  Tally();
  void accepted(store::FrameTransport transport, std::span<const Span> spans, const otlp::DecodeNotes& notes,
                size_t body_bytes);
  void refused(store::FrameTransport transport, const std::string& reason, uint64_t spans = 0);
  void rejected(uint64_t spans);  // of an accepted body, by a partial success
  // A connection that speaks something else than its port does.
  void mismatched(const std::string& what);
  void aborted(store::FrameTransport transport);
  void stray();
  TallyCounts counts() const;

 private:
  bool seen_before(const Span& span);
  TransportCounts& received(store::FrameTransport transport);

  mutable std::mutex mutex_;
  TallyCounts counts_;
  // Open addressing over keyed 64-bit hashes of (trace id, span id); 0 = free. Stops growing at kMaxSeen.
  std::vector<uint64_t> seen_;
  size_t seen_count_ = 0;
  uint64_t seed_ = 0;
};

// The one line a sink prints when it ends (files.md, "Sink").
std::string summary_json(const TallyCounts& counts);

}  // namespace hopcheck::sink
