#include "mesh/mesh_config_fields.h"

#include <yaml-cpp/yaml.h>

namespace hopcheck::mesh {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxFields = 100'000;
using Fields = std::map<std::string, std::string>;

// False when the bounds are broken.
bool flatten(const YAML::Node& node, const std::string& path, int depth, Fields& out) {
  if (depth > kMaxDepth || out.size() > kMaxFields) return false;
  if (node.IsMap()) {
    if (node.size() == 0) out[path] = "{}";
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      const bool header = key == "value" && path.find(".headers[") != std::string::npos;
      const std::string at = path.empty() ? key : path + "." + key;
      if (header) out[at] = "[hidden]";
      else if (!flatten(entry.second, at, depth + 1, out)) return false;
    }
    return true;
  }
  if (node.IsSequence()) {
    if (node.size() == 0) out[path] = "[]";
    for (size_t i = 0; i < node.size(); ++i) {
      const bool named = node[i].IsMap() && node[i]["name"].IsDefined() && node[i]["name"].IsScalar();
      const std::string id = named ? node[i]["name"].Scalar() : std::to_string(i);
      if (!flatten(node[i], path + "[" + id + "]", depth + 1, out)) return false;
    }
    return true;
  }
  out[path] = node.IsScalar() ? node.Scalar() : "null";
  return true;
}

// Mappings are merged, everything else is replaced.
void lay_over(YAML::Node base, const YAML::Node& over, int depth) {
  for (const auto& entry : over) {
    const std::string key = entry.first.Scalar();
    const bool both = depth < kMaxDepth && entry.second.IsMap() && base[key].IsDefined() && base[key].IsMap();
    if (both) lay_over(base[key], entry.second, depth + 1);
    else base[key] = YAML::Clone(entry.second);
  }
}

}  // namespace

Result<Fields> mesh_config_fields(const std::string& text) {
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) return fail(ErrorKind::kEvidence, "the MeshConfig is no mapping");
    Fields out;
    if (!flatten(root, "", 0, out)) return fail(ErrorKind::kEvidence, "the MeshConfig is too deep or too large");
    return out;
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::kEvidence, "the MeshConfig is no YAML", error.what());
  }
}

Result<std::string> helm_values(const std::vector<std::string>& operators) {
  YAML::Node values(YAML::NodeType::Map);
  for (const std::string& text : operators) {
    try {
      const YAML::Node root = YAML::Load(text);
      if (!root.IsMap() || !root["spec"].IsDefined() || !root["spec"].IsMap())
        return fail(ErrorKind::kUsage, "a file is no IstioOperator", "it has no mapping `spec`");
      const YAML::Node spec = root["spec"];
      if (spec["values"].IsDefined() && spec["values"].IsMap()) lay_over(values, spec["values"], 0);
      for (const char* name : {"hub", "tag"}) {
        if (spec[name].IsDefined() && spec[name].IsScalar()) values["global"][name] = spec[name].Scalar();
      }
      YAML::Node mesh(YAML::NodeType::Map);
      if (spec["meshConfig"].IsDefined() && spec["meshConfig"].IsMap()) mesh["meshConfig"] = spec["meshConfig"];
      lay_over(values, mesh, 0);
    } catch (const YAML::Exception& error) {
      return fail(ErrorKind::kUsage, "a file is no IstioOperator", error.what());
    }
  }
  YAML::Emitter out;
  out << values;
  return std::string(out.c_str()) + "\n";
}

}  // namespace hopcheck::mesh
