// One HTTP/1.1 client connection with at most one request out (no pipelining). Single-threaded: all members and the
// handler run on the thread that runs the io_context. Asio stays in connection.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/response_reader.h"

namespace boost::asio {
class io_context;
}

namespace hopcheck::load {

struct Address {
  std::string ip;
  uint16_t port = 0;
  std::string source_ip = {};  // address to connect from; "" = the system chooses
};
// All addresses of a name or literal, in the resolver's order. Blocks. Environment error when there are none.
Result<std::vector<Address>> resolve(const std::string& host, uint16_t port);

class Connection {
 public:
  enum class Event {
    kConnected,      // ready for the first request
    kConnectFailed,  // error() says why; nothing was sent
    kAnswered,       // the whole answer is in: status() and reusable() hold
    kBroken,         // closed, reset or unreadable after at least a part of the request was handed to the kernel
    kIdleClosed,     // the peer closed, or spoke, while no request was out
  };
  enum class Send { kStarted, kNothingSent };

  // The handler is never called from inside a member function, nor after destruction; it may destroy the connection.
  Connection(boost::asio::io_context& io, std::function<void(Event)> handler);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void connect(const Address& address);
  // False when the peer has closed or spoken since the last answer, as the kernel knows it at this moment.
  bool usable() const;
  // kNothingSent: the connection is dead, and the request may go out on another one.
  Send send(std::string request, ResponseReader::Body body);

  int status() const;
  bool reusable() const;
  const std::string& error() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopcheck::load
