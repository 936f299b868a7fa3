// Process groups seen through /proc (proc(5)): whether anyone in them lives, and how to end them for certain. A zombie
// does not count as living: it holds nothing but its number. Thread-safe; Linux only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <vector>

namespace hopcheck::mesh {

// When the process began, in clock ticks since boot: with the pid it tells a reused pid. 0 when there is none.
uint64_t start_ticks(pid_t pid);
// True while any process of the group lives.
bool group_alive(pid_t group);
// Those of `groups` in which any process lives; one pass over /proc.
std::set<pid_t> living_groups(const std::set<pid_t>& groups);
// SIGTERM (and SIGCONT) to all at once, SIGKILL after `grace_ms` to those that still live, and waits until they are
// gone, `proof_ms` more at most. Returns those that are not. Reaps nothing.
std::set<pid_t> end_groups(const std::vector<pid_t>& groups, int64_t grace_ms, int64_t proof_ms);

}  // namespace hopcheck::mesh
