// Kubernetes and Istio objects, as the API server writes them, read into the doctor's facts. Pure. Each function takes
// the body of a list (metadata, items) and reads what it knows; what has another shape is left out, never guessed. At
// most kMaxObjects of a list are read. Values of headers, environment variables and Secrets are not read at all.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "doctor/evidence.h"

namespace hopcheck::mesh {

inline constexpr size_t kMaxObjects = 5'000;

// "2026-11-21T21:00:00Z" as Unix seconds, 0 when it has another form.
int64_t unix_seconds(const std::string& rfc3339);

std::vector<doctor::NamespaceFact> namespaces_from_json(const std::string& list);
// Owners are ReplicaSets where they are; with_owners() puts the Deployments in.
std::vector<doctor::PodFact> pods_from_json(const std::string& list);
std::vector<doctor::ServiceFact> services_from_json(const std::string& list);
std::vector<doctor::DeploymentFact> deployments_from_json(const std::string& list);
std::vector<doctor::WebhookFact> webhooks_from_json(const std::string& list);  // of sidecar injectors alone
std::vector<doctor::TelemetryFact> telemetries_from_json(const std::string& list);
std::vector<std::string> service_entry_hosts(const std::string& list);
std::vector<doctor::SidecarFact> sidecars_from_json(const std::string& list);
doctor::TelemetryApi telemetry_api_from_json(const std::string& api_group);
std::string preferred_version(const std::string& api_group);  // "v1", "" = not said

struct ReplicaSets {
  // "ns/name" of a ReplicaSet → its owner
  std::map<std::string, doctor::OwnerFact> owners;
  std::vector<doctor::RefusedPods> refused;
};
ReplicaSets replica_sets_from_json(const std::string& list);
// Without a list the hash at the end of a ReplicaSet's name is cut off: that is how a Deployment names them.
void set_owners(std::vector<doctor::PodFact>& pods, const ReplicaSets& sets);

// ConfigMaps that a pod's volumes mount, in order, and the version its image's tag says.
struct PodParts {
  std::vector<std::string> config_maps;
  std::vector<std::string> images;
};
PodParts parts_of_pod(const std::string& pod_list, const std::string& ns, const std::string& name);

}  // namespace hopcheck::mesh
