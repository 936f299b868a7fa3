#include "demo/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hopcheck::demo {
namespace {

constexpr int kIoTimeoutMs = 30'000;
constexpr size_t kBufferBytes = 8'192;

bool wait_for(int socket, short events, int timeout_ms) {
  pollfd entry{socket, events, 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

Connection::Connection(int socket) : socket_(socket), buffer_(kBufferBytes) {}

bool Connection::readable(int timeout_ms) const { return buffered() || wait_for(socket_, POLLIN, timeout_ms); }
bool Connection::writable(int timeout_ms) const { return wait_for(socket_, POLLOUT, timeout_ms); }

ssize_t Connection::read(char* out, size_t size) {
  if (!buffered()) {
    if (!readable(kIoTimeoutMs)) return -1;
    begin_ = end_ = 0;
    if (const ssize_t got = fill(); got <= 0) return got;
  }
  const size_t count = std::min(size, end_ - begin_);
  std::memcpy(out, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

// Once more from the socket, behind what is buffered.
ssize_t Connection::fill() {
  ssize_t got = 0;
  do {
    got = ::recv(socket_, buffer_.data() + end_, buffer_.size() - end_, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) end_ += static_cast<size_t>(got);
  return got;
}

bool Connection::begins_with(std::string_view text) {
  for (;;) {
    const size_t have = std::min(end_ - begin_, text.size());
    if (std::string_view(buffer_.data() + begin_, have) != text.substr(0, have)) return false;
    if (have == text.size()) return true;
    if (!wait_for(socket_, POLLIN, kIoTimeoutMs) || fill() <= 0) return false;
  }
}

ssize_t Connection::write(const char* data, size_t size) {
  size_t sent = 0;
  while (sent < size) {
    const ssize_t count = ::send(socket_, data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<size_t>(count);
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!writable(kIoTimeoutMs)) return -1;
    } else if (count == 0 || errno != EINTR) {
      return -1;
    }
  }
  return static_cast<ssize_t>(size);
}

}  // namespace hopcheck::demo
