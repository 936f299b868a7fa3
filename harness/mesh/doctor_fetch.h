// GETs, and commands in pods that only read, several at a time, each with a timeout of its own. An answer is a body, or
// one line why there is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mesh/kube_client.h"

namespace hopcheck::mesh {

struct Fetched {
  std::string body;
  std::string why = "not asked";  // "" = body holds the answer
  int status = 0;                 // 0: no HTTP answer
};
struct Fetch {
  std::string path;
  Fetched* into = nullptr;                           // of the caller, lives until fetch_all returns
  std::optional<PodCommand> command = std::nullopt;  // instead of the GET; path then only names it in messages
};
// Returns when all are answered, refused or timed out.
void fetch_all(KubeClient& client, int64_t timeout_ms, const std::vector<Fetch>& all);

std::string git_version_of(const std::string& version_body);  // of GET /version: "v1.34.4"

}  // namespace hopcheck::mesh
