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

constexpr size_t kMaxFile = size_t{1} << 20;

std::string small_file(const std::string& folder, const std::string& name) {
  if (name.empty()) return "";
  std::ifstream in(name.front() == '/' || folder.empty() ? name : folder + "/" + name, std::ios::binary);
  std::string text(kMaxFile, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

// The value of KEY-data, else the file that KEY names.
std::string credential(const YAML::Node& map, const std::string& key, const std::string& folder) {
  const std::string data = base64_decode(map[key + "-data"].as<std::string>(""));
  return data.empty() ? small_file(folder, map[key].as<std::string>("")) : data;
}

std::string token_of(const YAML::Node& user, const std::string& folder) {
  std::string token = user["token"].as<std::string>("");
  if (token.empty()) token = small_file(folder, user["tokenFile"].as<std::string>(""));
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back()))) token.pop_back();
  return token;
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

Result<Kubeconfig> parse_kubeconfig(const std::string& text, const std::string& folder) {
  try {
    const YAML::Node root = YAML::Load(text);
    const YAML::Node context = named(root["contexts"], root["current-context"].as<std::string>(""));
    const YAML::Node cluster = named(root["clusters"], context["context"]["cluster"].as<std::string>(""))["cluster"];
    const YAML::Node user = named(root["users"], context["context"]["user"].as<std::string>(""))["user"];
    Kubeconfig out;
    out.server = cluster["server"].as<std::string>("");
    out.ca_pem = credential(cluster, "certificate-authority", folder);
    out.certificate_pem = credential(user, "client-certificate", folder);
    out.key_pem = credential(user, "client-key", folder);
    out.token = token_of(user, folder);
    const bool can_log_in = !out.token.empty() || (!out.certificate_pem.empty() && !out.key_pem.empty());
    if (out.server.rfind("https://", 0) == 0 && !out.ca_pem.empty() && can_log_in) return out;
    if (user["exec"].IsDefined() || user["auth-provider"].IsDefined())
      return fail(ErrorKind::kEnvironment, "the kubeconfig is not usable", "its user logs in through a plugin",
                  "name a kubeconfig with a token or a client certificate");
    return fail(ErrorKind::kEnvironment, "the kubeconfig is not usable",
                "it lacks a server, a CA, or a client certificate or token");
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
  const size_t slash = path.rfind('/');
  return parse_kubeconfig(text.str(), slash == std::string::npos ? "" : path.substr(0, slash));
}

}  // namespace hopcheck::mesh
