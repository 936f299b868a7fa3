// The bytes of a connection: a socket, or TLS on it (TLS 1.2 or newer; OpenSSL through Asio). What both kinds of
// connection read from and write to. The one header of this folder with Asio in it: http_connection.cc,
// h2_connection.cc and stream.cc include it, nobody else.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "sink/connections.h"

namespace hopcheck::sink {

// With the concrete executor: one thread runs each loop, so no strand and no type erasure is needed.
using Executor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
using ErrorCode = boost::system::error_code;

class Stream {
 public:
  using executor_type = Executor;
  Stream(Socket socket, boost::asio::ssl::context* tls);

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  const std::string& peer() const { return peer_; }  // address without port

  // Waits for the peer's first bytes, looks whether they are what this port speaks, and does the TLS handshake.
  // `opened` is called with an error when nothing can be read or written any more; what was wrong is told to
  // shared.mismatch. Pending operations end with cancel() of the socket.
  void open(Connections& shared, std::function<void(ErrorCode)> opened);

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    socket_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }
  void close();
  void reset();  // the peer sees it as such

 private:
  bool look(Connections& shared);

  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  std::string peer_;
};

}  // namespace hopcheck::sink
