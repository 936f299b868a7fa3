#include "mesh/loopback.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "mesh/env_record.h"

namespace hopcheck::mesh {
namespace {

constexpr int kNetworksEach = 256;

std::optional<sockaddr_in> address_of(const std::string& ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1) return std::nullopt;
  return address;
}

// A socket that listens on ip:port, or -1 with errno. SO_REUSEADDR: connections of an earlier run that are still in
// TIME_WAIT must not count as taken.
int listen_on(const std::string& ip, uint16_t port) {
  const std::optional<sockaddr_in> address = address_of(ip, port);
  if (!address) {
    errno = EINVAL;
    return -1;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0 && ::listen(fd, 1) == 0) return fd;
  const int why = errno;
  ::close(fd);
  errno = why;
  return -1;
}

void close_quietly(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

std::string network(int second, int third) { return "127." + std::to_string(second) + "." + std::to_string(third); }

// Why the networks that were tried could not be had.
struct Refusals {
  int leased = 0;
  std::map<uint16_t, int> taken;  // port → on how many networks
};

tl::unexpected<Error> exhausted(const LoopbackLease::Spec& spec, const Refusals& refusals) {
  const int all = (spec.last - spec.first + 1) * kNetworksEach;
  std::string why = std::to_string(refusals.leased) + " are leased by runs of hopcheck";
  for (const auto& [port, count] : refusals.taken)
    why += ", port " + std::to_string(port) + " is taken on " + std::to_string(count);
  const std::string fix = refusals.taken.empty()
                              ? "wait for the other runs to end"
                              : "end the program that listens on port " +
                                    std::to_string(refusals.taken.begin()->first) + " (ss -ltnp shows it)";
  return fail(ErrorKind::kEnvironment,
              "no free loopback network: all " + std::to_string(all) + " from " + network(spec.first, 0) + ".0/24 to " +
                  network(spec.last, kNetworksEach - 1) + ".0/24 are in use",
              why, fix);
}

}  // namespace

LoopbackLease::LoopbackLease(LoopbackLease&& other) noexcept { *this = std::move(other); }

LoopbackLease& LoopbackLease::operator=(LoopbackLease&& other) noexcept {
  std::swap(prefix_, other.prefix_);
  std::swap(lock_, other.lock_);
  std::swap(guard_, other.guard_);
  return *this;
}

LoopbackLease::~LoopbackLease() {
  close_quietly(guard_);
  close_quietly(lock_);  // no LOCK_UN: that would also take it from the reaper, which shares the open file
}

std::vector<int> LoopbackLease::descriptors() const {
  return lock_ < 0 ? std::vector<int>{} : std::vector<int>{lock_, guard_};
}

Result<LoopbackLease> LoopbackLease::acquire(const Spec& spec) {
  const std::string folder = spec.state_dir + "/.loopback";
  if (const Result<void> made = make_private_dir(folder); !made) return tl::unexpected<Error>(made.error());
  Refusals refusals;
  for (int second = spec.first; second <= spec.last; ++second) {
    for (int third = 0; third < kNetworksEach; ++third) {
      LoopbackLease lease;
      const std::string prefix = network(second, third), file = folder + "/" + prefix + ".lock";
      lease.lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (lease.lock_ < 0)
        return fail(ErrorKind::kEnvironment, "cannot open " + file, std::strerror(errno),
                    "set XDG_STATE_HOME to a folder that can be written");
      if (::flock(lease.lock_, LOCK_EX | LOCK_NB) != 0) {
        ++refusals.leased;
        continue;
      }
      lease.guard_ = listen_on(prefix + ".254", kGuardPort);
      if (lease.guard_ < 0) {
        ++(errno == EADDRINUSE ? refusals.leased : refusals.taken[kGuardPort]);
        continue;
      }
      uint16_t taken = 0;
      for (const uint16_t port : spec.ports) {
        int probe = listen_on(prefix + ".1", port);
        if (probe < 0) taken = port;
        close_quietly(probe);
        if (taken != 0) break;
      }
      if (taken != 0) {
        ++refusals.taken[taken];
        continue;
      }
      lease.prefix_ = prefix;
      return lease;
    }
  }
  return exhausted(spec, refusals);
}

Result<uint16_t> free_port(const std::string& ip) {
  int fd = listen_on(ip, 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (fd < 0 || ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const std::string why = std::strerror(errno);
    close_quietly(fd);
    return fail(ErrorKind::kEnvironment, "no free port on " + ip, why);
  }
  close_quietly(fd);
  return ntohs(address.sin_port);
}

}  // namespace hopcheck::mesh
