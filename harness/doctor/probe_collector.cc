// The Collector itself: there, ready, its configuration one that it loads and that listens to other pods, and a ready
// pod on each node where the Service is node-local.
#include <fmt/format.h>

#include <map>
#include <set>

#include "doctor/probes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

constexpr Version kLocalhostBind = {0, 104};    // listens on localhost unless told otherwise
constexpr Version kLoggingRemoved = {0, 111};   // exporter `logging`
constexpr const char* kOldestThatRefuses = "0.111.0";
constexpr size_t kMaxPodsShown = 5;

std::string name_of(const ServiceFact& service) { return service.ns + "/" + service.name; }

// The Deployment whose pods the Service selects; nullptr when there is none (a DaemonSet, or nothing).
const DeploymentFact* deployment_of(const ClusterEvidence& evidence, const ServiceFact& service) {
  if (service.selector.empty()) return nullptr;
  for (const DeploymentFact& deployment : evidence.deployments.value) {
    if (deployment.ns == service.ns && selects({service.selector, {}}, deployment.pod_labels)) return &deployment;
  }
  return nullptr;
}

void judge_missing(const ClusterEvidence& evidence, const ServiceFact& service, ProbeResult& result) {
  const DeploymentFact* deployment = deployment_of(evidence, service);
  Cause cause{"collector-missing", name_of(service), "no pod stands behind the Collector's Service " + name_of(service),
              {}, {}, {}};
  std::vector<std::string> labels;
  for (const auto& [key, value] : service.selector) labels.push_back(key + "=" + value);
  cause.evidence.push_back("its selector is " + joined(labels));
  if (deployment == nullptr) {
    cause.evidence.push_back("no Deployment of namespace " + service.ns + " makes such pods");
    cause.fix.push_back("deploy the Collector before export is switched on: kubectl apply -n " + service.ns +
                        " -f COLLECTOR.yaml");
  } else {
    cause.evidence.push_back(fmt::format("Deployment {}/{} wants {} replicas", deployment->ns, deployment->name,
                                         deployment->wanted));
    cause.fix.push_back(deployment->wanted == 0
                            ? fmt::format("kubectl -n {} scale deployment/{} --replicas=1", deployment->ns,
                                          deployment->name)
                            : fmt::format("see why it makes none: kubectl -n {} describe deployment/{}", deployment->ns,
                                          deployment->name));
  }
  blame(result, std::move(cause));
}

std::string restart_of(const ClusterEvidence& evidence, const ServiceFact& service) {
  const DeploymentFact* deployment = deployment_of(evidence, service);
  return deployment == nullptr ? "restart the Collector's pods"
                               : fmt::format("kubectl -n {} rollout restart deployment/{}", service.ns,
                                             deployment->name);
}

bool any_ready(const std::vector<const PodFact*>& pods) {
  for (const PodFact* pod : pods) {
    if (pod->ready) return true;
  }
  return false;
}

std::string pods_text(const std::vector<const PodFact*>& pods) {
  std::vector<std::string> out;
  for (size_t i = 0; i < pods.size() && i < kMaxPodsShown; ++i) {
    const PodFact& pod = *pods[i];
    out.push_back(fmt::format("{} {}{}{}", pod.name, pod.ready ? "ready" : pod.phase,
                              pod.waiting.empty() ? "" : ", " + pod.waiting,
                              pod.restarts > 0 ? fmt::format(", {} restarts", pod.restarts) : ""));
  }
  if (pods.size() > kMaxPodsShown) out.push_back(fmt::format("{} more", pods.size() - kMaxPodsShown));
  return joined(out, "; ");
}

bool is_localhost(const std::string& endpoint) {
  return endpoint.rfind("localhost:", 0) == 0 || endpoint.rfind("127.", 0) == 0 || endpoint.rfind("[::1]", 0) == 0;
}

struct Listener {
  const ServiceFact& service;
  const CollectorEvidence& collector;
  std::string protocol;  // grpc, http
  std::string endpoint;
};

// D-08, first half.
void judge_bind(const ClusterEvidence& evidence, const Listener& listener, ProbeResult& result) {
  const std::optional<Version> version = version_in(listener.collector.version);
  const bool by_default = listener.endpoint.empty() && version && *version >= kLocalhostBind;
  if (!by_default && !is_localhost(listener.endpoint)) return;
  const std::string& config_map = listener.collector.config.value.config_map;
  const int port = listener.protocol == "grpc" ? 4317 : 4318;
  blame(result, {"collector-localhost-bind", name_of(listener.service),
                 fmt::format("the Collector's OTLP/{} receiver listens on localhost: no other pod reaches it",
                             listener.protocol == "grpc" ? "gRPC" : "HTTP"),
                 {by_default ? fmt::format("ConfigMap {}: receivers.otlp.protocols.{} has no endpoint, and since 0.104 "
                                           "that is localhost (this is {})",
                                           config_map, listener.protocol, listener.collector.version)
                             : fmt::format("ConfigMap {}: receivers.otlp.protocols.{}.endpoint: {}", config_map,
                                           listener.protocol, listener.endpoint)},
                 {fmt::format("set receivers.otlp.protocols.{}.endpoint: 0.0.0.0:{}:", listener.protocol, port),
                  through(listener.service.ns, config_map,
                          by_default ? "hopcheck collector rewrite - --collector " + listener.collector.version
                                     : fmt::format("sed 's/{}/0.0.0.0:{}/'", sed_pattern(listener.endpoint), port)),
                  restart_of(evidence, listener.service)},
                 {}});
}

// OTLP protocols that providers speak to a Service; gRPC where none names it.
std::set<std::string> protocols_sent_to(const ClusterEvidence& evidence, const ServiceFact& service) {
  std::set<std::string> out;
  for (const UsedProvider& used : used_providers(evidence)) {
    if (meant_service(evidence, *used.provider) == &service) out.insert(used.provider->http ? "http" : "grpc");
  }
  if (out.empty()) out.insert("grpc");
  return out;
}

void judge_config(const ClusterEvidence& evidence, const ServiceFact& service, const CollectorEvidence& collector,
                  ProbeResult& result) {
  const CollectorConfig& config = collector.config.value;
  const std::optional<Version> version = version_in(collector.version);
  const std::vector<const PodFact*> pods = pods_behind(evidence, service);
  // Where the version is not known, what a Collector does decides: one that runs accepts its configuration.
  const bool refuses = version ? *version >= kLoggingRemoved : !pods.empty() && !any_ready(pods);
  // Our own rewriting knows both old forms (otelcol/rewrite.h).
  const std::string rewrite =
      through(service.ns, config.config_map,
              "hopcheck collector rewrite - --collector " +
                  shell_word(version ? collector.version : std::string(kOldestThatRefuses)));
  const std::string seen = pods_text(pods);
  if (config.logging_exporter && refuses) {
    blame(result, {"collector-exporter-removed", name_of(service),
                   "the Collector's configuration has the exporter logging, which was removed in 0.111: it does not "
                   "start",
                   {"ConfigMap " + config.config_map + ": exporters.logging", seen},
                   {"rename exporter logging to debug, and loglevel: debug to verbosity: detailed:", rewrite,
                    restart_of(evidence, service)},
                   {}});
  }
  if (config.health_check_port && refuses) {
    blame(result,
          {"collector-health-check-port",
           name_of(service),
           "the Collector's configuration has health_check.port, which current releases refuse: it does not "
           "start",
           {"ConfigMap " + config.config_map + ": extensions.health_check.port", seen},
           {"replace health_check port: 13133 by endpoint: 0.0.0.0:13133:", rewrite, restart_of(evidence, service)},
           {}});
  }
  if (!config.without_endpoint.empty()) {  // M-03: the address of the backend
    blame(result, {"collector-endpoint-missing", name_of(service),
                   fmt::format("the Collector's exporter {} has no endpoint: where to send spans is not said",
                               config.without_endpoint),
                   {"ConfigMap " + config.config_map + ": exporters." + config.without_endpoint, seen},
                   {fmt::format("in ConfigMap {}/{}: exporters.{}.endpoint: the address of your backend; then {}",
                                service.ns, config.config_map, config.without_endpoint, restart_of(evidence, service))},
                   {}});
  }
  for (const std::string& protocol : protocols_sent_to(evidence, service)) {
    const std::optional<std::string>& endpoint = protocol == "http" ? config.http : config.grpc;
    if (endpoint) judge_bind(evidence, {service, collector, protocol, *endpoint}, result);
  }
  result.evidence.push_back(fmt::format("ConfigMap {}/{}, Collector {}", service.ns, config.config_map,
                                        collector.version.empty() ? "of unknown version" : collector.version));
}

}  // namespace

// M-02: spans have somewhere to go.
void probe_collector(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.services, result) || skip_unless(evidence.pods, result) ||
      skip_unless(evidence.mesh_configs, result))
    return;
  const std::vector<const ServiceFact*> services = collector_services(evidence);
  if (services.empty()) return skip(result, "no provider in use names a Service of this cluster");
  for (const ServiceFact* service : services) {
    if (service->selector.empty()) {
      result.evidence.push_back("Service " + name_of(*service) + " has no selector: its endpoints are not looked at");
      continue;
    }
    const std::vector<const PodFact*> pods = pods_behind(evidence, *service);
    if (pods.empty()) {
      judge_missing(evidence, *service, result);
      continue;
    }
    result.evidence.push_back("Service " + name_of(*service) + ": " + pods_text(pods));
    for (const PodFact* pod : pods) {
      if (pod->missing.empty()) continue;
      // M-03: the token. Its name is told, its value is never read.
      blame(result, {"collector-secret-missing", name_of(*service),
                     "the Collector cannot start without what its environment takes from a Secret: " + pod->missing,
                     {"pod " + pod->name + ": " + pod->waiting},
                     {"make it in namespace " + service->ns +
                      ", with the backend's token: kubectl create secret generic NAME --from-file=KEY=FILE"},
                     {}});
      break;
    }
    if (any_ready(pods)) continue;
    blame(result, {"collector-not-ready", name_of(*service),
                   "no pod behind the Collector's Service " + name_of(*service) + " is ready",
                   {result.evidence.back()},
                   {fmt::format("see why: kubectl -n {0} describe pod {1}; kubectl -n {0} logs {1} --previous",
                                service->ns, pods.front()->name)},
                   {}});
  }
}

void probe_collector_config(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.services, result) || skip_unless(evidence.mesh_configs, result)) return;
  const std::vector<const ServiceFact*> services = collector_services(evidence);
  if (services.empty()) return skip(result, "no provider in use names a Service of this cluster");
  for (const ServiceFact* service : services) {
    const CollectorEvidence* collector = collector_of(evidence, *service);
    if (collector == nullptr) return skip(result, "no pod of the Collector to take a ConfigMap from");
    if (skip_unless(collector->config, result)) return;
    judge_config(evidence, *service, *collector, result);
  }
}

// O-35: with internalTrafficPolicy Local a proxy sees the Collector of its own node alone.
void probe_nodes(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.services, result) || skip_unless(evidence.pods, result) ||
      skip_unless(evidence.mesh_configs, result))
    return;
  bool any = false;
  for (const ServiceFact* service : collector_services(evidence)) {
    if (!service->local_policy || service->selector.empty()) continue;
    any = true;
    std::map<std::string, size_t> meshed;
    for (const PodFact& pod : evidence.pods.value) {
      if (pod.has_proxy && !pod.deleting && pod.phase == "Running") ++meshed[pod.node];
    }
    for (const PodFact* pod : pods_behind(evidence, *service)) {
      if (pod->ready) meshed.erase(pod->node);
    }
    for (const auto& [node, count] : meshed) {
      blame(result,
            {"collector-node-local",
             node,
             fmt::format("node {} has no ready Collector pod, and Service {} reaches none on another node", node,
                         name_of(*service)),
             {fmt::format("internalTrafficPolicy: Local; {} with a sidecar there", counted(count, "pod"))},
             {fmt::format("run the Collector on every node (a DaemonSet, with tolerations for {}), or kubectl -n "
                          "{} patch service {} -p '{{\"spec\":{{\"internalTrafficPolicy\":\"Cluster\"}}}}'",
                          node, service->ns, service->name)},
             {}});
    }
  }
  if (!any) skip(result, "no Service of a Collector is node-local");
}

}  // namespace hopcheck::doctor
