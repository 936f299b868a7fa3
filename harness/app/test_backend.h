// For tests with real programs before our sink: a program in the background, free ports, waiting.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "mesh/http_request.h"
#include "mesh/process.h"
#include "mesh/prometheus.h"

namespace hopcheck {

inline uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

inline std::string text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A program that runs until it is stopped; what it prints goes to `log`.
class Child {
 public:
  ~Child() { stop(); }
  void start(std::vector<std::string> argv, const std::string& log) {
    stop_ = false;
    thread_ = std::thread([this, argv = std::move(argv), log] {
      mesh::ProcessSpec spec;
      spec.argv = argv;
      spec.timeout_ms = 5 * 60'000;
      spec.log_path = log;
      static_cast<void>(mesh::make_process_runner()->run(spec, stop_));
    });
  }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
  std::atomic<bool> stop_{false};
};

// Until it listens, for up to 30 s.
inline Result<mesh::HttpReply> ask_patiently(const mesh::HttpRequest& request) {
  const std::atomic<bool> never{false};
  auto reply = mesh::http_request(request, never);
  for (int i = 0; i < 300 && !reply; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    reply = mesh::http_request(request, never);
  }
  return reply;
}

inline uint64_t metric(const std::string& url, const std::string& name, const std::string& label = "") {
  mesh::HttpRequest request;
  request.url = url;
  const std::atomic<bool> never{false};
  const auto reply = mesh::http_request(request, never);
  return reply ? mesh::Metrics(reply->body).sum(name, label).value_or(0) : 0;
}

template <class Condition>
bool wait_for(Condition condition, int most_ms = 30'000) {
  for (int waited = 0; waited < most_ms; waited += 100) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

}  // namespace hopcheck
