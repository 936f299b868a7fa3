// What was counted before proxies were restarted on purpose (between naming modes), added to what was counted after.
// Pure.
#pragma once

#include <vector>

#include "model/environment.h"

namespace hopcheck::run {

struct EarlierFacts {
  std::vector<ProxyFact> proxies;  // each with both its marks
  int collector_restarts = 0, sink_restarts = 0;
};

// Keeps the counters of `environment`, whose last mark has just been read.
void keep_counters(const Environment& environment, EarlierFacts& earlier);
// A pod of the same name goes on counting where the earlier one ended; one that is gone stays as a fact of its own.
void add_counters(const EarlierFacts& earlier, Environment& environment);

}  // namespace hopcheck::run
