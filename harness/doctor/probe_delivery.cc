// What went through: the Collector's counters and log, and the findings of a run.
#include <fmt/format.h>

#include <map>

#include "doctor/probes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

std::string name_of(const CollectorEvidence& collector) { return collector.ns + "/" + collector.service; }

// The Collector's counters begin with its pod: spans that a proxy sent earlier prove nothing. So only proxies count
// whose pod is younger than every pod of the Collector.
uint64_t sent_since(const ClusterEvidence& evidence, int64_t collector_created) {
  uint64_t sent = 0;
  for (const ProxyCounter& proxy : evidence.proxies.value) {
    const PodFact* pod = pod_named(evidence, proxy.ns, proxy.pod);
    if (pod != nullptr && pod->created > collector_created) sent += proxy.spans_sent;
  }
  return sent;
}

int64_t newest_pod_of(const ClusterEvidence& evidence, const CollectorEvidence& collector) {
  int64_t newest = 0;
  for (const ServiceFact& service : evidence.services.value) {
    if (service.ns != collector.ns || service.name != collector.service) continue;
    for (const PodFact* pod : pods_behind(evidence, service)) newest = std::max(newest, pod->created);
  }
  return newest;
}

// What the proxies say of their way to it.
std::vector<std::string> ways_to(const ClusterEvidence& evidence, const CollectorEvidence& collector) {
  constexpr size_t kMaxShown = 4;
  std::vector<std::string> out;
  for (const ProxyFact& proxy : evidence.proxy_views.value) {
    for (const ProxyFact::Cluster& cluster : proxy.clusters) {
      const bool its = cluster.name.find("||" + collector.service + "." + collector.ns + ".") != std::string::npos;
      if (!its || (cluster.connect_failures == 0 && cluster.healthy > 0) || out.size() >= kMaxShown) continue;
      out.push_back(fmt::format("Envoy of {}/{}: {} of {} healthy, {} connections failed", proxy.ns, proxy.pod,
                                cluster.healthy, counted(static_cast<size_t>(cluster.endpoints), "endpoint"),
                                cluster.connect_failures));
    }
  }
  return out;
}

struct ExportFailure {
  const char* id;
  std::string what, fix;
};

// F-1b: the log's own words decide which part of the way to the backend is broken.
ExportFailure kind_of(const CollectorEvidence& collector) {
  const CollectorLog& log = collector.log.value;
  const std::string ns = collector.ns, map = collector.config.value.config_map;
  const std::string edit = "in ConfigMap " + ns + "/" + (map.empty() ? "COLLECTOR-CONFIG" : map) + ": ";
  if (log.auth > 0)
    return {"export-auth", "the backend refuses the Collector's token or its header",
            edit + "name and value of the token header under exporters; then restart the Collector"};
  if (log.tls > 0)
    return {"export-tls", "TLS between the Collector and the backend fails",
            edit + "exporters' tls (insecure: true for plain text, ca_file for an own CA); then restart the Collector"};
  if (log.address > 0)
    return {"export-address", "the Collector does not reach the backend's address",
            edit + "exporters' endpoint, and whether that host answers; then restart the Collector"};
  return {"export-failing", "the Collector receives spans and fails to export them",
          "read what the backend answers: kubectl -n " + ns + " logs -l app=" + collector.service + " --tail=50"};
}

// One Collector that cannot be read does not keep the others from being looked at.
template <class T>
bool is_read(const Seen<T>& part, const CollectorEvidence& collector, std::string& unread) {
  if (!part.seen()) unread = name_of(collector) + ": " + part.missing;
  return part.seen();
}

void skip_blind(ProbeResult& result, const std::string& why) {
  skip(result, why);
  result.blind = true;
}

}  // namespace

// F-1. Silence is a failure only where proxies have sent.
void probe_received(const ClusterEvidence& evidence, ProbeResult& result) {
  if (evidence.collectors.empty()) return skip(result, "no Collector is known to ask");
  std::string unread;
  bool idle = false;
  for (const CollectorEvidence& collector : evidence.collectors) {
    if (!is_read(collector.counters, collector, unread)) continue;
    const CollectorCounters& counters = collector.counters.value;
    result.evidence.push_back(
        fmt::format("{}: {} spans received, {} refused", name_of(collector), counters.received, counters.refused));
    if (counters.received > 0) continue;
    if (!evidence.proxies.seen()) {
      unread = evidence.proxies.missing;
      continue;
    }
    const uint64_t sent = sent_since(evidence, newest_pod_of(evidence, collector));
    if (sent == 0) {
      idle = true;
      continue;
    }
    std::vector<std::string> proof = {result.evidence.back(),
                                      fmt::format("{} spans sent by proxies younger than the Collector", sent)};
    for (std::string& way : ways_to(evidence, collector)) proof.push_back(std::move(way));
    blame(result, {"collector-receives-nothing", name_of(collector),
                   "proxies send spans and the Collector receives none", std::move(proof),
                   {fmt::format("look for a NetworkPolicy or mutual TLS in the way: kubectl -n {} get networkpolicy,"
                                "peerauthentication,destinationrule",
                                collector.ns)},
                   {}});
  }
  if (result.state == ProbeState::kFail) return;
  if (!unread.empty()) skip_blind(result, unread);
  else if (idle) skip(result, "no traffic was traced since the Collector started: drive some and ask again");
}

void probe_exported(const ClusterEvidence& evidence, ProbeResult& result) {
  if (evidence.collectors.empty()) return skip(result, "no Collector is known to ask");
  bool any = false;
  std::string unread;
  for (const CollectorEvidence& collector : evidence.collectors) {
    if (!is_read(collector.counters, collector, unread) || !is_read(collector.log, collector, unread)) continue;
    const CollectorCounters& counters = collector.counters.value;
    const CollectorLog& log = collector.log.value;
    any = any || counters.received > 0;
    result.evidence.push_back(fmt::format("{}: {} spans exported, {} failed, {} batches wait", name_of(collector),
                                          counters.sent, counters.failed, counters.queued));
    // Failures of long ago that were mended since have left the log and the queue.
    const uint64_t lines = log.auth + log.tls + log.address + log.other;
    if (lines == 0 || (counters.failed == 0 && counters.queued == 0 && counters.sent >= counters.received)) continue;
    const ExportFailure failure = kind_of(collector);
    blame(result, {failure.id, name_of(collector), failure.what,
                   {result.evidence.back(),
                    fmt::format("its log of the last minutes: {} about auth, {} TLS, {} address, {} other failures",
                                log.auth, log.tls, log.address, log.other)},
                   {failure.fix}, {}});
  }
  if (result.state == ProbeState::kFail) return;
  if (!unread.empty()) skip_blind(result, unread);
  else if (!any) skip(result, "nothing was received yet: drive some traffic");
}

// F-0 and F-5, from what a run found.
void probe_run(const ClusterEvidence& evidence, ProbeResult& result) {
  if (!evidence.run) return skip(result, "no run is given (--run DIR)");
  result.evidence.push_back(counted(evidence.run->size(), "finding") + " in the run");
  std::map<std::string, Cause> by_place;
  for (const RunFact& fact : *evidence.run) {
    const std::string family = fact.code.substr(0, 5);  // HOPff
    const std::string id = family == "HOP06"          ? "run-propagation"
                           : family == "HOP04"        ? "run-names"
                           : fact.code == "HOP0102"   ? "run-no-data"
                           : family == "HOP01" || family == "HOP02" || family == "HOP03" || family == "HOP08" ||
                                   family == "HOP11"
                               ? "run-partial"
                               : "";
    if (id.empty()) continue;
    const std::string place = fact.service + (fact.header.empty() ? "" : " " + fact.header);
    Cause& cause = by_place[id + " " + place];
    cause.id = id;
    cause.subject = place.empty() ? "run" : place;
    if (id == "run-propagation") {
      cause.what = fmt::format("service {} does not forward {}", fact.service,
                               fact.header.empty() ? "the trace context" : fact.header);
      cause.fix = {fmt::format("copy {} from each incoming request to the calls that {} makes for it",
                               fact.header.empty() ? "traceparent, tracestate and x-request-id" : fact.header,
                               fact.service)};
    } else {
      cause.what = fact.what;
      cause.fix = {"hopcheck explain " + fact.code};
    }
    cause.evidence.push_back(fact.code + ": " + fact.what);
  }
  for (const auto& [place, cause] : by_place) blame(result, cause);
}

}  // namespace hopcheck::doctor
