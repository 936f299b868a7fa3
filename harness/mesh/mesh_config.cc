#include "mesh/mesh_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hopcheck::mesh {

Result<std::vector<std::string>> extension_providers_of(const std::string& mesh_config) {
  std::vector<std::string> out;
  try {
    const YAML::Node root = YAML::Load(mesh_config);
    if (!root.IsMap()) return fail(ErrorKind::kEvidence, "istiod's MeshConfig is no mapping");
    const YAML::Node providers = root["extensionProviders"];
    if (!providers.IsDefined() || !providers.IsSequence()) return out;
    for (const YAML::Node& provider : providers) {
      if (provider.IsMap() && provider["name"].IsDefined() && provider["name"].IsScalar())
        out.push_back(provider["name"].Scalar());
    }
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::kEvidence, "istiod's MeshConfig is no YAML", error.what());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<std::string>> providers_in_mesh_config(KubeClient& client) {
  const Result<KubeResponse> response =
      client.request({"GET", "/api/v1/namespaces/istio-system/configmaps/istio", "", {}, 10'000});
  if (!response) return tl::unexpected<Error>(response.error());
  if (response->status == 404) return std::vector<std::string>{};
  const nlohmann::json body = nlohmann::json::parse(response->body, nullptr, false);
  if (response->status != 200 || !body.is_object()) {
    return fail(ErrorKind::kEvidence, "istiod's MeshConfig cannot be read: HTTP " + std::to_string(response->status),
                kube_message(response->body));
  }
  return extension_providers_of(body.value("/data/mesh"_json_pointer, "{}"));
}

}  // namespace hopcheck::mesh
