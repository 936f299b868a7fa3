#include "sink/tally.h"

#include <nlohmann/json.hpp>

#include <random>

namespace hopcheck::sink {

namespace {
constexpr size_t kFirstSlots = 1u << 12;
constexpr size_t kMaxSeen = 4u << 20;  // spans remembered for the count of duplicates: 64 MiB
}  // namespace

Tally::Tally() : seen_(kFirstSlots) {
  std::random_device random;
  seed_ = static_cast<uint64_t>(random()) << 32 | random();
}

// Two different spans share a hash with a probability of n²/2⁶⁵, which is 10⁻⁶ at the four million kept.
bool Tally::seen_before(const Span& span) {
  const IdHash hash{seed_};
  const uint64_t key = (hash(span.trace_id) * 0x9e3779b97f4a7c15ull ^ IdHash{~seed_}(span.span_id)) | 1;
  if (seen_count_ * 2 >= seen_.size() && seen_count_ < kMaxSeen) {
    std::vector<uint64_t> larger(seen_.size() * 2);
    for (const uint64_t old : seen_) {
      if (old == 0) continue;
      size_t slot = old >> 20 & (larger.size() - 1);
      while (larger[slot] != 0) slot = (slot + 1) & (larger.size() - 1);
      larger[slot] = old;
    }
    seen_.swap(larger);
  }
  size_t slot = key >> 20 & (seen_.size() - 1);
  while (seen_[slot] != 0) {
    if (seen_[slot] == key) return true;
    slot = (slot + 1) & (seen_.size() - 1);
  }
  if (seen_count_ >= kMaxSeen) {
    ++counts_.findings["duplicates-not-counted"];
    return false;
  }
  seen_[slot] = key;
  ++seen_count_;
  return false;
}

// With the lock held.
TransportCounts& Tally::received(store::FrameTransport transport) {
  ++counts_.bodies.received;
  TransportCounts& counts = counts_.transports[transport == store::FrameTransport::kGrpc ? "grpc" : "http"];
  ++counts.requests;
  return counts;
}

void Tally::accepted(store::FrameTransport transport, std::span<const Span> spans, const otlp::DecodeNotes& notes,
                     size_t body_bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  TransportCounts& counts = received(transport);
  ++counts.accepted;
  counts.spans += spans.size();
  ++counts_.bodies.accepted;
  counts_.spans += spans.size();
  counts_.body_bytes += body_bytes;
  for (const Span& span : spans) counts_.duplicates += span.ids_valid && seen_before(span);
  for (size_t kind = 0; kind < notes.by_kind.size(); ++kind) {
    if (notes.by_kind[kind] > 0) {
      counts_.findings[otlp::to_string(static_cast<otlp::NoteKind>(kind))] += notes.by_kind[kind];
    }
  }
}

void Tally::refused(store::FrameTransport transport, const std::string& reason, uint64_t spans) {
  const std::lock_guard<std::mutex> lock(mutex_);
  received(transport);
  counts_.refused_spans += spans;
  ++counts_.bodies.refused;
  ++counts_.refused[reason];
}

void Tally::aborted(store::FrameTransport transport) {
  const std::lock_guard<std::mutex> lock(mutex_);
  received(transport);
  ++counts_.bodies.aborted;
}

void Tally::rejected(uint64_t spans) {
  const std::lock_guard<std::mutex> lock(mutex_);
  counts_.rejected_spans += spans;
}

void Tally::mismatched(const std::string& what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.mismatches[what];
}

void Tally::stray() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.strays;
}

TallyCounts Tally::counts() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}

std::string summary_json(const TallyCounts& counts) {
  nlohmann::ordered_json out;
  out["requests"] = counts.bodies.received;
  out["spans"] = counts.spans;
  out["bytes"] = counts.body_bytes;
  out["refused"] = counts.refused;
  out["refusedSpans"] = counts.refused_spans;
  out["rejected"] = nlohmann::ordered_json::object();  // reason → spans
  if (counts.rejected_spans > 0) out["rejected"]["partial-success"] = counts.rejected_spans;
  out["duplicates"] = counts.duplicates;
  out["findings"] = counts.findings;
  out["aborted"] = counts.bodies.aborted;
  out["strays"] = counts.strays;
  return out.dump();
}

}  // namespace hopcheck::sink
