// What istiod's MeshConfig says: the ConfigMap istio of its namespace, key mesh (Istio, MeshConfig reference).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/kube_client.h"

namespace hopcheck::mesh {

// Names under extensionProviders, sorted. kEvidence for text that is no YAML mapping.
Result<std::vector<std::string>> extension_providers_of(const std::string& mesh_config);
// The same of a cluster, read from istio-system/istio; empty where there is no such ConfigMap.
Result<std::vector<std::string>> providers_in_mesh_config(KubeClient& client);

}  // namespace hopcheck::mesh
