#include "mesh/local_processes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "mesh/child_env.h"
#include "mesh/http_request.h"
#include "mesh/process_groups.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kGraceMs = 2'000;
constexpr int64_t kProofMs = 2'000;  // SIGKILL takes effect at once, except in a disk wait
constexpr int kTickMs = 10;
constexpr int kReadyTickMs = 20;
const std::string kTcpScheme = "tcp://";

int64_t now_ms() { return system_clock().monotonic_nanos() / 1'000'000; }

void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

struct Child {
  std::string name, log_path;
  pid_t pid = -1;
};

// Everything the forked child needs, made before the fork: after it only async-signal-safe calls are allowed.
struct Launch {
  std::string cwd;
  std::vector<std::string> argv, variables;
  std::vector<char*> arguments, envp;
  int in = -1, out = -1, report = -1;
  pid_t parent = -1;
};

[[noreturn]] void run_child(const Launch& launch) {
  const auto give_up = [&launch] {
    const int why = errno;
    if (::write(launch.report, &why, sizeof why) < 0) ::_exit(126);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != launch.parent) ::_exit(125);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(launch.in, 0) < 0 || ::dup2(launch.out, 1) < 0 || ::dup2(launch.out, 2) < 0) give_up();
  if (!launch.cwd.empty() && ::chdir(launch.cwd.c_str()) != 0) give_up();
  ::execve(launch.arguments[0], launch.arguments.data(), launch.envp.data());
  give_up();
  ::_exit(127);
}

struct Started {
  pid_t pid = -1;
  int error = 0;  // errno of what failed
};

Started fork_and_exec(Launch& launch) {
  Started started;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {-1, errno};
  launch.report = ends[1];
  launch.parent = ::getpid();
  sigset_t all, old;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &old);  // no handler of ours may run in the child
  started.pid = ::fork();
  if (started.pid == 0) run_child(launch);
  started.error = started.pid < 0 ? errno : 0;
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  ::close(ends[1]);
  if (started.pid > 0) {
    ::setpgid(started.pid, started.pid);  // whichever of the two comes first
    int why = 0;
    ssize_t n = 0;
    while ((n = ::read(ends[0], &why, sizeof why)) < 0 && errno == EINTR) continue;
    if (n == sizeof why) {
      ::waitpid(started.pid, nullptr, 0);
      started = {-1, why};
    }
  }
  ::close(ends[0]);
  return started;
}

// One thread that carries out jobs in turn, from construction to destruction.
class OneThread {
 public:
  OneThread() : thread_([this] { loop(); }) {}
  ~OneThread() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void run(const std::function<void()>& job) {  // returns when it is done; one caller at a time
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = &job;
    changed_.notify_all();
    changed_.wait(lock, [this] { return job_ == nullptr; });
  }

 private:
  void loop() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || job_ != nullptr; });
      if (job_ == nullptr) return;
      (*job_)();
      job_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* job_ = nullptr;
  bool ending_ = false;
  std::thread thread_;
};

// Has ended, and is left a zombie.
bool has_ended(pid_t pid, siginfo_t& info) {
  info = {};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

// A program of many threads is a zombie for /proc when its first one is, but can be waited for only when all are gone.
bool ends_within(int64_t most_ms, pid_t pid, siginfo_t& info) {
  constexpr int64_t kLookMs = 5;
  for (int64_t waited = 0; !has_ended(pid, info); waited += kLookMs) {
    if (waited >= most_ms) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
  }
  return true;
}

std::optional<Crash> crash_of(const Child& child) {
  siginfo_t info{};
  if (!has_ended(child.pid, info)) return std::nullopt;
  Crash crash{child.name, -1, 0, telling_lines(child.log_path), child.log_path};
  (info.si_code == CLD_EXITED ? crash.exit_code : crash.signal) = info.si_status;
  return crash;
}

}  // namespace

struct LocalProcesses::Impl {
  Impl(GroupObserver seen_by, std::string record) : observe(std::move(seen_by)), record_path(std::move(record)) {}

  std::vector<Child> copy() {
    const std::lock_guard<std::mutex> lock(mutex);
    return children;
  }

  GroupObserver observe;
  std::string record_path;
  std::mutex lifecycle;  // start and stop, one at a time; taken before `mutex`
  std::mutex mutex;      // children
  std::vector<Child> children;
  OneThread forker;
};

LocalProcesses::LocalProcesses(GroupObserver observe, std::string record_path)
    : impl_(std::make_unique<Impl>(std::move(observe), std::move(record_path))) {}

LocalProcesses::~LocalProcesses() {
  if (!stop_all()) return;  // what SIGKILL did not end is the reaper's and gc's to report
}

Result<pid_t> LocalProcesses::start(const ChildSpec& spec) {
  const std::lock_guard<std::mutex> one(impl_->lifecycle);
  if (pid(spec.name)) return fail(ErrorKind::kInternal, spec.name + " runs already");
  const std::string program = spec.argv.at(0).find('/') == std::string::npos ? find_tool(spec.argv[0]) : spec.argv[0];
  if (program.empty()) return tool_missing(spec.argv[0]);
  Launch launch;
  launch.cwd = spec.cwd;
  launch.argv = spec.argv;
  launch.argv[0] = program;
  launch.variables = child_environment(spec.env);
  launch.arguments = exec_pointers(launch.argv);
  launch.envp = exec_pointers(launch.variables);
  launch.in = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const std::string log = spec.log_path.empty() ? "/dev/null" : spec.log_path;
  launch.out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int log_error = errno;
  Started started;
  if (launch.out >= 0) impl_->forker.run([&] { started = fork_and_exec(launch); });
  if (launch.in >= 0) ::close(launch.in);
  if (launch.out < 0) return fail(ErrorKind::kEnvironment, "cannot write the log " + log, std::strerror(log_error));
  ::close(launch.out);
  if (started.pid < 0) {
    return fail(ErrorKind::kEnvironment, "cannot start " + spec.name + " (" + program + ")",
                std::strerror(started.error), "check that it is installed and executable");
  }
  if (impl_->observe) impl_->observe(started.pid, true);
  if (!impl_->record_path.empty())
    std::ofstream(impl_->record_path, std::ios::app) << started.pid << ' ' << start_ticks(started.pid) << '\n';
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->children.push_back({spec.name, spec.log_path, started.pid});
  return started.pid;
}

// "IP:PORT" on loopback, where connecting waits for nobody.
static bool accepts_connections(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (colon == std::string::npos) return false;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  if (::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) return false;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const bool accepted = ::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  ::close(socket);
  return accepted;
}

Result<void> LocalProcesses::wait_ready(const std::vector<ReadyCheck>& checks, int64_t timeout_ms,
                                        const std::atomic<bool>& stop) {
  const int64_t deadline = now_ms() + timeout_ms;
  std::vector<ReadyCheck> waiting = checks;
  std::string last_answer;
  while (true) {
    std::vector<ReadyCheck> still;
    for (const ReadyCheck& check : waiting) {
      if (stop.load()) return fail(ErrorKind::kInterrupted, "waiting for " + check.name + " was interrupted");
      for (const Child& child : impl_->copy()) {
        const std::optional<Crash> crash = child.name == check.name ? crash_of(child) : std::nullopt;
        if (!crash) continue;
        return fail(ErrorKind::kEnvironment, check.name + " ended instead of becoming ready", to_text(*crash),
                    "read the log: " + crash->log_path);
      }
      if (check.url.starts_with(kTcpScheme)) {
        if (accepts_connections(check.url.substr(kTcpScheme.size()))) continue;
        last_answer = "no connection";
        still.push_back(check);
        continue;
      }
      HttpRequest request;
      request.url = check.url;
      request.timeout_ms = std::clamp<int64_t>(deadline - now_ms(), 100, 1'000);
      const Result<HttpReply> reply = http_request(request, stop);
      if (reply && reply->status == 200) continue;
      last_answer = reply ? "status " + std::to_string(reply->status) : reply.error().why;
      still.push_back(check);
    }
    if (still.empty()) return {};
    waiting = std::move(still);
    if (now_ms() >= deadline) break;
    nap(kReadyTickMs);
  }
  std::string names;
  for (const ReadyCheck& check : waiting) names += (names.empty() ? "" : ", ") + check.name;
  std::string log;
  for (const Child& child : impl_->copy())
    if (child.name == waiting.front().name) log = child.log_path;
  return fail(ErrorKind::kEnvironment, "not ready within " + format_nanos(timeout_ms * 1'000'000) + ": " + names,
              waiting.front().url + " last said: " + last_answer, log.empty() ? "" : "read the log: " + log);
}

std::optional<Crash> LocalProcesses::crashed() {
  const std::lock_guard<std::mutex> lock(impl_->mutex);  // stop() reaps under it
  for (const Child& child : impl_->children) {
    std::optional<Crash> crash = crash_of(child);
    if (crash) return crash;
  }
  return std::nullopt;
}

std::vector<std::string> LocalProcesses::names() {
  std::vector<std::string> out;
  for (const Child& child : impl_->copy()) out.push_back(child.name);
  return out;
}

std::optional<pid_t> LocalProcesses::pid(const std::string& name) {
  for (const Child& child : impl_->copy())
    if (child.name == name) return child.pid;
  return std::nullopt;
}

Result<void> LocalProcesses::stop(const std::vector<std::string>& names) {
  const std::lock_guard<std::mutex> one(impl_->lifecycle);
  const std::set<std::string> wanted(names.begin(), names.end());
  std::vector<Child> ending;
  {
    // Off the list first: from here on their end is no crash.
    const std::lock_guard<std::mutex> lock(impl_->mutex);
    std::vector<Child> staying;
    for (Child& child : impl_->children) (wanted.count(child.name) > 0 ? ending : staying).push_back(child);
    impl_->children = std::move(staying);
  }
  std::vector<pid_t> groups;
  for (const Child& child : ending) groups.push_back(child.pid);
  end_groups(groups, kGraceMs, kProofMs);
  std::string left;
  for (const Child& child : ending) {
    siginfo_t info{};
    const bool gone = ends_within(kProofMs, child.pid, info) && !group_alive(child.pid);
    if (!gone) {
      left += (left.empty() ? "" : ", ") + child.name + " (group " + std::to_string(child.pid) + ")";
      continue;
    }
    ::waitpid(child.pid, nullptr, 0);
    if (impl_->observe) impl_->observe(child.pid, false);
  }
  if (left.empty()) return {};
  return fail(ErrorKind::kInternal, "processes are left after SIGKILL: " + left, "",
              "look at them with ps -o pid,stat,wchan,args -g GROUP");
}

Result<void> LocalProcesses::stop_all() { return stop(names()); }

std::string to_text(const Crash& crash) {
  std::string out = crash.name + " ended by itself: " +
                    (crash.signal != 0 ? "signal " + std::to_string(crash.signal)
                                       : "exit code " + std::to_string(crash.exit_code));
  if (!crash.said.empty()) out += ": " + crash.said;
  if (!crash.log_path.empty()) out += " (log: " + crash.log_path + ")";
  return out;
}

std::string telling_lines(const std::string& log_path) {
  static constexpr std::streamoff kMostBytes = 64 << 10;
  std::ifstream in(log_path, std::ios::binary | std::ios::ate);
  if (log_path.empty() || !in) return "";
  const std::streamoff size = in.tellg();
  in.seekg(std::max<std::streamoff>(0, size - kMostBytes));
  std::string text(static_cast<size_t>(std::min(size, kMostBytes)), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  static constexpr std::array<std::string_view, 4> kWords{"critical", "error", "fatal", "panic"};
  std::string telling;
  bool goes_on = false;  // a message may end with ":" and go on in the next line
  for (const std::string_view line : split(text, '\n')) {
    std::string lower(line);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    const bool tells = std::any_of(kWords.begin(), kWords.end(),
                                   [&lower](std::string_view word) { return lower.find(word) != std::string::npos; });
    if (tells || goes_on) telling += std::string(line) + "\n";
    if (tells || !line.empty()) goes_on = tells && lower.back() == ':';
  }
  return last_lines(telling.empty() ? text : telling, 3);
}

}  // namespace hopcheck::mesh
