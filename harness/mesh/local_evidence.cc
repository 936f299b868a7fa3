// What the local environment says of itself: counters at the phase marks, what was configured, files after a failure.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "mesh/counters.h"
#include "mesh/http_request.h"
#include "mesh/kind_provider.h"
#include "mesh/local_leftovers.h"
#include "mesh/local_ports.h"
#include "mesh/local_provider.h"
#include "mesh/manifests.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kSettleMs = 60'000;
constexpr int kSettlePollMs = 100;
constexpr int64_t kScrapeMs = 10'000;

int64_t now_ms() { return system_clock().monotonic_nanos() / 1'000'000; }

}  // namespace

Result<Metrics> LocalProvider::scrape(const LocalWorkload& workload) const {
  HttpRequest call;
  call.url = "http://" + envoy_admin_address(workload) + "/stats/prometheus";
  call.timeout_ms = kScrapeMs;
  const Result<std::string> body = http_ok(call, "counters of the proxy of " + workload.pod);
  if (!body) return tl::unexpected<Error>(body.error());
  return Metrics(*body, envoy_prefixes());
}

Result<void> LocalProvider::wait_tracing_settled(run::StepLog& log, Stop stop) {
  const size_t token = log.begin("tracing settled");
  const int64_t deadline = now_ms() + scaled_ms(kSettleMs);
  std::string unsettled;
  while (!stop.load() && now_ms() < deadline) {
    unsettled.clear();
    for (const LocalWorkload* workload : proxied()) {
      const Result<Metrics> metrics = scrape(*workload);
      const auto before = updates_before_.find(workload->node_id);
      const bool arrived =
          before == updates_before_.end() || (metrics && listener_update_count(*metrics) > before->second);
      if (!metrics || !arrived || draining_filter_chains(*metrics) != 0) unsettled = workload->pod;
      if (!unsettled.empty()) break;
    }
    if (unsettled.empty()) {
      updates_before_.clear();
      log.end(token, "ok");
      return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kSettlePollMs));
  }
  log.end(token, stop.load() ? "interrupted" : "failed");
  if (stop.load()) return fail(ErrorKind::kInterrupted, "waiting for the proxies to settle was interrupted");
  return fail(ErrorKind::kEnvironment, "proxies have not taken over their new listeners in time",
              "last seen: " + unsettled, "see the Envoys' logs in " + options_.log_dir);
}

// HOP0805 reports it and makes the verdict unknown.
void LocalProvider::note_crash(Environment& environment) {
  const std::optional<Crash> crash = processes_->crashed();
  if (!crash) return;
  environment.crashes.push_back(to_text(*crash));
}

Result<void> LocalProvider::mark(Mark mark, Environment& environment) {
  if (mark == Mark::kBefore) {
    environment.proxies.clear();
    std::vector<const LocalWorkload*> all{&mesh_.gateway};
    for (const LocalWorkload& workload : mesh_.workloads) all.push_back(&workload);
    for (const LocalWorkload* workload : all) {
      ProxyFact fact;
      fact.workload = workload->workload.name;
      fact.ns = workload->service.ns;
      fact.pod = workload->pod;
      fact.service = workload->service.name;
      fact.injected = workload->sidecar;
      fact.expected_meshed = workload->gateway || workload->load_client || workload->service.meshed;
      fact.envoy_version = workload->sidecar ? proxy_of(*workload).parts.envoy_version : "";
      environment.proxies.push_back(std::move(fact));
    }
  }
  for (const LocalWorkload* workload : proxied()) {
    const auto fact =
        std::find_if(environment.proxies.begin(), environment.proxies.end(),
                     [&](const ProxyFact& f) { return f.ns == workload->service.ns && f.pod == workload->pod; });
    if (fact == environment.proxies.end()) continue;
    const Result<Metrics> metrics = scrape(*workload);
    read_proxy_counters(metrics ? std::optional<Metrics>(*metrics) : std::nullopt, mark, *fact);
  }
  HttpRequest collector;
  collector.url = collector_url(kCollectorMetricsPort, "/metrics");
  const Result<std::string> body = http_ok(collector, "the Collector's counters");
  if (body) read_collector_counters(*body, mark, environment.collector_fact);
  if (mark == Mark::kAfter) note_crash(environment);
  return {};
}

std::optional<uint64_t> LocalProvider::collector_queue() {
  HttpRequest call;
  call.url = collector_url(kCollectorMetricsPort, "/metrics");
  const Result<std::string> body = http_ok(call, "the Collector's queue");
  return body ? collector_queue_of(*body) : std::nullopt;
}

Result<void> LocalProvider::describe(Environment& environment) {
  environment.provider = name();
  environment.istio = own_.profile->istio_minor;
  environment.collector = "otelcol " + own_.parts.otelcol_version;
  environment.transport = to_string(state_.transport);
  environment.naming = to_string(state_.naming);
  environment.gateway_spawn = own_.profile->spawns(state_.gateway_spawn);
  environment.images = {fmt::format("envoy: {} ({})", own_.parts.envoy_version, own_.parts.envoy),
                        fmt::format("collector: {} ({})", own_.parts.otelcol_version, own_.parts.otelcol)};
  environment.notes = {
      fmt::format("local: Envoy {} with the configuration istiod {} would send; no istiod, no mutual TLS, no "
                  "iptables; drain time 5s (default 45s)",
                  own_.parts.envoy_version, own_.profile->istio_minor)};
  for (const auto& [version, kind] : further_)
    environment.images.push_back(
        fmt::format("envoy of {}: {} ({})", version, kind.parts.envoy_version, kind.parts.envoy));
  // The Telemetry that the listeners were rendered from; there is no API to read it back from.
  environment.telemetry = {{"istio-system", "mesh-default", telemetry_provider_of(state_), state_.sampling, 0}};
  environment.extension_providers = extension_providers();
  return {};
}

std::vector<std::string> LocalProvider::collect_evidence(const std::string& dir) {
  std::vector<std::string> missing;
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return {dir + ": " + error.message()};
  for (std::filesystem::directory_iterator it(dir_, error), end; !error && it != end; it.increment(error)) {
    const std::string extension = it->path().extension().string();
    if ((extension != ".json" && extension != ".yaml") || it->path().filename() == kLocalOwnerFile) continue;
    std::error_code failed;
    std::filesystem::copy_file(it->path(), dir + "/" + it->path().filename().string(),
                               std::filesystem::copy_options::overwrite_existing, failed);
    if (failed) missing.push_back(it->path().filename().string() + ": " + failed.message());
  }
  return missing;
}

}  // namespace hopcheck::mesh
