// Open-loop HTTP load on Boost.Asio: request i is due at start + due_offset(i), whatever the earlier ones do; latency counts
// from the due time. No silent resend: a request that may have reached the server and failed is indeterminate.
#pragma once

#include <atomic>
#include <functional>

#include "base/result.h"
#include "model/ledger.h"

namespace hopcheck::load {

// Called once per finished request, from the engine's thread, in order of completion.
using OutcomeSink = std::function<void(const Outcome&)>;

// Drives the whole plan on the calling thread and returns when every request is finished or `stop` is set (the rest are then
// reported as unsent; those in flight get two seconds, then are indeterminate). Error: the URL is unusable.
Result<void> run(const LoadPlan& plan, const OutcomeSink& sink, const std::atomic<bool>& stop);

struct AgentOptions {
  std::string control_address = "0.0.0.0:9902";
  std::string token;  // header X-Hopcheck-Token, from HOPCHECK_CONTROL_TOKEN
};
// The in-cluster load agent: POST /drive (a LoadPlan as JSON), GET /outcomes?first_n=N&from=I, GET /healthz. Until `stop`.
Result<void> run_agent(const AgentOptions& options, const std::atomic<bool>& stop);

}  // namespace hopcheck::load
