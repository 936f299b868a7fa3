#include "sink/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>

#include "sink/connections.h"

namespace hopcheck::sink {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

constexpr int64_t kAcceptPauseMs = 100;  // when there are no descriptors, or enough connections
constexpr int64_t kCloseNowMs = 500;

std::optional<tcp::endpoint> parse_address(std::string text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = text.substr(0, colon);
  const std::string digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failed != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  ErrorCode error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return std::nullopt;
  return tcp::endpoint(address, port);
}

std::string to_text(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

class AsioServer : public HttpServer {
 public:
  AsioServer(Protocol protocol, Service& service, const HttpLimits& limits, std::function<void(const std::string&)> log)
      : serve_(protocol == Protocol::kHttp2 ? serve_http2 : serve_http1),
        connections_(protocol, service, limits),
        log_(std::move(log)),
        workers_(static_cast<size_t>(limits.threads)),
        acceptor_(workers_.front().loop),
        pause_(workers_.front().loop) {}
  ~AsioServer() override {
    drain(0);
    for (Worker& worker : workers_) worker.loop.stop();
    for (Worker& worker : workers_) {
      if (worker.thread.joinable()) worker.thread.join();
    }
  }

  Result<void> open(const Listener& listener);
  std::string address() const override { return to_text(endpoint_); }
  uint16_t port() const override { return endpoint_.port(); }
  void drain(int64_t grace_ms) override;

 private:
  // One loop per thread; a connection stays on its loop. The first one accepts too.
  struct Worker {
    asio::io_context loop{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{loop.get_executor()};
    std::thread thread;
  };
  void accept();
  void pause_accepting();

  void (*const serve_)(asio::io_context&, int, bool, Connections&);
  Connections connections_;
  std::function<void(const std::string&)> log_;
  std::deque<Worker> workers_;
  size_t next_worker_ = 0;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  tcp::endpoint endpoint_;
  bool complained_ = false;  // about accepting, once per spell
};

Result<void> AsioServer::open(const Listener& listener) {
  const std::string& address = listener.address;
  if (!listener.tls.certificate.empty()) {
    auto tls = TlsContext::load(listener.tls, listener.protocol);
    if (!tls) return tl::unexpected<Error>(tls.error());
    connections_.tls = std::move(*tls);
  }
  const std::optional<tcp::endpoint> endpoint = parse_address(address);
  if (!endpoint)
    return fail(ErrorKind::kUsage, "bad address " + address, "", "write ADDRESS:PORT, such as 127.0.0.1:4318");
  ErrorCode error;
  const auto step = [&](auto call) {
    if (!error) call();
  };
  step([&] { acceptor_.open(endpoint->protocol(), error); });
  step([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
  step([&] { acceptor_.bind(*endpoint, error); });
  step([&] { acceptor_.listen(1024, error); });
  step([&] { endpoint_ = acceptor_.local_endpoint(error); });
  if (error) {
    const bool taken = error == asio::error::address_in_use;
    return fail(ErrorKind::kEnvironment, "cannot listen on " + address, error.message(),
                taken ? "stop the program that listens there, or choose another port (0: any free one)" : "");
  }
  connections_.address = to_text(endpoint_);
  connections_.log = log_;
  accept();
  for (Worker& worker : workers_) worker.thread = std::thread([&worker] { worker.loop.run(); });
  return {};
}

void AsioServer::accept() {
  if (connections_.size() >= connections_.limits.max_connections) return pause_accepting();
  acceptor_.async_accept([this](ErrorCode error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || connections_.draining) return;
    if (error) {
      if (!complained_ && log_) log_("accepting connections pauses: " + error.message());
      complained_ = true;
      return pause_accepting();
    }
    complained_ = false;
    ErrorCode ignored;
    const bool is_v6 = socket.local_endpoint(ignored).address().is_v6();
    const int descriptor = socket.release(ignored);
    if (!ignored) serve_(workers_[next_worker_++ % workers_.size()].loop, descriptor, is_v6, connections_);
    accept();
  });
}

void AsioServer::pause_accepting() {
  pause_.expires_after(std::chrono::milliseconds(kAcceptPauseMs));
  pause_.async_wait([this](ErrorCode error) {
    if (!error && !connections_.draining) accept();
  });
}

void AsioServer::drain(int64_t grace_ms) {
  connections_.draining = true;
  asio::post(workers_.front().loop, [this] {
    ErrorCode ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  });
  connections_.close(Connections::Close::kWhenIdle);
  if (connections_.wait_until_empty(grace_ms)) return;
  connections_.close(Connections::Close::kNow);
  connections_.wait_until_empty(kCloseNowMs);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const Listener& listener, Service& service,
                                                       const HttpLimits& limits,
                                                       std::function<void(const std::string&)> log) {
  auto server = std::make_unique<AsioServer>(listener.protocol, service, limits, std::move(log));
  if (auto opened = server->open(listener); !opened) return tl::unexpected<Error>(opened.error());
  return server;
}

}  // namespace hopcheck::sink
