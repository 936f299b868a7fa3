#include "mesh/local_leftovers.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "mesh/env_record.h"
#include "mesh/process_groups.h"

namespace hopcheck::mesh {
namespace {

constexpr size_t kMaxLeftovers = 1'000, kMaxGroups = 10'000;
constexpr int64_t kGraceMs = 1'000, kProofMs = 1'000;

// Lines "pid start-time"; a pid that now belongs to another process, or to nobody, is left out.
std::vector<pid_t> living_of(const std::string& text) {
  std::set<pid_t> recorded;
  std::istringstream in(text);
  pid_t pid = 0;
  uint64_t start = 0;
  while (recorded.size() < kMaxGroups && in >> pid >> start)
    if (pid > 1 && start != 0 && start_ticks(pid) == start) recorded.insert(pid);
  const std::set<pid_t> living = living_groups(recorded);
  return {living.begin(), living.end()};
}

}  // namespace

Result<void> claim_local_dir(const std::string& state_dir, const std::string& id, const std::string& run) {
  const std::string dir = state_dir + "/" + id;
  const Result<void> made = make_private_dir(dir);
  if (!made) return made;
  return write_private(dir + "/" + kLocalOwnerFile, to_json(owner_of_this_process(id, run)));
}

std::vector<LocalLeftover> list_local_leftovers(const std::string& state_dir) {
  std::vector<LocalLeftover> out;
  std::error_code error;
  for (std::filesystem::directory_iterator it(state_dir, error), end; !error && it != end; it.increment(error)) {
    const std::string id = it->path().filename().string(), dir = it->path().string();
    if (out.size() >= kMaxLeftovers || !is_env_id(id)) continue;
    const Result<std::string> text = read_small(dir + "/" + kLocalOwnerFile);
    const std::optional<Owner> owner = text ? owner_from_json(*text) : std::nullopt;
    if (!owner || owner->env != id || owner_alive(*owner)) continue;
    LocalLeftover leftover{id, owner->created, dir, {}};
    const Result<std::string> processes = read_small(dir + "/" + kLocalProcessesFile);
    const bool this_boot = owner->boot_id == owner_of_this_process(id, "").boot_id;
    if (processes && this_boot) leftover.groups = living_of(*processes);
    out.push_back(std::move(leftover));
  }
  std::sort(out.begin(), out.end(), [](const LocalLeftover& a, const LocalLeftover& b) { return a.id < b.id; });
  return out;
}

Result<void> remove_local_leftover(const LocalLeftover& leftover) {
  const std::set<pid_t> left = end_groups(leftover.groups, kGraceMs, kProofMs);
  if (!left.empty()) {
    return fail(ErrorKind::kEnvironment, "processes of environment " + leftover.id + " are left after SIGKILL",
                std::to_string(left.size()) + " process groups, the first is " + std::to_string(*left.begin()),
                "are they another user's? ps -o pid,user,stat,args -g " + std::to_string(*left.begin()));
  }
  std::error_code error;
  std::filesystem::remove_all(leftover.dir, error);
  if (error) return fail(ErrorKind::kEnvironment, "cannot remove " + leftover.dir, error.message());
  return {};
}

}  // namespace hopcheck::mesh
