// Addresses for processes on loopback: a lease of one free 127.a.b.0/24 (every address of 127.0.0.0/8 is local without
// any set-up on Linux). a is 66 to 69, b is 0 to 255: 1 024 networks, tried in this order.
//
// Two things make a lease, and both end with the last process that holds their descriptors, however that ends:
// - an exclusive flock(2) on <state dir>/.loopback/127.a.b.lock; the lock is the lease, the empty file stays;
// - a listening socket on 127.a.b.254, port kGuardPort, which also keeps out those who use another state directory.
// The reaper inherits both (Reaper::Spec::keep_open), so that no one gets the network before our children are gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

constexpr uint16_t kGuardPort = 15999;
constexpr int kLoopbackFirst = 66, kLoopbackLast = 69;  // second byte of the addresses

// Move-only, not thread-safe. Destroying it closes our descriptors; copies in a reaper keep the lease until it ends.
class LoopbackLease {
 public:
  struct Spec {
    std::string state_dir;        // env_record.h default_state_dir(); made when missing
    std::vector<uint16_t> ports;  // these must be free on the network's .1: finds programs that listen on 0.0.0.0
    int first = kLoopbackFirst, last = kLoopbackLast;  // for tests: a range of their own
  };
  // Errors, all kEnvironment: no network left (says how many are leased and which port is taken on how many), or the
  // state directory cannot be written.
  static Result<LoopbackLease> acquire(const Spec& spec);

  LoopbackLease() = default;  // holds nothing
  LoopbackLease(LoopbackLease&& other) noexcept;
  LoopbackLease& operator=(LoopbackLease&& other) noexcept;
  ~LoopbackLease();

  const std::string& prefix() const { return prefix_; }  // "127.66.0", "" when it holds nothing
  std::string ip(int host) const { return prefix_ + "." + std::to_string(host); }
  std::vector<int> descriptors() const;  // of the lock and the guard; owned by the lease, close-on-exec

 private:
  std::string prefix_;
  int lock_ = -1, guard_ = -1;
};

// A TCP port that was free on `ip` (dotted IPv4) a moment ago, chosen by the kernel. Inside a leased network only our
// own processes can take it in between. kEnvironment when the address is not local or has no port left.
Result<uint16_t> free_port(const std::string& ip);

}  // namespace hopcheck::mesh
