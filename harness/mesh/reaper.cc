#include "mesh/reaper.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <vector>

#include "base/text.h"
#include "mesh/cluster.h"
#include "mesh/env_record.h"
#include "mesh/process_groups.h"

extern char** environ;

namespace hopcheck::mesh {
namespace {

constexpr int kDeleteTries = 5;
constexpr size_t kMaxLine = 64;
constexpr int64_t kLocalGraceMs = 1'000, kLocalProofMs = 1'000;

struct Orders {
  std::set<pid_t> groups;
  bool stand_down = false;
};

// Reads until the end of stdin; over-long lines are dropped.
Orders read_orders() {
  Orders orders;
  std::string line;
  char c = 0;
  while (true) {
    const ssize_t n = ::read(0, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return orders;
    if (c != '\n') {
      if (line.size() < kMaxLine) line += c;
      continue;
    }
    const pid_t group = static_cast<pid_t>(std::atoi(line.size() > 4 ? line.c_str() + 4 : "0"));
    if (line.rfind("run ", 0) == 0 && group > 1) orders.groups.insert(group);
    if (line.rfind("end ", 0) == 0) orders.groups.erase(group);
    if (line == "keep" || line == "done") orders.stand_down = true;
    line.clear();
  }
}

}  // namespace

Result<std::unique_ptr<Reaper>> Reaper::start(const Spec& spec) {
  if (spec.executable.empty()) return std::unique_ptr<Reaper>();
  int ends[2];  // a socket: writing to a reaper that has died must not raise SIGPIPE
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(ErrorKind::kEnvironment, "cannot make a socket for the reaper", std::strerror(errno));
  }
  std::vector<std::string> words{spec.executable, "reaper", "--id", spec.id, "--state-dir", spec.state_dir};
  if (spec.local) words.emplace_back("--local");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, (spec.state_dir + "/" + spec.id + "/reaper.log").c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  int kept = ends[1];  // copies get numbers above all of these, and no close-on-exec
  for (const int fd : spec.keep_open) kept = std::max(kept, fd);
  for (const int fd : spec.keep_open) posix_spawn_file_actions_adddup2(&actions, fd, ++kept);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int code = ::posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (code == 0) return std::unique_ptr<Reaper>(new Reaper(ends[0]));
  ::close(ends[0]);
  return fail(ErrorKind::kEnvironment, "cannot start the reaper " + spec.executable, std::strerror(code));
}

Reaper::~Reaper() { ::close(fd_); }

void Reaper::say(const std::string& line) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string text = line + "\n";
  if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;  // it is gone: gc will find what is left
}

void Reaper::group(pid_t group, bool started) { say((started ? "run " : "end ") + std::to_string(group)); }

int local_reaper_main(const std::string& id, const std::string& state_dir) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  if (!is_env_id(id)) return 4;
  const Orders orders = read_orders();
  if (orders.stand_down) return 0;
  const std::set<pid_t> left =
      end_groups({orders.groups.begin(), orders.groups.end()}, kLocalGraceMs, kLocalProofMs);
  if (!left.empty()) return 3;  // the folder stays, so that gc finds it
  std::error_code error;
  std::filesystem::remove_all(state_dir + "/" + id, error);
  return error ? 3 : 0;
}

int reaper_main(const std::string& id, const std::string& state_dir) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  if (!is_env_id(id)) return 4;
  const Orders orders = read_orders();
  if (orders.stand_down) return 0;
  for (const pid_t group : orders.groups) ::kill(-group, SIGKILL);
  const Result<Tools> tools = find_tools();
  if (!tools) return 3;
  const std::unique_ptr<ProcessRunner> runner = make_process_runner();
  const std::atomic<bool> never{false};
  const std::string dir = state_dir + "/" + id;
  for (int i = 0; i < kDeleteTries; ++i) {
    const Result<void> deleted = delete_cluster(*runner, *tools, {"hopcheck-" + id, dir + "/kubeconfig"}, never);
    if (deleted) {
      std::error_code ignored;
      std::filesystem::remove_all(dir, ignored);
      return 0;
    }
    const std::string text = to_text(deleted.error());
    if (::write(2, text.data(), text.size()) < 0) return 3;
    ::sleep(1);
  }
  return 3;
}

}  // namespace hopcheck::mesh
