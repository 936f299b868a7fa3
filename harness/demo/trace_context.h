// W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context-1/): the two headers in and out. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "demo/http_types.h"

namespace hopcheck::demo {

struct TraceContext {
  TraceId trace_id;
  SpanId span_id;  // the caller's span: parent of whatever starts here
  bool sampled = false;
  std::string trace_state;  // as received; "" when absent or not well-formed
};

// Lower-case hex only, ids not zero, version not ff; version 00 has exactly 55 characters, later versions may go on
// after a '-' (section 3.2.2). nullopt: not valid, start a new trace. The state is left empty.
std::optional<TraceContext> parse_traceparent(std::string_view text);

// At most 32 members, keys and values of the grammar in section 3.3.1, no key twice. Empty members are allowed.
bool is_valid_tracestate(std::string_view text);

// Both headers of a request. More than one traceparent, or a bad one: nullopt, and tracestate is not looked at (3.2,
// 3.3). Several tracestate headers are joined with a comma; a malformed one is discarded, the traceparent still
// counts.
std::optional<TraceContext> extract_context(const std::vector<Header>& headers);

// Always version 00; of the flags only `sampled` is known at level 1.
std::string traceparent_of(const TraceContext& context);

}  // namespace hopcheck::demo
