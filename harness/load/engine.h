// Open-loop HTTP load on Boost.Asio: request i is due at start + due_offset(i), whatever the earlier ones do; latency
// counts from the due time. No silent resend: a request that may have reached the server and failed is indeterminate.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "model/ledger.h"

namespace hopcheck::load {

// Called once per finished request, from the engine's thread, in order of completion.
using OutcomeSink = std::function<void(const Outcome&)>;

// What the engine met beside the outcomes.
struct DriveStats {
  uint64_t connections = 0;       // opened, the ones before the start included
  uint64_t connect_failures = 0;  // attempts
  std::string connect_error;      // the first one's reason, e.g. "Cannot assign requested address" = out of local ports
  uint64_t idle_closed = 0;       // connections the server closed between requests
  uint64_t overflowed = 0;        // requests that waited because max_in_flight were out
};

// Drives the whole plan on the calling thread and returns when every request is finished or `stop` is set (the rest are
// then reported as unsent; those in flight get two seconds, then are indeterminate). Error: the plan or its URL is
// unusable, or the host does not resolve; then the sink was not called.
//
// Every request of the plan leads to exactly one call of the sink:
//   ok, failed(status)  a whole answer came (2xx and 3xx; anything else)
//   indeterminate       some of the request was sent and no whole answer came: timeout, reset, close, malformed answer.
//                       Never sent again.
//   unsent              nothing of it was sent: two connection attempts failed, no connection within the timeout
// after it
//                       was due, or stopped. sent_unix_nanos and status are 0.
// A request waits at most the plan's timeout for a free place among max_in_flight and a connection, and then at most
// the timeout for its answer; so a drive ends at the latest two timeouts after its last request is due. Times are
// monotonic time added to the wall time at the start of the drive.
//
// `source_ip`: address to connect from, where it matters who calls; "" = the system chooses.
Result<void> run(const LoadPlan& plan, const OutcomeSink& sink, const std::atomic<bool>& stop,
                 const std::string& source_ip = "");
Result<DriveStats> run_with_stats(const LoadPlan& plan, const OutcomeSink& sink, const std::atomic<bool>& stop,
                                  const std::string& source_ip = "");

struct AgentOptions {
  std::string control_address = "0.0.0.0:9902";
  std::string token;  // header X-Hopcheck-Token, from HOPCHECK_CONTROL_TOKEN
  std::function<void(const std::string& address)> on_listening;  // told "ip:port" once, before the first request
};
// The in-cluster load agent: POST /drive (a LoadPlan as JSON), GET /outcomes?first_n=N&from=I, GET /healthz. Until
// `stop`.
Result<void> run_agent(const AgentOptions& options, const std::atomic<bool>& stop);

}  // namespace hopcheck::load
