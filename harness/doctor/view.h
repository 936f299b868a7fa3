// What several probes ask of the evidence: versions, which providers are in use, what stands behind them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "doctor/evidence.h"

namespace hopcheck::doctor {

struct Version {
  int major = 0, minor = 0;
  auto operator<=>(const Version&) const = default;
};
// The first "N.N" of "v1.34.4", "1.30.4-dev", "hub/pilot:1.30.4"; nullopt when there is none.
std::optional<Version> version_in(const std::string& text);
std::string to_string(const Version& version);

// Tracing that applies to a mesh: Telemetry objects with a tracing part, and the MeshConfigs of control planes there.
std::string root_namespace(const ClusterEvidence& evidence);
std::vector<const MeshConfigFact*> mesh_configs_in_use(const ClusterEvidence& evidence);
// Names of providers that Telemetry objects or defaultProviders ask for, sorted.
std::vector<std::string> providers_asked_for(const ClusterEvidence& evidence);
// A registered provider whose name is near, for a name that is not registered.
std::optional<std::string> near_provider(const ClusterEvidence& evidence, const std::string& name);

struct UsedProvider {
  const MeshConfigFact* mesh_config = nullptr;
  const ProviderFact* provider = nullptr;
};
// OpenTelemetry providers that are asked for, misspelled names included; all registered ones where none is.
std::vector<UsedProvider> used_providers(const ClusterEvidence& evidence);
// The Service a host names; nullptr when there is none.
const ServiceFact* service_of(const ClusterEvidence& evidence, const std::string& host);
// The Service that is meant by a host that names none: its short form, or nearly the same; nullptr when there is none.
const ServiceFact* near_service(const ClusterEvidence& evidence, const std::string& host);
// A ServiceEntry has this host, or a wildcard that covers it.
bool in_service_entry(const ClusterEvidence& evidence, const std::string& host);
// The Service that a provider names or, where neither a Service nor a ServiceEntry has its host, the one it means:
// that of a near name, else the only one that looks like a Collector's and has its port. nullptr when there is none, or
// when ServiceEntry objects were not read.
const ServiceFact* meant_service(const ClusterEvidence& evidence, const ProviderFact& provider);
// The Services that used providers name or mean, each once. Where no provider is registered, those that look like a
// Collector's by name and port.
std::vector<const ServiceFact*> collector_services(const ClusterEvidence& evidence);
// Services that look like a Collector's by name and port, whether a provider names them or not.
std::vector<const ServiceFact*> likely_collectors(const ClusterEvidence& evidence);
// The only one of them; nullptr when there are more, or none.
const ServiceFact* only_likely_collector(const ClusterEvidence& evidence);
const PortFact* port_of(const ServiceFact& service, int port);  // nullptr: it has no such port
const PodFact* pod_named(const ClusterEvidence& evidence, const std::string& ns, const std::string& name);
// The cluster of a proxy that leads to a host of the mesh's registry: outbound|PORT||HOST.
std::string outbound_cluster(const std::string& host, int port);
// Pods a Service selects, without those that are going; none for a Service without selector.
std::vector<const PodFact*> pods_behind(const ClusterEvidence& evidence, const ServiceFact& service);
const CollectorEvidence* collector_of(const ClusterEvidence& evidence, const ServiceFact& service);

// One word of a POSIX shell, in single quotes where it needs them.
std::string shell_word(const std::string& text);
// The same for a text inside an s/…/…/ command of sed that stands in single quotes: the pattern and the replacement.
std::string sed_pattern(const std::string& text);
std::string sed_replacement(const std::string& text);
// "kubectl -n NS get cm NAME -o yaml | FILTER | kubectl replace -f -"
std::string through(const std::string& ns, const std::string& config_map, const std::string& filter);

std::string joined(const std::vector<std::string>& parts, const std::string& separator = ", ");
// "3 pods" / "1 pod"
std::string counted(size_t count, const std::string& noun);

}  // namespace hopcheck::doctor
