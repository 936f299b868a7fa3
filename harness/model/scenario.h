// Scenario and Suite: claims as data (docs: files.md). Values only; config/ loads them, plan/ expands them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/mesh_profile.h"
#include "model/topology.h"

namespace hopcheck {

enum class Entry : uint8_t { kGateway, kMesh, kUnmeshed, kDirect };
enum class Transport : uint8_t { kGrpc, kHttp };
enum class TraceparentMode : uint8_t { kSampled, kUnsampled, kNone };
enum class TagMode : uint8_t { kQuery, kUserAgent, kNone };
const char* to_string(Entry entry);           // "gateway" …
const char* to_string(Transport transport);   // "grpc" …
const char* to_string(TraceparentMode mode);  // "sampled" …
const char* to_string(TagMode mode);

struct Journey {
  std::string name;
  int weight = 1;
  std::string method = "GET";
  std::string path = "/";  // may hold a query
  std::string host{};      // Host header other than the topology's, which no gateway route knows; "" = the topology's
  bool outside = false;    // recorded captures: the requests went to places outside the topology; no span of it is due
  bool operator==(const Journey&) const = default;
};

struct LoadSpec {
  uint64_t requests = 0;       // after loading always set: requests, or duration × rate
  double rate = 50;            // requests per second, open loop
  TraceparentMode traceparent = TraceparentMode::kSampled;
  TagMode tag = TagMode::kQuery;
  std::string trace_state;     // sent beside our traceparent; "{n}" is the request number; "" = none
  // Our x-request-id is sent without a traceparent as well: where no gateway replaces it the draw of each request is
  // known beforehand (facts 1.8, 9.12).
  bool request_id = false;
  std::vector<Journey> journeys;  // at least one after loading
  bool operator==(const LoadSpec&) const = default;
};

// What goes wrong. In Scenario::faults it is declared (part of the expectation); in Scenario::inject it is done but not
// expected: that is what a canary is. The demo service `at` does the first four; the mesh does the others, in the
// proxies that call `at` (VirtualService: abort, retry, wireDelay, timeout) or by leaving `at` without app or endpoint.
struct Fault {
  enum class Kind : uint8_t {
    kNone,
    kDrop,        // `at` does not forward `header`
    kDelay,       // the app of `at` takes delay_nanos longer
    kFail,        // the app of `at` answers `percent` of its requests with `status`
    kCallTwice,   // `at` makes each call twice
    kAbort,       // callers' proxies answer with `status` themselves (FI)
    kRetry,       // callers' proxies retry on 5xx, up to `attempts` times; `at` answers `times` attempts with `status`
    kWireDelay,   // callers' proxies hold the request for delay_nanos before it goes out (DI)
    kTimeout,     // the callers' route gives up after delay_nanos (504 UT) where a declared delay is longer
    kAppDown,     // the app of `at` refuses connections; its proxy answers 503 (UF)
    kNoEndpoint,  // no pod stands behind `at`; callers' proxies answer 503 (UH)
  };
  Kind kind = Kind::kNone;
  std::string at;         // service
  std::string header;     // kDrop: traceparent, tracestate, x-request-id, or all (the three together)
  double percent = 100;   // kFail
  int64_t delay_nanos = 0;
  int status = 503;       // kFail, kAbort, kRetry
  int times = 1;          // kRetry; 0: the retry policy alone
  int attempts = 3;       // kRetry: retries after the first try, as in a VirtualService
  std::string journey;    // only requests of this journey; "" = all
  bool operator==(const Fault&) const = default;
};
// Whether it is a route's doing: for one journey it then needs a VirtualService that matches the journey's path.
bool is_route_fault(Fault::Kind kind);
// Whether the mesh does it, and no switch of the demo.
bool is_mesh_fault(Fault::Kind kind);
const char* to_string(Fault::Kind kind);  // "drop" …

// Where the Telemetry object stands: the root namespace, the topology's, or there with a selector of one service.
inline constexpr const char* kScopeMesh = "mesh";
inline constexpr const char* kScopeNamespace = "namespace";
inline constexpr const char* kScopeWorkload = "workload/";

struct SpecEnvironment {
  Transport transport = Transport::kGrpc;
  NamingMode naming = NamingMode::kAppLabelAndNamespace;
  std::optional<bool> gateway_spawn;  // the flag as installed; nullopt = left alone: the version's default
  // Telemetry mesh-default's randomSamplingPercentage: a value, or nullopt = the field is left out (1 % default).
  std::optional<double> sampling = 100.0;
  std::vector<std::string> without_sidecar;      // services that get no sidecar although the topology says meshed
  std::vector<std::string> mtls_off;             // services whose proxies neither ask for nor offer mutual TLS
  bool app_export_through_sidecar = false;       // true: the app's own OTLP export is not excluded from its sidecar
  std::string istio;  // dotted prefix the run's Istio must have, "" = any; a run with another skips the scenario
  std::map<std::string, std::string> proxy_versions;  // service → Istio version (dotted prefix) of its sidecars
  bool mesh_tracing = true;                      // false: Telemetry says disableSpanReporting, only apps make spans
  bool naming_restart = true;                    // false: the naming mode is set and no proxy restarted
  bool naming_unset = false;                     // tracingServiceName is left out; `naming` is then Istio's default
  std::string telemetry_provider;                // that the Telemetry object names; "" = the transport's
  std::string telemetry_scope = kScopeMesh;      // or kScopeNamespace, or kScopeWorkload + a service's name
  bool operator==(const SpecEnvironment&) const = default;
};

// What the expectation says differently from what topology and profile give; canaries use it ("a wrong expected name").
struct ExpectOverride {
  std::string service;
  std::string service_name;  // expected service.name of its proxy's spans; "" = by the naming rules
  std::string port_name;     // name its ports are expected to have, over appProtocol; "" = as the topology says
  bool operator==(const ExpectOverride&) const = default;
};

struct RuleOptions {
  std::vector<std::string> include, exclude;  // codes or families ("HOP05")
  int64_t nesting_tolerance_nanos = 1'000'000;
  int64_t overhang_tolerance_nanos = 50'000'000;
  bool operator==(const RuleOptions&) const = default;
};

struct Scenario {
  std::string name;
  std::string file;            // where it was loaded from
  std::string description;
  std::string topology_ref;    // name or path as written
  Topology topology;           // resolved
  std::string profile = "auto";
  Entry entry = Entry::kGateway;
  SpecEnvironment environment;
  LoadSpec load;
  std::vector<Fault> faults;
  std::vector<Fault> inject;
  bool inject_random = false;  // draw one fault (or none) from the seed
  std::vector<ExpectOverride> expect_overrides;
  std::optional<SpecEnvironment> expect_environment;  // what is claimed of the environment, where that is not so
  bool tracing_changed_before_start = false;
  std::vector<std::string> requires_capabilities;
  std::vector<std::string> rows;
  RuleOptions rules;
  bool operator==(const Scenario&) const = default;
};

// The environment that the expectation is made for: expect_environment where there is one.
const SpecEnvironment& claimed_environment(const Scenario& scenario);
// Proxies in namespace `ns` of service `service` ("istio-ingressgateway", "loadgen" too) make spans under that scope.
bool in_telemetry_scope(const std::string& scope, const std::string& topology_ns, const std::string& ns,
                        const std::string& service);

struct ExpectedFinding {
  std::string code;
  std::string subject;  // subject_key(); "" = any
  bool operator==(const ExpectedFinding&) const = default;
};

struct SuiteEntry {
  std::string scenario_ref;
  Scenario scenario;
  std::string expect_verdict = "pass";
  std::vector<ExpectedFinding> expect_findings;
  bool operator==(const SuiteEntry&) const = default;
};

struct Suite {
  std::string name;
  std::string file;
  double rate = 50;  // all entries together
  std::vector<SuiteEntry> entries;
  bool operator==(const Suite&) const = default;
};

}  // namespace hopcheck
