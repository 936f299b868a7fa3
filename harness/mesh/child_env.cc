#include "mesh/child_env.h"

#include <unistd.h>

#include <array>
#include <string_view>

extern char** environ;

namespace hopcheck::mesh {
namespace {

bool is_stripped(std::string_view variable) {
  static constexpr std::array<std::string_view, 4> kNames{"KUBECONFIG=", "KUBERNETES_", "NO_PROXY=", "no_proxy="};
  for (const std::string_view name : kNames) {
    if (variable.substr(0, name.size()) == name) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> child_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> out;
  for (const char* name : {"NO_PROXY", "no_proxy"}) {
    if (added.count(name) == 0) out.push_back(std::string(name) + "=*");
  }
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    if (is_stripped(variable) || added.count(std::string(variable.substr(0, variable.find('=')))) > 0) continue;
    out.emplace_back(variable);
  }
  for (const auto& [name, value] : added) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> exec_pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace hopcheck::mesh
