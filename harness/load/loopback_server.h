// For tests: an HTTP server on 127.0.0.1 whose every answer is scripted, down to not answering. One thread per
// connection; plain sockets, so that it can misbehave in ways no HTTP library lets it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hopcheck::load {

class LoopbackServer {
 public:
  struct Reply {
    std::string bytes;
    enum class Then { kKeep, kClose, kReset, kSilence } then = Then::kKeep;
    int delay_ms = 0;  // before the bytes
  };
  // Called with the request's head; may be called from several threads at once.
  using Script = std::function<Reply(const std::string& head)>;

  static Reply ok() { return {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}; }

  explicit LoopbackServer(Script script) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 512) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~LoopbackServer() {
    stop_ = true;
    acceptor_.join();
    for (std::thread& session : sessions_) session.join();
    ::close(listener_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  std::string last_peer() const {  // address of the newest connection
    const std::lock_guard lock(mutex_);
    return last_peer_;
  }
  std::vector<std::string> heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
  }

 private:
  static constexpr int kPollMs = 20;

  // False when the server stops first.
  bool readable(int fd) const {
    pollfd entry{fd, POLLIN, 0};
    while (!stop_) {
      if (::poll(&entry, 1, kPollMs) > 0) return true;
    }
    return false;
  }
  void accept_all() {
    while (readable(listener_)) {
      sockaddr_in peer{};
      socklen_t peer_size = sizeof peer;
      const int fd = ::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &peer_size, SOCK_CLOEXEC);
      if (fd < 0) continue;
      {
        const std::lock_guard lock(mutex_);
        last_peer_ = ::inet_ntoa(peer.sin_addr);
      }
      ++connections_;
      sessions_.emplace_back([this, fd] { serve(fd); });
    }
  }
  void serve(int fd) {
    std::string pending;
    char chunk[4096];
    while (readable(fd)) {
      const ssize_t got = ::recv(fd, chunk, sizeof chunk, 0);
      if (got <= 0) break;
      pending.append(chunk, static_cast<size_t>(got));
      const size_t end = pending.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const std::string head = pending.substr(0, end + 4);
      pending.erase(0, end + 4);
      {
        const std::lock_guard lock(mutex_);
        heads_.push_back(head);
      }
      if (!reply(fd, script_(head))) break;
    }
    ::close(fd);
  }
  bool reply(int fd, const Reply& reply) {
    if (reply.delay_ms > 0) ::poll(nullptr, 0, reply.delay_ms);
    for (size_t sent = 0; sent < reply.bytes.size();) {
      const ssize_t size = ::send(fd, reply.bytes.data() + sent, reply.bytes.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return false;
      sent += static_cast<size_t>(size);
    }
    if (reply.then == Reply::Then::kReset) {
      const linger hard{1, 0};  // close sends RST
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    if (reply.then == Reply::Then::kSilence) {
      while (!stop_) ::poll(nullptr, 0, kPollMs);
    }
    return reply.then == Reply::Then::kKeep;
  }

  Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  std::string last_peer_;
  std::vector<std::thread> sessions_;
  std::thread acceptor_;
};

}  // namespace hopcheck::load
