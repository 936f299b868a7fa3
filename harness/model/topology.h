// Topology: the services under test, their calls and the app spans they make. A file of kind Topology (docs: files.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/app_instrumentation.h"
#include "model/span.h"

namespace hopcheck {

enum class Instrumentation : uint8_t {
  kSdk,      // makes and exports app spans, propagates context
  kForward,  // copies the context headers, makes no spans
  kNone,     // does neither
  kAuto,     // an app without tracing code under an SDK that instruments its libraries (Service::sdk)
};

struct ServicePort {
  std::string name = "http";
  std::string app_protocol;  // "" = by name
  uint16_t port = 8080;
  uint16_t target_port = 8080;
  bool operator==(const ServicePort&) const = default;
};

struct AppSpan {
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  std::string parent;  // name of another span of this service; "" = the incoming context
  bool operator==(const AppSpan&) const = default;
};

struct Call {
  std::string to;      // service name
  uint16_t port = 0;   // service port; 0 = its first port
  std::string method;  // "" = as the incoming request
  std::string path;    // "" = as the incoming request; never with a query
  int count = 1;
  bool parallel = false;            // issued together with the neighbouring parallel calls
  std::vector<std::string> when;    // versions of the calling service that make it; empty = all
  std::string parent;               // app span under which it is made; "" = the service's first span
  bool operator==(const Call&) const = default;
};

// One Deployment behind a service. `labels` are merged over the service's.
struct Workload {
  std::string name;     // Deployment name
  std::string version;  // label version and istio canonical revision; "" = none ("latest")
  std::map<std::string, std::string> labels;
  bool operator==(const Workload&) const = default;
};

struct Service {
  std::string name;
  std::string ns;                             // namespace; filled from the topology when the file leaves it out
  std::map<std::string, std::string> labels;  // pod labels; `app: <name>` when the file gives none
  bool meshed = true;
  Instrumentation instrumentation = Instrumentation::kSdk;
  std::string service_account;   // "" = default
  std::string image_role;        // role in the images file whose image may replace hopcheck-demo; "" = always ours
  std::string otel_service_name; // service.name of its app spans; "" = name
  std::vector<ServicePort> ports;
  std::vector<Workload> workloads;  // at least one after loading
  std::vector<AppSpan> spans;       // spans[0] is the SERVER span when instrumentation is kSdk
  std::string sdk;                  // kAuto: name of the AppInstrumentation
  std::string route;                // kAuto: the app's one URL rule ("/checkout/<order>")
  std::vector<Call> calls;          // in order
  bool client_spans = false;        // an app CLIENT span around each call
  std::string body_title;           // Bookinfo's productpage answers with this HTML title; "" = JSON
  bool operator==(const Service&) const = default;
};

struct Topology {
  std::string name;
  std::string ns = "default";
  std::string entry;               // service that receives the journey
  std::string host;                // Host header at the gateway, e.g. checkout.hopcheck.test
  std::vector<Service> services;
  AppInstrumentations instrumentations;  // of its services with instrumentation kAuto, once looked up

  // Index of a service by name, -1 when absent.
  int find(const std::string& service) const;
  bool operator==(const Topology&) const = default;
};

// "<service>.<namespace>.svc.cluster.local"
std::string fqdn(const Service& service);

}  // namespace hopcheck
