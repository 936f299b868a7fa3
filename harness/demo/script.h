// What a service does for one request, compiled once from its topology entry: a straight list of steps. Pure.
//
// Order: the first span (SERVER) is open throughout. Spans under which no call is made run before the calls, in file
// order, nested by parent. A span with calls under it opens just before the first of them (running its call-free
// children first) and closes after the last. Neighbouring parallel calls are one step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/topology.h"
#include "plan/port_protocol.h"

namespace hopcheck::demo {

inline constexpr size_t kMaxSpans = 64;   // app spans of a service
inline constexpr size_t kMaxCalls = 256;  // calls for one request, repetitions included

struct ScriptSpan {
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  int parent = -1;  // index; -1 only for span 0: the incoming context
};

struct ScriptCall {
  std::string to;
  std::string ns;
  uint16_t port = 0;   // service port, never 0
  plan::PortProtocol protocol = plan::PortProtocol::kHttp;
  std::string method;  // "": as the incoming request
  std::string path;    // "": as the incoming request
  int span = -1;       // made under this span; -1 in a service without spans
};

struct Step {
  enum class Type : uint8_t { kOpen, kClose, kCalls };
  Type type = Type::kOpen;
  int span = -1;           // kOpen, kClose; never 0
  std::vector<int> calls;  // kCalls: issued together
};

struct Script {
  Instrumentation instrumentation = Instrumentation::kSdk;
  bool client_spans = false;
  std::vector<ScriptSpan> spans;  // empty unless instrumentation is kSdk
  std::vector<ScriptCall> calls;  // those of this version, repetitions written out
  std::vector<Step> steps;        // between opening and closing span 0
};

// Errors (kUsage): call to an unknown service or to one without that port, unknown or cyclic span parent, two spans
// of one name, an SDK service without spans, more than kMaxSpans or kMaxCalls.
Result<Script> compile_script(const Topology& topology, const Service& service, const std::string& version);

// "open A, call payments+ledger, close A"
std::string to_text(const Script& script);

}  // namespace hopcheck::demo
