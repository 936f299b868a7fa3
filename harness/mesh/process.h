// Runs other programs (kind, docker, istioctl, kubectl). The seam ProcessRunner has one real implementation here and
// one fake in process_fake.h. Children run in their own process group, with KUBECONFIG and KUBERNETES_* removed and
// NO_PROXY=*, so that they touch neither the user's cluster nor a proxy. Thread-safe: run() may be called from several
// threads at once.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

struct ProcessSpec {
  std::vector<std::string> argv;           // argv[0] is a path, or a name searched in PATH
  std::vector<std::string> feeder;         // not empty: a second program whose stdout becomes our stdin
  std::map<std::string, std::string> env;  // added to the inherited environment
  std::string stdin_data;                  // used when there is no feeder; empty = /dev/null
  std::string log_path;                    // stdout and stderr are also appended there; "" = nowhere
  int64_t timeout_ms = 60'000;
  size_t output_limit = size_t{8} << 20;  // bytes kept per stream; the rest is read and dropped
};

struct ProcessResult {
  int exit_code = -1;  // of the program, else of the feeder if only that failed; -1 when killed by a signal
  int signal = 0;
  std::string out, err;
  bool truncated = false;
  bool timed_out = false;
  bool interrupted = false;
  bool ok() const { return exit_code == 0 && !timed_out && !interrupted; }
};

class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  // Error only when the program could not be started. On `stop` or deadline the group gets SIGTERM, two seconds later
  // SIGKILL.
  virtual Result<ProcessResult> run(const ProcessSpec& spec, const std::atomic<bool>& stop) = 0;
};

// `observe(group, started)` is told of every process group, so that a reaper can end them if we are killed; may be
// empty.
using GroupObserver = std::function<void(pid_t group, bool started)>;
std::unique_ptr<ProcessRunner> make_process_runner(GroupObserver observe = {});

// run() and then: anything but exit code 0 is an Error that names `what` and the last lines the program printed.
Result<ProcessResult> run_checked(ProcessRunner& runner, const ProcessSpec& spec, const std::atomic<bool>& stop,
                                  const std::string& what, const std::string& fix = "");
// The last `lines` non-empty lines, joined with " | ", made printable, at most 600 bytes.
std::string last_lines(const std::string& text, size_t lines);

// A tool by name: the folder $HOPCHECK_TOOLS first, then $PATH; "" when there is none.
std::string find_tool(const std::string& name);
// kEnvironment error naming the tool and how to get it.
tl::unexpected<Error> tool_missing(const std::string& name);

}  // namespace hopcheck::mesh
