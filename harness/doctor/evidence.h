// What is known of a cluster before it is diagnosed: plain values, gathered by mesh/doctor_evidence, or made up by a
// test. Each part is Seen: the value, or why there is none (no permission, no answer in time). Header values, tokens
// and Secrets have no field here, so that nothing can print them. Times are Unix seconds, 0 = not known. Lists are
// sorted by namespace and name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hopcheck::doctor {

template <class T>
struct Seen {
  T value{};
  std::string missing = "not asked";  // why there is no value, "" = there is one
  bool seen() const { return missing.empty(); }
  static Seen of(T value) { return {std::move(value), ""}; }
  static Seen none(std::string why) { return {T{}, std::move(why)}; }
};

using Labels = std::map<std::string, std::string>;

// A label selector of the Kubernetes API; an empty one selects everything.
struct LabelSelector {
  struct Expression {
    std::string key, op;  // In, NotIn, Exists, DoesNotExist
    std::vector<std::string> values;
  };
  Labels labels;
  std::vector<Expression> expressions;
};
bool selects(const LabelSelector& selector, const Labels& labels);

struct NamespaceFact {
  std::string name;
  Labels labels;
  int64_t injection_since = 0;  // when istio-injection or istio.io/rev was last written (metadata.managedFields)
};

struct OwnerFact {
  std::string kind, name;  // Deployment where a ReplicaSet stands in between
  auto operator<=>(const OwnerFact&) const = default;
};

struct PodFact {
  std::string ns, name, node, phase;
  Labels labels;
  std::string inject_annotation;  // sidecar.istio.io/inject
  OwnerFact owner;
  int64_t created = 0;
  bool ready = false, deleting = false, host_network = false, has_proxy = false;
  std::string image;    // of the first container that is not istio-proxy
  std::string waiting;  // "CrashLoopBackOff" …, "" = nothing waits
  std::string missing;  // of CreateContainerConfigError: `secret "backend-token" not found`
  int restarts = 0;
};

struct PortFact {
  std::string name, app_protocol;
  int port = 0;
};
struct ServiceFact {
  std::string ns, name;
  Labels selector;
  std::vector<PortFact> ports;
  bool local_policy = false;  // internalTrafficPolicy: Local
};
std::string host_of(const ServiceFact& service);  // name.ns.svc.cluster.local

struct DeploymentFact {
  std::string ns, name;
  Labels labels, pod_labels;
  int wanted = 1, ready = 0;
  std::string image;  // of its first container
};
// A ReplicaSet that cannot make its pods, because an admission webhook failed.
struct RefusedPods {
  std::string ns;
  OwnerFact owner;
  std::string webhook;  // its name, as the API server says it
};

struct WebhookFact {
  std::string configuration, name;  // istio-sidecar-injector, rev.namespace.sidecar-injector.istio.io
  LabelSelector namespaces, objects;
  std::string service_ns, service;
  bool has_ca = false;
  int index = 0;  // in its configuration
};

struct TracingFact {
  std::vector<std::string> providers;
  std::optional<double> percentage;
  bool disabled = false;  // disableSpanReporting
};
struct TelemetryFact {
  std::string ns, name;
  bool selects_workloads = false;  // has a selector or targetRefs
  std::vector<TracingFact> tracing;
};
struct TelemetryApi {
  std::vector<std::string> served;  // versions of telemetry.istio.io; empty = no such group
};

struct ProviderFact {
  std::string name, kind;  // kind: opentelemetry, zipkin …
  std::string service;     // host, without a leading "namespace/"
  int port = 0;
  bool http = false;  // OTLP/HTTP; else OTLP/gRPC
  std::string path;   // of OTLP/HTTP
  bool resource_detectors = false;
  // In block style, one field a line, the name first: sed can tell this provider's lines from another's.
  bool plain = false;
};
struct MeshConfigFact {
  std::string config_map, revision;  // istio-1-31, "1-31"; the plain one has no revision
  std::string damage;                // why it cannot be read, "" = it can
  std::vector<ProviderFact> providers;
  std::vector<std::string> default_providers;  // defaultProviders.tracing
  std::optional<double> sampling;              // defaultConfig.tracing.sampling
  bool registry_only = false;
  std::string root_namespace;  // "" = the control plane's
  bool plain_list = false;     // extensionProviders: in block style, its items not indented, as Istio writes it
};

struct CollectorConfig {
  std::string config_map;
  std::optional<std::string> grpc, http;  // listen address of the otlp receiver; "" = not said; nullopt = not there
  bool logging_exporter = false;          // `logging`, removed in 0.111
  bool health_check_port = false;         // health_check.port, refused by current releases
  std::string without_endpoint;           // an OTLP exporter that names no address; "" = none
};
struct CollectorCounters {  // since the process started, summed over its pods
  uint64_t received = 0, refused = 0, sent = 0, failed = 0, queued = 0;
};
// Failures to export in the last minutes of the log, by what they say. The text itself is not kept.
struct CollectorLog {
  uint64_t auth = 0, tls = 0, address = 0, other = 0;
};
// The Collector behind one Service that a provider names.
struct CollectorEvidence {
  std::string ns, service;
  std::string version;  // "0.161.0", "" = not known
  Seen<CollectorConfig> config;
  Seen<CollectorCounters> counters;
  Seen<CollectorLog> log;
};

struct ProxyCounter {
  std::string ns, pod;
  uint64_t spans_sent = 0;
};

// A Sidecar object (networking.istio.io): which services the proxies of a namespace, or of some workloads, get to know.
struct SidecarFact {
  std::string ns, name;
  Labels selector;                 // empty = all workloads; in the root namespace, of the whole mesh
  std::vector<std::string> hosts;  // of all egress parts, "namespace/dns name"; empty = it says nothing of egress
  int open_part = 0;               // index of the egress part without a port, to which a host can be added
};
// What Envoy says of itself in one sidecar (its admin interface): the clusters that the tracers of its inbound
// listener send to, and what it knows of the clusters that lead to a Collector.
struct ProxyFact {
  struct Cluster {
    std::string name;  // outbound|4317||otel.observability.svc.cluster.local
    int endpoints = 0, healthy = 0;
    uint64_t connect_failures = 0;
  };
  std::string ns, pod;
  std::vector<std::string> tracer_clusters;  // sorted; empty = tracing is not configured
  std::vector<Cluster> clusters;
};

// What the findings of a run add (--run DIR).
struct RunFact {
  std::string code, service, header, what;
};

struct ClusterEvidence {
  std::vector<std::string> namespaces_asked;  // workloads of these alone are judged; empty = of all
  std::string control_namespace = "istio-system";
  Seen<std::string> kubernetes;  // "v1.34.4"
  Seen<std::string> istio;       // "1.30.4"
  Seen<std::vector<NamespaceFact>> namespaces;
  Seen<std::vector<PodFact>> pods;
  Seen<std::vector<ServiceFact>> services;
  Seen<std::vector<DeploymentFact>> deployments;
  Seen<std::vector<RefusedPods>> refused_pods;
  Seen<std::vector<WebhookFact>> webhooks;
  Seen<TelemetryApi> telemetry_api;
  Seen<std::vector<TelemetryFact>> telemetries;
  Seen<std::vector<MeshConfigFact>> mesh_configs;
  Seen<std::vector<std::string>> service_entries;  // hosts
  Seen<uint64_t> lookup_failures;                  // istiod's provider_lookup_cluster_failures
  std::vector<CollectorEvidence> collectors;
  Seen<std::vector<ProxyCounter>> proxies;
  Seen<std::vector<SidecarFact>> sidecar_objects;
  Seen<std::vector<ProxyFact>> proxy_views;  // of one pod of each workload
  std::optional<std::vector<RunFact>> run;
};

}  // namespace hopcheck::doctor
