// What the proxies of a kind mesh really route: asked of each Envoy, since a request through it would leave a trace of
// its own, and what istiod accepted says nothing about what an Envoy has.
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "mesh/fault_manifests.h"
#include "mesh/kind_provider.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kRoutesMs = 30'000;
constexpr int kRoutesPollMs = 250;

}  // namespace

Result<void> KindProvider::wait_in_routes(const std::string& ns, const std::string& deployment,
                                          const std::vector<std::string>& marks, const std::atomic<bool>& stop) {
  ProcessSpec spec;
  spec.argv = {tools_.kubectl,
               "--kubeconfig",
               kubeconfig(),
               "-n",
               ns,
               "exec",
               "deploy/" + deployment,
               "-c",
               "istio-proxy",
               "--",
               "pilot-agent",
               "request",
               "GET",
               "config_dump?resource=dynamic_route_configs"};
  spec.timeout_ms = 15'000;
  const int64_t deadline = system_clock().monotonic_nanos() / 1'000'000 + scaled_ms(kRoutesMs);
  while (!stop.load()) {
    const Result<ProcessResult> dump = runner_->run(spec, stop);
    if (!dump) return tl::unexpected<Error>(dump.error());
    std::string missing;
    for (const std::string& mark : marks) {
      if (dump->out.find(mark + "\"") == std::string::npos) missing += " " + mark;
    }
    if (missing.empty()) return {};
    if (system_clock().monotonic_nanos() / 1'000'000 >= deadline) {
      return fail(ErrorKind::kEnvironment, "the proxy of " + ns + "/" + deployment + " does not route" + missing,
                  last_lines(dump->err, 2), "look at the Gateway and VirtualService objects and at istiod's log");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kRoutesPollMs));
  }
  return fail(ErrorKind::kInterrupted, "waiting for routes was interrupted");
}

// The VirtualService of a gateway's host holds its faults too: with the host the whole of it is there.
Result<void> KindProvider::wait_routes(const std::vector<std::string>& hosts, const std::atomic<bool>& stop) {
  std::vector<std::string> marks;
  for (const std::string& host : hosts) marks.push_back("\"" + host);
  return wait_in_routes("istio-system", "istio-ingressgateway", marks, stop);
}

// Every route that comes from a VirtualService says from which (metadata `istio`, `config`).
Result<void> KindProvider::wait_faults(const std::vector<run::TopologyInstance>& instances,
                                       const std::atomic<bool>& stop) {
  for (const run::TopologyInstance& instance : instances) {
    if (instance.done) continue;
    for (const FaultRoute& route : fault_routes(instance)) {
      const std::string mark = "/namespaces/" + route.ns + "/virtual-service/" + route.name;
      for (const auto& [ns, deployment] : route.callers) {
        const Result<void> there = wait_in_routes(ns, deployment, {mark}, stop);
        if (!there) return there;
      }
    }
  }
  return {};
}

}  // namespace hopcheck::mesh
