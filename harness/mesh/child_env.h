// What children inherit: our environment without the user's cluster (KUBECONFIG, KUBERNETES_*) and with NO_PROXY=*,
// since all they talk to is on this machine. Not safe beside setenv(3), like everything that reads the environment.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace hopcheck::mesh {

// "NAME=value" strings; `added` wins over what is inherited.
std::vector<std::string> child_environment(const std::map<std::string, std::string>& added);
// For exec(3): pointers into `strings` and a final null; valid as long as `strings` is left alone.
std::vector<char*> exec_pointers(std::vector<std::string>& strings);

}  // namespace hopcheck::mesh
