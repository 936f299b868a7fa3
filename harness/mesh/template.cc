#include "mesh/template.h"

#include <yaml-cpp/yaml.h>

#include <cctype>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

struct KindInfo {
  const char* api_version;
  const char* kind;
  const char* plural;
  bool namespaced;
};
constexpr KindInfo kKinds[] = {
    {"v1", "Namespace", "namespaces", false},
    {"v1", "ConfigMap", "configmaps", true},
    {"v1", "Secret", "secrets", true},
    {"v1", "Service", "services", true},
    {"v1", "ServiceAccount", "serviceaccounts", true},
    {"apps/v1", "Deployment", "deployments", true},
    {"networking.istio.io/v1", "Gateway", "gateways", true},
    {"networking.istio.io/v1", "VirtualService", "virtualservices", true},
    {"security.istio.io/v1", "PeerAuthentication", "peerauthentications", true},
    {"telemetry.istio.io/v1", "Telemetry", "telemetries", true},
};

bool is_name_char(char c) {
  return std::islower(static_cast<unsigned char>(c)) || std::isdigit(static_cast<unsigned char>(c)) || c == '_';
}

// End of the placeholder that starts at `at` (one past the closing @), 0 when there is none.
size_t placeholder_end(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && is_name_char(text[end])) ++end;
  return end < text.size() && text[end] == '@' && end > at + 1 ? end + 1 : 0;
}

}  // namespace

Result<std::string> render(std::string_view text, const Values& values, const std::string& where) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t end = text[i] == '@' ? placeholder_end(text, i) : 0;
    if (end == 0) {
      out += text[i++];
      continue;
    }
    const std::string name(text.substr(i + 1, end - i - 2));
    const auto value = values.find(name);
    if (value == values.end()) return fail(ErrorKind::kInternal, where + ": no value for @" + name + "@");
    out += value->second;
    i = end;
  }
  return out;
}

std::string yaml_quoted(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string flow_map(const std::map<std::string, std::string>& map) {
  std::string out = "{";
  for (const auto& [key, value] : map)
    out += (out.size() > 1 ? ", " : "") + yaml_quoted(key) + ": " + yaml_quoted(value);
  return out + "}";
}

std::string indented(std::string_view text, size_t spaces) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) out += std::string(spaces, ' ') + std::string(line);
    out += '\n';
  }
  while (out.size() > 1 && out[out.size() - 2] == '\n') out.pop_back();
  return out;
}

Result<std::vector<KubeObject>> split_manifest(std::string_view text) {
  std::vector<KubeObject> objects;
  std::vector<std::string> documents(1);
  for (const std::string_view line : split(text, '\n')) {
    if (line == "---") {
      documents.emplace_back();
    } else {
      documents.back() += std::string(line) + "\n";
    }
  }
  for (std::string& document : documents) {
    try {
      const YAML::Node node = YAML::Load(document);
      if (!node || node.IsNull()) continue;
      KubeObject object;
      object.api_version = node["apiVersion"].as<std::string>();
      object.kind = node["kind"].as<std::string>();
      object.name = node["metadata"]["name"].as<std::string>();
      object.ns = node["metadata"]["namespace"].as<std::string>("");
      object.body = std::move(document);
      objects.push_back(std::move(object));
    } catch (const YAML::Exception& error) {
      return fail(ErrorKind::kInternal, "a rendered manifest is not a Kubernetes object", error.what(),
                  "report this; the manifest begins with: " + printable(document.substr(0, 120)));
    }
  }
  return objects;
}

Result<std::string> api_path(const KubeObject& object) {
  for (const KindInfo& kind : kKinds) {
    if (object.api_version != kind.api_version || object.kind != kind.kind) continue;
    std::string path = object.api_version == "v1" ? "/api/v1" : "/apis/" + object.api_version;
    if (kind.namespaced) path += "/namespaces/" + object.ns;
    return path + "/" + kind.plural + "/" + object.name;
  }
  return fail(ErrorKind::kInternal, "no API path is known for " + object.api_version + " " + object.kind);
}

}  // namespace hopcheck::mesh
