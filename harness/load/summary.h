// What one drive came to, as text and as JSON. Pure: the same summary gives the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "load/engine.h"
#include "model/ledger.h"
#include "stats/latency.h"

namespace hopcheck::load {

struct Summary {
  LoadPlan plan;
  stats::LatencyRecorder latency;
  std::map<int, uint64_t> statuses;  // answers by HTTP code
  DriveStats drive;
  bool interrupted = false;

  void add(const Outcome& outcome);
};

// verdict.md section 2: more than 1 % of the sends late by more than 10 ms, and latencies say nothing about the server.
inline constexpr int64_t kLateLimitNanos = 10'000'000;
inline constexpr double kLateShare = 0.01;
bool kept_schedule(const Summary& summary);

// One JSON document; durations in nanoseconds, names as in run.json's `latency` and `outcomes`.
std::string to_json(const Summary& summary);
// A few lines for people.
std::string to_text(const Summary& summary);

}  // namespace hopcheck::load
