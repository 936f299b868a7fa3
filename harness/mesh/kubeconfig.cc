#include "mesh/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <cctype>
#include <fstream>
#include <sstream>

namespace hopcheck::mesh {
namespace {

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

YAML::Node named(const YAML::Node& list, const std::string& name) {
  for (const YAML::Node& item : list) {
    if (item["name"].as<std::string>("") == name) return item;
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

}  // namespace

std::string base64_decode(const std::string& text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  size_t padding = 0;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c))) continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int value = base64_value(c);
    if (value < 0 || padding > 0) return "";
    bits = (bits << 6) | static_cast<uint32_t>(value);
    if (++count == 4) {
      out += {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)};
      bits = 0;
      count = 0;
    }
  }
  if (count == 1 || (count == 0 ? padding != 0 : padding + static_cast<size_t>(count) != 4)) return "";
  if (count == 2) out += static_cast<char>(bits >> 4);
  if (count == 3) out += {static_cast<char>(bits >> 10), static_cast<char>(bits >> 2)};
  return out;
}

Result<Kubeconfig> parse_kubeconfig(const std::string& text) {
  try {
    const YAML::Node root = YAML::Load(text);
    const YAML::Node context = named(root["contexts"], root["current-context"].as<std::string>(""));
    const YAML::Node cluster = named(root["clusters"], context["context"]["cluster"].as<std::string>(""));
    const YAML::Node user = named(root["users"], context["context"]["user"].as<std::string>(""));
    Kubeconfig out;
    out.server = cluster["cluster"]["server"].as<std::string>("");
    out.ca_pem = base64_decode(cluster["cluster"]["certificate-authority-data"].as<std::string>(""));
    out.certificate_pem = base64_decode(user["user"]["client-certificate-data"].as<std::string>(""));
    out.key_pem = base64_decode(user["user"]["client-key-data"].as<std::string>(""));
    if (out.server.rfind("https://", 0) == 0 && !out.ca_pem.empty() && !out.certificate_pem.empty() &&
        !out.key_pem.empty())
      return out;
    return fail(ErrorKind::kEnvironment, "the kubeconfig is not usable",
                "it lacks a server, an embedded CA or an embedded client certificate");
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::kEnvironment, "the kubeconfig is not usable", error.what());
  }
}

Result<Kubeconfig> load_kubeconfig(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in)
    return fail(ErrorKind::kEnvironment, "cannot read the kubeconfig " + path,
                "the cluster was not created or its folder is gone");
  return parse_kubeconfig(text.str());
}

}  // namespace hopcheck::mesh
