#include "mesh/preflight.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kDockerAnswerMs = 10'000;
constexpr int64_t kQuickAnswerMs = 1'000;
constexpr int64_t kRegistryAnswerMs = 2'500;
constexpr int64_t kPullMs = 600'000;
constexpr int64_t kBuildMs = 120'000;

ProcessSpec docker(const Tools& tools, std::vector<std::string> arguments, int64_t timeout_ms) {
  ProcessSpec spec;
  spec.argv = std::move(arguments);
  spec.argv.insert(spec.argv.begin(), tools.docker);
  spec.timeout_ms = timeout_ms;
  return spec;
}

// The last line that a failed program printed; without one, how it ended.
std::string said_or_code(const ProcessResult& done, const std::string& program) {
  const std::string said = last_lines(done.err, 1);
  if (!said.empty()) return said;
  return program + (done.signal != 0 ? " ended by signal " + std::to_string(done.signal)
                                     : " ended with exit code " + std::to_string(done.exit_code)) +
         " and said nothing";
}

// The image's id in the local engine; "" when it is not there.
Result<std::string> image_id(ProcessRunner& runner, const Tools& tools, const std::string& reference,
                             const std::atomic<bool>& stop) {
  const Result<ProcessResult> done =
      runner.run(docker(tools, {"image", "inspect", "--format", "{{.Id}}", reference}, kDockerAnswerMs), stop);
  if (!done) return tl::unexpected<Error>(done.error());
  if (done->interrupted) return fail(ErrorKind::kInterrupted, "looking for image " + reference + " was interrupted");
  if (!done->ok()) return std::string();
  return done->out.substr(0, done->out.find_first_of("\r\n"));
}

// Istio's images go together with its istioctl: --image does not take their roles (images.cc).
std::string image_fix(const NeededImage& image) {
  if (image.role == "pilot" || image.role == "proxyv2")
    return "docker load it, or pick a version that is at hand with --istio, or name another hub with --images FILE";
  return "docker load it, or name another with --image " + image.role + "=REF or --images FILE";
}

Result<void> pull(ProcessRunner& runner, const Tools& tools, const NeededImage& image, const std::atomic<bool>& stop) {
  ProcessSpec spec = docker(tools, {"pull", "--quiet", image.reference}, kPullMs);
  spec.log_path = tools.log("pull");
  const Result<ProcessResult> done = runner.run(spec, stop);
  if (!done) return tl::unexpected<Error>(done.error());
  if (done->interrupted) return fail(ErrorKind::kInterrupted, "pulling image " + image.reference + " was interrupted");
  if (done->ok()) return {};
  return fail(ErrorKind::kEnvironment,
              "image " + image.reference + " (" + image.role + ") is missing and cannot be pulled",
              done->timed_out ? "docker pull did not finish within 10 min" : said_or_code(*done, "docker pull"),
              image_fix(image));
}

}  // namespace

Result<void> check_docker(ProcessRunner& runner, const Tools& tools, const std::atomic<bool>& stop) {
  const Result<ProcessResult> done =
      runner.run(docker(tools, {"version", "--format", "{{.Server.Version}}"}, kDockerAnswerMs), stop);
  if (!done) return tl::unexpected<Error>(done.error());
  if (done->ok()) return {};
  if (done->interrupted) return fail(ErrorKind::kInterrupted, "asking Docker was interrupted");
  if (done->timed_out) {
    return fail(ErrorKind::kEnvironment, "Docker does not answer", "no answer within 10 s",
                "restart the daemon (systemctl restart docker), or set DOCKER_HOST");
  }
  const std::string said = said_or_code(*done, "docker version");
  const bool denied = said.find("permission denied") != std::string::npos;
  return fail(ErrorKind::kEnvironment, denied ? "no permission to use Docker" : "Docker does not answer", said,
              denied ? "add your user to the group docker, or run as root"
                     : "start the daemon (systemctl start docker), or set DOCKER_HOST");
}

Result<std::string> obstacle_in_docker(ProcessRunner& runner, const Tools& tools, const std::string& pull_policy,
                                       const std::vector<NeededImage>& images, const std::atomic<bool>& stop) {
  const Result<ProcessResult> answer =
      runner.run(docker(tools, {"version", "--format", "{{.Server.Version}}"}, kQuickAnswerMs), stop);
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (answer->interrupted) return fail(ErrorKind::kInterrupted, "asking Docker was interrupted");
  if (answer->timed_out) return std::string("Docker does not answer within a second");
  if (!answer->ok()) return "Docker does not answer: " + said_or_code(*answer, "docker version");
  if (pull_policy == "Always") return std::string();
  for (const NeededImage& image : images) {
    const Result<std::string> id = image_id(runner, tools, image.reference, stop);
    if (!id) return tl::unexpected<Error>(id.error());
    if (!id->empty()) continue;
    const std::string missing = "Docker has no image " + image.reference + " (" + image.role + ")";
    if (pull_policy == "Never") return missing + " and may not pull it";
    // One stands for all: the registries are reachable or they are not.
    const Result<ProcessResult> asked =
        runner.run(docker(tools, {"manifest", "inspect", image.reference}, kRegistryAnswerMs), stop);
    if (!asked) return tl::unexpected<Error>(asked.error());
    if (asked->interrupted) return fail(ErrorKind::kInterrupted, "asking the registry was interrupted");
    if (asked->ok()) return std::string();
    return missing + " and cannot pull it: " +
           (asked->timed_out ? "no answer from its registry" : said_or_code(*asked, "docker manifest inspect"));
  }
  return std::string();
}

Result<std::string> find_istioctl(const IstioVersion& istio) {
  if (!istio.istioctl.empty()) {
    if (::access(istio.istioctl.c_str(), X_OK) == 0) return istio.istioctl;
    return fail(ErrorKind::kEnvironment, "istioctl not found: " + istio.istioctl, std::strerror(errno),
                "correct spec.istio.versions[].istioctl of the images file");
  }
  std::string path = find_tool("istioctl-" + istio.version);
  if (path.empty()) path = find_tool("istioctl");
  if (!path.empty()) return path;
  return fail(ErrorKind::kEnvironment, "istioctl of Istio " + istio.version + " not found",
              "neither istioctl-" + istio.version + " nor istioctl is in $HOPCHECK_TOOLS or in $PATH",
              "install it, set HOPCHECK_TOOLS to its folder, or name it in an images file: "
              "spec.istio.versions[].istioctl");
}

Result<void> provide_images(ProcessRunner& runner, const Tools& tools, const std::string& pull_policy,
                            std::vector<NeededImage>& images, const std::atomic<bool>& stop) {
  for (NeededImage& image : images) {
    Result<std::string> id = image_id(runner, tools, image.reference, stop);
    if (!id) return tl::unexpected<Error>(id.error());
    if (id->empty() || pull_policy == "Always") {
      if (pull_policy == "Never") {
        return fail(ErrorKind::kEnvironment, "image " + image.reference + " (" + image.role + ") is missing",
                    "pullPolicy is Never", image_fix(image));
      }
      const Result<void> pulled = pull(runner, tools, image, stop);
      if (!pulled) return pulled;
      id = image_id(runner, tools, image.reference, stop);
      if (!id) return tl::unexpected<Error>(id.error());
    }
    image.id = *id;
  }
  return {};
}

Result<std::vector<NeededImage>> provide_roles(ProcessRunner& runner, const Tools& tools, const RoleRequest& request,
                                               const std::atomic<bool>& stop) {
  std::vector<NeededImage> out;
  const Images& images = *request.images;
  for (const std::string& role : request.roles) {
    const auto found = images.roles.find(role);
    if (found == images.roles.end()) continue;
    const bool wish = std::find(images.wishes.begin(), images.wishes.end(), role) != images.wishes.end();
    std::vector<NeededImage> one{{role, found->second, ""}};
    const bool local_only = wish && request.wishes == RoleRequest::Wishes::kLocalOnly;
    const Result<void> provided = provide_images(runner, tools, local_only ? "Never" : images.pull_policy, one, stop);
    if (provided) out.push_back(one[0]);
    if (!provided && (!wish || provided.error().kind == ErrorKind::kInterrupted))
      return tl::unexpected<Error>(provided.error());
  }
  return out;
}

Result<uint16_t> pick_port(uint16_t wanted) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(wanted);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  socklen_t size = sizeof address;
  const bool bound = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(fd, 1) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int problem = errno;
  if (fd >= 0) ::close(fd);
  if (bound) return ntohs(address.sin_port);
  return fail(ErrorKind::kEnvironment, "port 127.0.0.1:" + std::to_string(wanted) + " cannot be used for the gateway",
              problem == EADDRINUSE ? "another program listens there" : std::strerror(problem),
              "end that program (ss -ltnp), or leave --gateway-port out: a free port is then chosen");
}

Result<std::string> build_harness_image(ProcessRunner& runner, const Tools& tools, const HarnessBuild& build,
                                        const std::atomic<bool>& stop) {
  ProcessSpec spec;
  spec.argv = {build.share + "/scripts/build-image", build.build_dir};
  spec.env = {{"DOCKER", tools.docker}};
  spec.timeout_ms = kBuildMs;
  const Result<ProcessResult> done =
      run_checked(runner, spec, stop, "scripts/build-image", "build the project first: make build");
  if (!done) return tl::unexpected<Error>(done.error());
  std::string name = done->out.substr(0, done->out.find_first_of("\r\n"));
  if (!name.empty()) return name;
  return fail(ErrorKind::kInternal, "scripts/build-image printed no image name");
}

std::map<std::string, std::string> made_role_images(ProcessRunner& runner, const std::string& share,
                                                    const std::atomic<bool>& stop) {
  std::map<std::string, std::string> out;
  const std::string docker = find_tool("docker");
  if (docker.empty()) return out;
  ProcessSpec spec;
  spec.argv = {share + "/scripts/role-image", "--find", "redis", "amqp", "sdkApp", "collector054"};
  spec.env = {{"DOCKER", docker}};
  spec.timeout_ms = kDockerAnswerMs;
  const Result<ProcessResult> done = runner.run(spec, stop);
  if (!done || !done->ok()) return out;
  for (const std::string_view line : split(done->out, '\n')) {  // "ROLE IMAGE"
    const size_t space = line.find(' ');
    if (space != std::string_view::npos) out[std::string(line.substr(0, space))] = line.substr(space + 1);
  }
  return out;
}

}  // namespace hopcheck::mesh
