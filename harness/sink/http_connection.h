// One connection of the HTTP server, and what its connections share. No Asio in here: it stays in .cc files.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <unordered_set>

#include "sink/http_server.h"

namespace boost::asio {
class io_context;
}

namespace hopcheck::sink {

class Connection;

struct Connections {
  Connections(Service& the_service, const HttpLimits& the_limits) : service(the_service), limits(the_limits) {}

  Service& service;
  const HttpLimits limits;
  std::atomic<uint64_t> buffered{0};  // bytes of bodies being read
  std::atomic<bool> draining{false};

  size_t size();
  // Closes those between requests, the others after the present one; `now`: all at once. From any thread.
  enum class Close { kWhenIdle, kNow };
  void close(Close how);
  bool wait_until_empty(int64_t timeout_ms);

 private:
  friend class Connection;
  std::mutex mutex_;
  std::condition_variable gone_;
  std::unordered_set<Connection*> open_;
};

// Serves an accepted socket (IPv4 or IPv6) on `loop` until it closes; one thread runs the loop. Takes the descriptor
// over. `shared` outlives the loop. From any thread.
void serve_connection(boost::asio::io_context& loop, int descriptor, bool is_v6, Connections& shared);

}  // namespace hopcheck::sink
