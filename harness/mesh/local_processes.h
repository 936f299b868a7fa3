// Long-lived children on this machine (Envoys, the Collector, demo services, the sink), each the leader of a process
// group of its own, its stdout and stderr appended to a log file of its own, stdin empty, with the environment that
// process.h gives to children (no KUBECONFIG, no KUBERNETES_*, NO_PROXY=*).
//
// They do not outlive us. The reaper learns of each group through `observe`. The second belt is PR_SET_PDEATHSIG
// (prctl(2)), which fires when the *thread* that forked ends, not the process: so all children are forked by one thread
// that lives as long as this object. A child that is gone stays a zombie until stop(), so its group's id is never
// another's. Thread-safe: all functions may be called from several threads; stop() and start() wait for each other.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/process.h"

namespace hopcheck::mesh {

struct ChildSpec {
  std::string name;                        // unique among the living; for messages ("envoy checkout")
  std::vector<std::string> argv;           // argv[0]: a path, or a name searched in $HOPCHECK_TOOLS and $PATH
  std::map<std::string, std::string> env;  // added to the inherited environment
  std::string log_path;                    // appended, 0600; "" = /dev/null
  std::string cwd;                         // "" = ours
};

struct Crash {
  std::string name;
  int exit_code = -1;  // -1: ended by `signal`
  int signal = 0;
  std::string said;  // the last telling lines of its log, one line
  std::string log_path;
};
// "envoy checkout ended by itself: signal 11: <said> (log: <path>)"
std::string to_text(const Crash& crash);

struct ReadyCheck {
  std::string name;  // of the child
  std::string url;   // http: ready when a GET answers 200; tcp://IP:PORT: when a connection is accepted
};

class LocalProcesses {
 public:
  // `record_path`: "pid start-time" of each child is appended there, for gc (local_leftovers.h); "" = not.
  explicit LocalProcesses(GroupObserver observe = {}, std::string record_path = "");
  ~LocalProcesses();  // stop_all()
  LocalProcesses(const LocalProcesses&) = delete;
  LocalProcesses& operator=(const LocalProcesses&) = delete;

  // Returns when the program runs (exec succeeded) or could not be started (kEnvironment).
  Result<pid_t> start(const ChildSpec& spec);

  // Waits until every check has answered 200. kEnvironment when a child named in a check ends (with its last lines and
  // log) or the time is over (names the ones that were not ready); kInterrupted on `stop`. Polls every 20 ms.
  Result<void> wait_ready(const std::vector<ReadyCheck>& checks, int64_t timeout_ms, const std::atomic<bool>& stop);

  // The first child (in order of start) that ended without being stopped; looks without waiting.
  std::optional<Crash> crashed();
  std::vector<std::string> names();  // of all not yet stopped, in order of start
  std::optional<pid_t> pid(const std::string& name);

  // SIGTERM to all named groups at once, SIGKILL after two seconds to those still there; then proves that no process of
  // the groups is left (error kInternal naming them otherwise). Unknown names are ignored.
  Result<void> stop(const std::vector<std::string>& names);
  Result<void> stop_all();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The last lines of a log that say why a program ended: up to three with "critical", "error", "fatal" or "panic" (and
// what follows their ":"), else the last three; made printable, one line, at most 600 bytes. "" when there is nothing.
std::string telling_lines(const std::string& log_path);

}  // namespace hopcheck::mesh
