// Switches to misbehave, settable while the service runs. The JSON form is that of the control port:
//   {"drop":["traceparent"],"delayMs":0,"failPercent":0,"failStatus":503,"failAttempts":0,"callTwice":false}
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"

namespace hopcheck::demo {

struct Switches {
  bool drop_traceparent = false;  // not sent on outgoing calls, by services with an SDK too
  bool drop_tracestate = false;
  bool drop_request_id = false;
  int delay_ms = 0;       // inside the SERVER span, before the calls; at most 30 000
  int fail_percent = 0;   // of the requests answered with fail_status at once: SERVER span, no other span, no call
  int fail_status = 503;  // 400 to 599
  int fail_attempts = 0;  // the first so many attempts of a call (x-envoy-attempt-count) fail; at most 10
  bool call_twice = false;  // each call is made twice in sequence
};

// Strict: unknown key, wrong type or a value out of bounds is an error of kind kUsage. What is absent has its default.
Result<Switches> parse_switches(const std::string& json);
std::string to_json(const Switches& switches);

// Thread-safe holder. Failures are spread evenly, not drawn: of any 100 requests after set() exactly fail_percent fail.
class Switchboard {
 public:
  struct Decision {
    Switches switches;
    bool fail = false;
  };
  void set(const Switches& switches);
  Switches get() const;
  Decision decide();  // for one request

 private:
  mutable std::mutex mutex_;
  Switches switches_;
  uint64_t decided_ = 0;
};

}  // namespace hopcheck::demo
