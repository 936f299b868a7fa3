// A detached process that removes the cluster when we die without having done so. It is our own executable again, run
// as `hopcheck reaper --id ID --state-dir DIR`, in its own session; its stdin is a pipe whose other end only we hold.
// Lines written to it: "run GROUP" and "end GROUP" (process groups that must be ended first), "keep" or "done" (nothing
// to do any more). With --local there is no cluster: the groups are the environment; they get SIGTERM at once and
// SIGKILL a second later, and then the environment's folder goes, and with the reaper's end its loopback lease.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

class Reaper {
 public:
  struct Spec {
    std::string executable, id, state_dir;
    bool local = false;          // `hopcheck reaper --local`
    std::vector<int> keep_open{};  // inherited, open until the reaper ends: LoopbackLease::descriptors()
  };
  // nullptr without an executable (tests). Error when it cannot be started.
  static Result<std::unique_ptr<Reaper>> start(const Spec& spec);
  ~Reaper();  // without keep() or done() before: the reaper takes over
  void group(pid_t group, bool started);
  void keep() { say("keep"); }
  void done() { say("done"); }

 private:
  explicit Reaper(int fd) : fd_(fd) {}
  void say(const std::string& line);
  std::mutex mutex_;
  int fd_;
};

// The other side: reads stdin until its end, then acts. Returns the exit code.
int reaper_main(const std::string& id, const std::string& state_dir);
int local_reaper_main(const std::string& id, const std::string& state_dir);

}  // namespace hopcheck::mesh
