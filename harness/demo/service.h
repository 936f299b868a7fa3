// A running service of a topology: endpoint, control port, exporter. The public face of this folder.
//
// Endpoint: every method and path is the service's one endpoint, but /ready and HEAD, which answer 200 and leave no
// trace. Control port: GET /healthz, GET /state, PUT /switches (see switches.h), DELETE /switches.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "demo/exporter.h"
#include "demo/http_client.h"
#include "demo/http_types.h"
#include "demo/switches.h"
#include "model/topology.h"

namespace hopcheck::demo {

struct DemoOptions {
  std::string service;                      // name in the topology
  std::string workload;                     // name of one of its workloads; "" = the first
  Address listen{"0.0.0.0", 8080};          // port 0: the system chooses
  Address control{"0.0.0.0", 9901};
  std::string otlp_url;                     // "http://HOST:4318/v1/traces"; "" = spans are made and not exported
  std::string resolve = "http://{service}.{namespace}:{port}";  // base URL of a call; {port} is the service port
  std::map<std::string, std::string> resolve_service;           // base URL of single services, before `resolve`
  HttpRoute route;                          // of calls and exports alike
  int span_micros = 1'000;                  // own work of each span
};

class DemoService {
 public:
  // Serves when it returns. Errors: kUsage (unknown service or workload, script.h's), kEnvironment (address taken).
  static Result<std::unique_ptr<DemoService>> start(const Topology& topology, const DemoOptions& options);
  ~DemoService();  // stop()
  DemoService(const DemoService&) = delete;

  uint16_t port() const;
  uint16_t control_port() const;
  std::string state_json() const;  // what GET /state answers
  void set_switches(const Switches& switches);
  ExporterCounters export_counters() const;  // zeros without exporter
  // Accepts nothing more, lets requests under way finish for 0.8 s, then cuts sleeps and calls short, flushes the
  // exporter for at most 1 s. At most 3 s in all. Idempotent.
  void stop();

 private:
  class Impl;
  explicit DemoService(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopcheck::demo
