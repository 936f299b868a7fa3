// A detached process that removes the cluster when we die without having done so. It is our own executable again, run
// as `hopcheck reaper --id ID --state-dir DIR`, in its own session; its stdin is a pipe whose other end only we hold.
// Lines written to it: "run GROUP" and "end GROUP" (process groups that must be ended first), "keep" or "done" (nothing
// to do any more).
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace hopcheck::mesh {

class Reaper {
 public:
  struct Spec {
    std::string executable, id, state_dir;
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

}  // namespace hopcheck::mesh
