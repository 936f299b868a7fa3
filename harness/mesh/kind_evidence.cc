// Reading the cluster: counters at the phase marks, what is configured, and evidence after a failure.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "mesh/counters.h"
#include "mesh/kind_provider.h"
#include "mesh/mesh_config.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;

constexpr uint16_t kEnvoyMetricsPort = 15090;
constexpr uint16_t kCollectorMetricsPort = 8888;
constexpr int64_t kSettleMs = 60'000;
constexpr int64_t kChangeArrivesMs = 15'000;
constexpr int kSettlePollMs = 250;
constexpr const char* kCollectorPods = "app=opentelemetry-collector";

int64_t now_ms() { return system_clock().monotonic_nanos() / 1'000'000; }

int restarts_of(const Result<std::vector<PodInfo>>& pods) {
  int sum = 0;
  if (!pods) return 0;
  for (const PodInfo& pod : *pods) sum += pod.restarts;
  return sum;
}

}  // namespace

Result<Metrics> KindProvider::scrape(const std::string& ns, const std::string& pod) {
  const Result<KubeResponse> response =
      client_->request({"GET", pod_proxy_path(ns, pod, kEnvoyMetricsPort, "/stats/prometheus"), "", {}, 10'000});
  if (!response) return tl::unexpected<Error>(response.error());
  if (response->status != 200)
    return fail(ErrorKind::kEvidence, "counters of " + ns + "/" + pod + ": HTTP " + std::to_string(response->status));
  return Metrics(response->body, envoy_prefixes());
}

Result<std::vector<PodInfo>> KindProvider::mesh_pods() {
  if (!client_) return fail(ErrorKind::kEnvironment, "the environment is not up");
  Result<std::vector<PodInfo>> pods =
      list_pods(*client_, "", "hopcheck.dev/run=" + record_.id + ",hopcheck.dev/service");
  Result<std::vector<PodInfo>> gateways = list_pods(*client_, "istio-system", "istio=ingressgateway");
  if (!pods || !gateways) return tl::unexpected<Error>(pods ? gateways.error() : pods.error());
  for (PodInfo& gateway : *gateways) {
    gateway.service = gateway.workload = "istio-ingressgateway";
    pods->push_back(gateway);
  }
  std::vector<PodInfo> out;
  for (PodInfo& pod : *pods) {
    if (!pod.deleting && pod.ns != "hopcheck-system") out.push_back(std::move(pod));
  }
  return out;
}

Result<std::map<std::string, uint64_t>> KindProvider::listener_updates() {
  const Result<std::vector<PodInfo>> pods = mesh_pods();
  if (!pods) return tl::unexpected<Error>(pods.error());
  std::map<std::string, uint64_t> out;
  for (const PodInfo& pod : *pods) {
    if (!pod.injected) continue;
    const Result<Metrics> metrics = scrape(pod.ns, pod.name);
    if (metrics) out[pod.ns + "/" + pod.name] = listener_update_count(*metrics);
  }
  return out;
}

Result<void> KindProvider::wait_tracing_settled(run::StepLog& log, const std::atomic<bool>& stop) {
  const size_t token = log.begin("tracing settled");
  const int64_t start = now_ms(), deadline = start + scaled_ms(kSettleMs);
  std::string unsettled;
  while (!stop.load() && now_ms() < deadline) {
    const Result<std::vector<PodInfo>> pods = mesh_pods();
    unsettled = pods ? "" : pods.error().what;
    const bool may_be_unchanged = now_ms() - start > scaled_ms(kChangeArrivesMs);
    for (size_t i = 0; pods && i < pods->size() && unsettled.empty(); ++i) {
      const PodInfo& pod = (*pods)[i];
      if (!pod.injected) continue;
      const Result<Metrics> metrics = scrape(pod.ns, pod.name);
      const std::string name = pod.ns + "/" + pod.name;
      const auto before = updates_before_.find(name);
      const bool arrived = before == updates_before_.end() || may_be_unchanged ||
                           (metrics && listener_update_count(*metrics) > before->second);
      if (!metrics || !arrived || draining_filter_chains(*metrics) != 0) unsettled = name;
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
  return fail(ErrorKind::kEnvironment,
              "proxies still drain old listeners after " + format_nanos((now_ms() - start) * 1'000'000),
              "last seen: " + unsettled);
}

Result<void> KindProvider::mark(Mark mark, Environment& environment) {
  const Result<std::vector<PodInfo>> pods = mesh_pods();
  if (!pods) return tl::unexpected<Error>(pods.error());
  const bool before = mark == Mark::kBefore;
  if (before) {
    environment.proxies.clear();
    restarts_before_.clear();
  }
  for (const PodInfo& pod : *pods) {
    auto fact = std::find_if(environment.proxies.begin(), environment.proxies.end(),
                             [&](const ProxyFact& f) { return f.ns == pod.ns && f.pod == pod.name; });
    if (fact == environment.proxies.end()) {
      ProxyFact added;
      added.workload = pod.workload;
      added.ns = pod.ns;
      added.pod = pod.name;
      added.service = pod.service;
      added.injected = pod.injected;
      added.expected_meshed = pod.expected_meshed;
      added.envoy_version = pod.proxy_image;
      added.restarts = before ? 0 : 1;  // a pod that came in between
      environment.proxies.push_back(added);
      fact = environment.proxies.end() - 1;
    }
    const std::string name = pod.ns + "/" + pod.name;
    if (before) restarts_before_[name] = pod.proxy_restarts;
    const auto known = restarts_before_.find(name);
    if (!before && known != restarts_before_.end()) fact->restarts = pod.proxy_restarts - known->second;
    if (!pod.injected) continue;
    const Result<Metrics> metrics = scrape(pod.ns, pod.name);
    read_proxy_counters(metrics ? std::optional<Metrics>(*metrics) : std::nullopt, mark, *fact);
  }
  for (ProxyFact& fact : environment.proxies) {
    const bool here = std::any_of(pods->begin(), pods->end(),
                                  [&](const PodInfo& pod) { return pod.ns == fact.ns && pod.name == fact.pod; });
    if (!here) fact.restarts = std::max(fact.restarts, 1);
  }
  read_collector(mark, environment.collector_fact);
  const int sink = restarts_of(list_pods(*client_, "hopcheck-system", "app=sink"));
  if (before) sink_restarts_before_ = sink;
  if (!before) environment.sink_restarts = sink - sink_restarts_before_;
  return {};
}

void KindProvider::read_collector(Mark mark, CollectorFact& fact) {
  const bool before = mark == Mark::kBefore;
  const int restarts = restarts_of(list_pods(*client_, "observability", kCollectorPods));
  if (before) collector_restarts_before_ = restarts;
  if (!before) fact.restarts = restarts - collector_restarts_before_;
  const Result<std::string> body = call_ok({"observability", kCollectorPods, kCollectorMetricsPort},
                                           {"GET", "/metrics", ""}, "the Collector's counters");
  if (body) read_collector_counters(*body, mark, fact);
}

std::optional<uint64_t> KindProvider::collector_queue() {
  const Result<std::string> body = call_ok({"observability", kCollectorPods, kCollectorMetricsPort},
                                           {"GET", "/metrics", ""}, "the Collector's queue");
  if (!body) return std::nullopt;
  return collector_queue_of(*body);
}

Result<void> KindProvider::describe(Environment& environment) {
  environment.provider = name();
  const Result<std::string> version = kube_get(*client_, "/version");
  if (!version) return tl::unexpected<Error>(version.error());
  environment.kubernetes = json::parse(*version, nullptr, false).value("gitVersion", "");
  environment.istio = record_.istio_version;
  environment.collector = record_.collector_image;
  environment.transport = to_string(record_.transport);
  environment.naming = to_string(record_.naming);
  environment.gateway_spawn = record_.gateway_spawn;
  environment.images = record_.images;
  environment.images.push_back("harness: " + record_.harness_image);
  environment.notes = record_.notes;
  Result<std::vector<std::string>> providers = providers_in_mesh_config(*client_);
  if (!providers) return tl::unexpected<Error>(providers.error());
  environment.extension_providers = std::move(*providers);
  const Result<std::string> body = kube_get(*client_, "/apis/telemetry.istio.io/v1/telemetries");
  if (!body) return tl::unexpected<Error>(body.error());
  environment.telemetry.clear();
  const json list = json::parse(*body, nullptr, false);
  if (!list.is_object() || !list.contains("items"))
    return fail(ErrorKind::kEvidence, "the list of Telemetry objects is not JSON");
  for (const json& item : list["items"]) {
    const json tracing = item.value("/spec/tracing"_json_pointer, json::array());
    TelemetryFact fact;
    fact.ns = item.value("/metadata/namespace"_json_pointer, "");
    fact.name = item.value("/metadata/name"_json_pointer, "");
    if (tracing.is_array() && !tracing.empty()) {
      fact.provider = tracing[0].value("/providers/0/name"_json_pointer, "");
      const auto percentage = tracing[0].find("randomSamplingPercentage");
      if (percentage != tracing[0].end() && percentage->is_number()) fact.percentage = percentage->get<double>();
    }
    environment.telemetry.push_back(std::move(fact));
  }
  return {};
}

}  // namespace hopcheck::mesh
