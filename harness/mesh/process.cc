#include "mesh/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/text.h"
#include "mesh/child_env.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kGraceMs = 2'000;
constexpr int kTickMs = 100;

int64_t now_ms() { return system_clock().monotonic_nanos() / 1'000'000; }

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read, write;
  bool open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    read = Fd(ends[0]);
    write = Fd(ends[1]);
    return true;
  }
};

struct Streams {
  int in, out, err;
};

// group 0: the child leads a new group.
Result<pid_t> spawn(std::vector<std::string> argv, const std::map<std::string, std::string>& env, Streams streams,
                    pid_t group) {
  std::vector<std::string> variables = child_environment(env);
  std::vector<char*> arguments = exec_pointers(argv), envp = exec_pointers(variables);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, streams.in, 0);
  posix_spawn_file_actions_adddup2(&actions, streams.out, 1);
  posix_spawn_file_actions_adddup2(&actions, streams.err, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, group);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int code = posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) {
    return fail(ErrorKind::kEnvironment, "cannot start " + argv[0], std::strerror(code),
                "check that it is installed and executable");
  }
  return pid;
}

Fd stdin_of(const std::string& data) {
  if (data.empty()) return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Fd file(::memfd_create("hopcheck-stdin", MFD_CLOEXEC));
  size_t done = 0;
  while (file.get() >= 0 && done < data.size()) {
    const ssize_t n = ::write(file.get(), data.data() + done, data.size() - done);
    if (n <= 0) return Fd();
    done += static_cast<size_t>(n);
  }
  if (file.get() >= 0) ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

struct Sinks {
  std::string* text;
  size_t limit;
  int log;
  bool* truncated;
};

// False at end of file.
bool drain(int fd, const Sinks& sink) {
  char buffer[65536];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  const size_t size = static_cast<size_t>(n);
  const size_t room = sink.limit > sink.text->size() ? sink.limit - sink.text->size() : 0;
  sink.text->append(buffer, std::min(room, size));
  if (room < size) *sink.truncated = true;
  if (sink.log >= 0 && ::write(sink.log, buffer, size) < 0) return true;  // a full disk must not stop the tool
  return true;
}

class RealRunner final : public ProcessRunner {
 public:
  explicit RealRunner(GroupObserver observe) : observe_(std::move(observe)) {}

  Result<ProcessResult> run(const ProcessSpec& spec, const std::atomic<bool>& stop) override {
    Pipe out, err, feed;
    if (!out.open() || !err.open() || (!spec.feeder.empty() && !feed.open())) {
      return fail(ErrorKind::kEnvironment, "cannot make a pipe for " + spec.argv.at(0), std::strerror(errno));
    }
    Fd input = spec.feeder.empty() ? stdin_of(spec.stdin_data) : std::move(feed.read);
    const Fd log(
        spec.log_path.empty() ? -1 : ::open(spec.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const Result<pid_t> pid = spawn(spec.argv, spec.env, {input.get(), out.write.get(), err.write.get()}, 0);
    if (!pid) return tl::unexpected<Error>(pid.error());
    pid_t feeder = -1;
    std::string feeder_error;
    if (!spec.feeder.empty()) {
      const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      const Result<pid_t> fed = spawn(spec.feeder, spec.env, {null.get(), feed.write.get(), err.write.get()}, *pid);
      if (fed) feeder = *fed;
      if (!fed) feeder_error = fed.error().why;
    }
    if (observe_) observe_(*pid, true);
    input.reset();
    feed.write.reset();
    out.write.reset();
    err.write.reset();
    ProcessResult result;
    follow(spec, stop, *pid, out, err, log.get(), result);
    finish(*pid, feeder, result);
    if (observe_) observe_(*pid, false);
    if (!feeder_error.empty()) return fail(ErrorKind::kEnvironment, "cannot start " + spec.feeder[0], feeder_error);
    return result;
  }

 private:
  // Reads both streams until the program has ended (its helpers may keep the pipes open; we do not wait for those).
  static void follow(const ProcessSpec& spec, const std::atomic<bool>& stop, pid_t pid, Pipe& out, Pipe& err, int log,
                     ProcessResult& result) {
    const Fd exited(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const int64_t deadline = now_ms() + spec.timeout_ms;
    int64_t kill_at = 0;
    bool ended = false;
    while (true) {
      std::array<pollfd, 3> fds{
          {{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {ended ? -1 : exited.get(), POLLIN, 0}}};
      ::poll(fds.data(), fds.size(), ended ? 0 : kTickMs);
      bool read_some = false;
      if (fds[0].revents != 0) {
        read_some = drain(out.read.get(), {&result.out, spec.output_limit, log, &result.truncated});
        if (!read_some) out.read.reset();
      }
      if (fds[1].revents != 0) {
        const bool more = drain(err.read.get(), {&result.err, spec.output_limit, log, &result.truncated});
        if (!more) err.read.reset();
        read_some = read_some || more;
      }
      if (ended && !read_some) return;
      siginfo_t info{};
      if (!ended)
        ended = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
      if (ended) continue;
      const int64_t now = now_ms();
      if (kill_at == 0 && (stop.load() || now >= deadline)) {
        (stop.load() ? result.interrupted : result.timed_out) = true;
        ::kill(-pid, SIGTERM);
        kill_at = now + kGraceMs;
      } else if (kill_at != 0 && now >= kill_at) {
        ::kill(-pid, SIGKILL);
        kill_at = now + kGraceMs;
      }
    }
  }

  static void finish(pid_t pid, pid_t feeder, ProcessResult& result) {
    const bool killed = result.timed_out || result.interrupted;
    if (killed) ::kill(-pid, SIGKILL);  // the group's leader is a zombie still, so the id cannot have been reused
    int feeder_status = 0;
    if (feeder > 0) {
      if (killed) ::kill(feeder, SIGKILL);
      ::waitpid(feeder, &feeder_status, 0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    if (result.exit_code == 0 && feeder > 0 && feeder_status != 0) {
      result.exit_code = WIFEXITED(feeder_status) ? WEXITSTATUS(feeder_status) : -1;
    }
  }

  GroupObserver observe_;
};

}  // namespace

std::unique_ptr<ProcessRunner> make_process_runner(GroupObserver observe) {
  return std::make_unique<RealRunner>(std::move(observe));
}

std::string last_lines(const std::string& text, size_t lines) {
  std::vector<std::string_view> kept;
  for (const std::string_view line : split(text, '\n')) {
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) kept.push_back(line);
  }
  std::string out;
  for (size_t i = kept.size() > lines ? kept.size() - lines : 0; i < kept.size(); ++i) {
    if (!out.empty()) out += " | ";
    out += printable(kept[i].substr(0, 600));
  }
  if (out.size() > 600) out = "..." + out.substr(out.size() - 597);
  return out;
}

Result<ProcessResult> run_checked(ProcessRunner& runner, const ProcessSpec& spec, const std::atomic<bool>& stop,
                                  const std::string& what, const std::string& fix) {
  Result<ProcessResult> result = runner.run(spec, stop);
  if (!result || result->ok()) return result;
  if (result->interrupted) return fail(ErrorKind::kInterrupted, what + " was interrupted");
  const std::string said = last_lines(result->err.empty() ? result->out : result->err, 3);
  if (result->timed_out) {
    return fail(ErrorKind::kEnvironment, what + " did not finish within " + format_nanos(spec.timeout_ms * 1'000'000),
                said, fix);
  }
  const std::string ended = result->signal != 0 ? "signal " + std::to_string(result->signal)
                                                : "exit code " + std::to_string(result->exit_code);
  const std::string log = spec.log_path.empty() ? "" : " (log: " + spec.log_path + ")";
  return fail(ErrorKind::kEnvironment, what + " failed", ended + (said.empty() ? "" : ": " + said) + log, fix);
}

std::string find_tool(const std::string& name) {
  std::string folders;
  if (const char* tools = std::getenv("HOPCHECK_TOOLS"); tools != nullptr && *tools != 0)
    folders = std::string(tools) + ":";
  if (const char* path = std::getenv("PATH"); path != nullptr) folders += path;
  for (const std::string_view folder : split(folders, ':')) {
    if (folder.empty()) continue;
    std::string candidate = std::string(folder) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

tl::unexpected<Error> tool_missing(const std::string& name) {
  const std::string install =
      name == "docker" ? "install Docker (Debian: apt-get install docker.io)" : "install " + name;
  return fail(ErrorKind::kEnvironment, name + " not found", "it is neither in $HOPCHECK_TOOLS nor in $PATH",
              install + ", or set HOPCHECK_TOOLS to the folder that holds it");
}

}  // namespace hopcheck::mesh
