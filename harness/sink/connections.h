// What the connections of one server share. No Asio in here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>

#include "sink/http_server.h"

namespace boost::asio {
class io_context;
namespace ssl {
class context;
}
}  // namespace boost::asio

namespace hopcheck::sink {

class OpenConnection;

// A certificate and its key, loaded; one for each listener.
struct TlsContext {
  TlsContext();
  ~TlsContext();
  // kUsage: a file that cannot be read, is no PEM, or a key that is not the certificate's.
  static Result<std::unique_ptr<TlsContext>> load(const TlsFiles& files, Protocol protocol);
  std::unique_ptr<boost::asio::ssl::context> context;
  Protocol protocol = Protocol::kHttp1;
};

struct Connections {
  Connections(Protocol the_protocol, Service& the_service, const HttpLimits& the_limits)
      : protocol(the_protocol), service(the_service), limits(the_limits) {}

  const Protocol protocol;
  Service& service;
  const HttpLimits limits;
  std::atomic<uint64_t> buffered{0};  // bytes of bodies being read
  std::atomic<bool> draining{false};
  // Set before the first connection.
  std::unique_ptr<TlsContext> tls;  // null: plaintext
  std::string address;              // that is listened on
  std::function<void(const std::string&)> log;

  boost::asio::ssl::context* tls_context() const { return tls ? tls->context.get() : nullptr; }
  // A peer that speaks something else than this port does (first_bytes.h), or fails the handshake: counted, and named
  // in the log once for each peer and kind, at most kMostNamed times.
  void mismatched(const std::string& what, const std::string& peer, const std::string& detail);
  size_t size();
  // Closes those between requests, the others after the present one; `now`: all at once. From any thread.
  enum class Close { kWhenIdle, kNow };
  void close(Close how);
  bool wait_until_empty(int64_t timeout_ms);

 private:
  friend class OpenConnection;
  static constexpr size_t kMostNamed = 1000;
  std::mutex mutex_;
  std::set<std::string> named_;
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
