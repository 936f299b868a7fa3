// What a local environment leaves when both its process and its reaper were killed: a folder <state dir>/<id> with
// local-owner.json whose process is gone, and possibly processes. For `hopcheck gc`. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

constexpr const char* kLocalOwnerFile = "local-owner.json";     // an Owner (env_record.h)
constexpr const char* kLocalProcessesFile = "local-processes";  // LocalProcesses' record_path in the same folder

struct LocalLeftover {
  std::string id, created, dir;
  std::vector<pid_t> groups;  // of its processes that still run
};

// Makes <state dir>/<id> (0700) and says there that this process owns it. kEnvironment when it cannot be written.
Result<void> claim_local_dir(const std::string& state_dir, const std::string& id, const std::string& run);

// By id. Only folders that claim_local_dir made and whose owner is dead; at most 1 000.
std::vector<LocalLeftover> list_local_leftovers(const std::string& state_dir);
// Ends its processes (SIGTERM, SIGKILL after one second), then removes the folder. kEnvironment when either remains.
Result<void> remove_local_leftover(const LocalLeftover& leftover);

}  // namespace hopcheck::mesh
