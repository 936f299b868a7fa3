// For tests that lease loopback networks: a second byte (127.N) that no run uses and no other test has at the moment,
// on this machine. Not thread-safe.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>

#include "mesh/loopback.h"

namespace hopcheck::mesh {

class TestNetworks {
 public:
  TestNetworks() {
    for (second_ = kFirst; second_ <= kLast; ++second_) {
      const std::string path = "/tmp/hopcheck-test-127." + std::to_string(second_) + ".lock";
      fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
      if (fd_ >= 0) ::close(fd_);
    }
  }
  ~TestNetworks() { ::close(fd_); }
  TestNetworks(const TestNetworks&) = delete;
  TestNetworks& operator=(const TestNetworks&) = delete;

  int second() const { return second_; }
  std::string prefix(int third) const { return "127." + std::to_string(second_) + "." + std::to_string(third); }

 private:
  static constexpr int kFirst = kLoopbackLast + 30, kLast = 250;
  int fd_ = -1, second_ = 0;
};

}  // namespace hopcheck::mesh
