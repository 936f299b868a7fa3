// The spans of an app without tracing code, under an SDK that instruments its libraries (Instrumentation::kAuto), from
// the facts of that SDK (fixtures/instrumentation). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/expectation.h"
#include "model/scenario.h"
#include "plan/port_protocol.h"

namespace hopcheck::plan {

inline bool is_auto(const Service& service) { return service.instrumentation == Instrumentation::kAuto; }
// The span for a request that the service serves, or for a call it makes, under the expected span `parent`.
ExpectedSpan auto_server_span(const Topology& topology, int service, const RequestLine& line, int parent);
struct AutoCall {
  int service = 0, called = 0;  // indices; the port is the called service's
  uint16_t port = 0;
  RequestLine line;
};
ExpectedSpan auto_client_span(const Topology& topology, const AutoCall& call, int parent);

// Whether the header of an incoming request reaches the service's own calls, as far as its SDK goes.
bool forwards_header(const Topology& topology, const std::string& service, std::string_view header);

// kUsage: an SDK that was not looked up, a call that such an app cannot make (it speaks HTTP/1.1 only).
Result<void> check_auto_services(const Scenario& scenario);

}  // namespace hopcheck::plan
