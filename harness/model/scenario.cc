#include "model/scenario.h"

namespace hopcheck {

const SpecEnvironment& claimed_environment(const Scenario& scenario) {
  return scenario.expect_environment ? *scenario.expect_environment : scenario.environment;
}

bool in_telemetry_scope(const std::string& scope, const std::string& topology_ns, const std::string& ns,
                        const std::string& service) {
  if (scope == kScopeMesh) return true;
  if (ns != topology_ns) return false;
  return scope == kScopeNamespace || scope == kScopeWorkload + service;
}

const char* to_string(Entry entry) {
  switch (entry) {
    case Entry::kGateway: return "gateway";
    case Entry::kMesh: return "mesh";
    case Entry::kUnmeshed: return "unmeshed";
    case Entry::kDirect: return "direct";
  }
  return "?";
}

const char* to_string(Transport transport) { return transport == Transport::kGrpc ? "grpc" : "http"; }

const char* to_string(TraceparentMode mode) {
  switch (mode) {
    case TraceparentMode::kSampled: return "sampled";
    case TraceparentMode::kUnsampled: return "unsampled";
    case TraceparentMode::kNone: return "none";
  }
  return "?";
}

const char* to_string(TagMode mode) {
  switch (mode) {
    case TagMode::kQuery: return "query";
    case TagMode::kUserAgent: return "user-agent";
    case TagMode::kNone: return "none";
  }
  return "?";
}

const char* to_string(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kNone: return "none";
    case Fault::Kind::kDrop: return "drop";
    case Fault::Kind::kDelay: return "delay";
    case Fault::Kind::kFail: return "fail";
    case Fault::Kind::kCallTwice: return "callTwice";
    case Fault::Kind::kAbort: return "abort";
    case Fault::Kind::kRetry: return "retry";
    case Fault::Kind::kWireDelay: return "wireDelay";
    case Fault::Kind::kTimeout: return "timeout";
    case Fault::Kind::kAppDown: return "appDown";
    case Fault::Kind::kNoEndpoint: return "noEndpoint";
  }
  return "?";
}

bool is_route_fault(Fault::Kind kind) {
  return kind == Fault::Kind::kAbort || kind == Fault::Kind::kRetry || kind == Fault::Kind::kWireDelay ||
         kind == Fault::Kind::kTimeout;
}

bool is_mesh_fault(Fault::Kind kind) {
  return is_route_fault(kind) || kind == Fault::Kind::kAppDown || kind == Fault::Kind::kNoEndpoint;
}

}  // namespace hopcheck
