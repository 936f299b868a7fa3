// A blocking HTTP client for this folder's tests that sends exactly the bytes it is given.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace hopcheck::sink {

struct Answer {
  int status = 0;  // 0: the connection ended without an answer
  std::string head, body;
  bool has(const std::string& text) const { return head.find(text) != std::string::npos; }
};

class TestClient {
 public:
  explicit TestClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~TestClient() { disconnect(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }
  void disconnect() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // Ends the connection with a reset instead of an orderly end.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    disconnect();
  }
  bool send(const std::string& bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t sent = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      done += static_cast<size_t>(sent);
    }
    return true;
  }
  // The next answer; interim ones (100) are answers too. Waits up to 20 s.
  Answer receive(bool has_body = true) {
    Answer answer;
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return answer;
    }
    answer.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + 9);
    const size_t at = answer.head.find("Content-Length: ");
    const size_t length =
        at == std::string::npos || !has_body ? 0 : std::strtoull(answer.head.c_str() + at + 16, nullptr, 10);
    while (buffer_.size() < length && more()) {
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, answer.body.size());
    return answer;
  }
  Answer ask(const std::string& bytes) {
    send(bytes);
    return receive();
  }
  // The next bytes, whatever they are; "" when the connection ended or nothing came for 20 s.
  std::string some() {
    if (buffer_.empty()) more();
    std::string out;
    out.swap(buffer_);
    return out;
  }
  // Whether the server ended the connection, orderly or not.
  bool ended() {
    while (more()) {
    }
    return ended_;
  }

 private:
  bool more() {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, 20'000) != 1) return false;
    char bytes[65536];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    buffer_.append(bytes, static_cast<size_t>(got));
    return true;
  }
  int fd_;
  bool connected_ = false, ended_ = false;
  std::string buffer_;
};

inline std::string chunked(const std::string& body, size_t size) {
  std::string out;
  char line[32];
  for (size_t at = 0; at < body.size(); at += size) {
    const std::string piece = body.substr(at, size);
    snprintf(line, sizeof line, "%zx\r\n", piece.size());
    out += line + piece + "\r\n";
  }
  return out + "0\r\n\r\n";
}

// A POST to /v1/traces with a Content-Length; `fields` are whole lines with their line breaks.
inline std::string post(const std::string& body, const std::string& fields = "",
                        const std::string& type = "application/x-protobuf") {
  return "POST /v1/traces HTTP/1.1\r\nHost: sink\r\nContent-Type: " + type + "\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string post_chunked(const std::string& chunks, const std::string& fields = "") {
  return "POST /v1/traces HTTP/1.1\r\nhost: sink\r\ncontent-type: application/x-protobuf\r\n" + fields +
         "transfer-encoding: chunked\r\n\r\n" + chunks;
}

}  // namespace hopcheck::sink
