// What the connections of one server share. No Asio in here: it stays in .cc files.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "sink/http_server.h"

namespace boost::asio {
class io_context;
}

namespace hopcheck::sink {

class OpenConnection;

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
  friend class OpenConnection;
  std::mutex mutex_;
  std::condition_variable gone_;
  std::unordered_set<OpenConnection*> open_;
};

// One of them, from its construction to its end.
class OpenConnection : public std::enable_shared_from_this<OpenConnection> {
 public:
  explicit OpenConnection(Connections& shared);
  virtual ~OpenConnection();
  OpenConnection(const OpenConnection&) = delete;
  virtual void close_from_outside(Connections::Close how) = 0;  // from any thread

 protected:
  // Counts `body_bytes` as what this connection holds of bodies now.
  void account(uint64_t body_bytes) {
    shared_.buffered += body_bytes - accounted_;
    accounted_ = body_bytes;
  }
  Connections& shared_;

 private:
  uint64_t accounted_ = 0;
};

// Serve an accepted socket (IPv4 or IPv6) on `loop` until it closes; one thread runs the loop. They take the descriptor
// over. `shared` outlives the loop. From any thread.
void serve_http1(boost::asio::io_context& loop, int descriptor, bool is_v6, Connections& shared);
void serve_http2(boost::asio::io_context& loop, int descriptor, bool is_v6, Connections& shared);

}  // namespace hopcheck::sink
