#include "mesh/process_groups.h"

#include <signal.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "base/clock.h"

namespace hopcheck::mesh {
namespace {

constexpr auto kTick = std::chrono::milliseconds(10);

int64_t now_ms() { return system_clock().monotonic_nanos() / 1'000'000; }

struct ProcStat {
  char state = 'X';     // field 3; X: there is no such process
  pid_t group = 0;      // field 5
  uint64_t start = 0;   // field 22
};

// The name in field 2 may hold blanks and brackets.
ProcStat read_stat(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/stat");
  std::stringstream all;
  all << in.rdbuf();
  const std::string text = all.str();
  const size_t bracket = text.rfind(')');
  if (bracket == std::string::npos) return {};
  std::istringstream rest(text.substr(bracket + 1));
  ProcStat stat;
  pid_t parent = 0;
  rest >> stat.state >> parent >> stat.group;
  std::string skipped;
  for (int field = 6; field < 22; ++field) rest >> skipped;
  rest >> stat.start;
  return rest ? stat : ProcStat{};
}

bool lives(const ProcStat& stat) { return stat.state != 'Z' && stat.state != 'X' && stat.state != 'x'; }

void signal_all(const std::set<pid_t>& groups, int signal) {
  for (const pid_t group : groups) ::kill(-group, signal);
}

std::set<pid_t> wait_gone(std::set<pid_t> groups, int64_t most_ms) {
  const int64_t deadline = now_ms() + most_ms;
  while (true) {
    groups = living_groups(groups);
    if (groups.empty() || now_ms() >= deadline) return groups;
    std::this_thread::sleep_for(kTick);
  }
}

}  // namespace

uint64_t start_ticks(pid_t pid) { return read_stat(std::to_string(pid)).start; }

bool group_alive(pid_t group) { return !living_groups({group}).empty(); }

std::set<pid_t> living_groups(const std::set<pid_t>& groups) {
  std::set<pid_t> there, out;
  for (const pid_t group : groups)
    if (group > 1 && ::kill(-group, 0) == 0) there.insert(group);
  if (there.empty()) return out;  // the usual end: no pass over /proc
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string pid = it->path().filename().string();
    if (!std::all_of(pid.begin(), pid.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
    const ProcStat stat = read_stat(pid);
    if (lives(stat) && there.count(stat.group) > 0) out.insert(stat.group);
  }
  return out;
}

std::set<pid_t> end_groups(const std::vector<pid_t>& groups, int64_t grace_ms, int64_t proof_ms) {
  std::set<pid_t> left;
  for (const pid_t group : groups)
    if (group > 1) left.insert(group);  // 0 and 1 would mean ourselves and everyone
  signal_all(left, SIGTERM);
  signal_all(left, SIGCONT);  // a stopped process would not see the first
  left = wait_gone(std::move(left), grace_ms);
  if (left.empty()) return left;
  signal_all(left, SIGKILL);
  return wait_gone(std::move(left), proof_ms);
}

}  // namespace hopcheck::mesh
