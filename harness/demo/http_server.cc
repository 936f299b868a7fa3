#include "demo/http_server.h"

#include <fcntl.h>
#include <httplib.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "demo/connection.h"
#include "demo/h2_connection.h"
#include "demo/thread_pool.h"
#include "h2/session.h"

namespace hopcheck::demo {
namespace {

constexpr int kKeepAliveSeconds = 3'700;  // above Envoy's upstream idle timeout of one hour: Envoy closes first
constexpr size_t kKeepAliveRequests = 1'000'000'000;
constexpr size_t kMaxBodyBytes = 4u << 20;
constexpr int kBacklog = 1'024;  // the packaged library was compiled with 5

// True when cpp-httplib's routing has been answered for the request this thread serves: an answer of 4xx or 5xx
// passes the error handler a second time.
thread_local bool t_answered = false;

class TaskQueue final : public httplib::TaskQueue {
 public:
  explicit TaskQueue(size_t max_threads) : pool_(max_threads) {}
  void enqueue(std::function<void()> job) override { pool_.enqueue(std::move(job)); }
  void shutdown() override { pool_.shutdown(); }

 private:
  GrowingPool pool_;
};

class Stream final : public httplib::Stream {
 public:
  explicit Stream(Connection& connection) : connection_(connection) {}
  using httplib::Stream::write;
  bool is_readable() const override { return connection_.readable(0); }
  bool is_writable() const override { return connection_.writable(0); }
  ssize_t read(char* out, size_t size) override { return connection_.read(out, size); }
  ssize_t write(const char* data, size_t size) override { return connection_.write(data, size); }
  // Nobody asks who the peer is, and finding out costs four system calls per request.
  void get_remote_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  socket_t socket() const override { return connection_.socket(); }

 private:
  Connection& connection_;
};

HttpRequest to_request(const httplib::Request& request) {
  HttpRequest out{request.method, request.target, {}, request.body};
  out.headers.reserve(request.headers.size());
  for (const auto& header : request.headers) out.headers.push_back({header.first, header.second});
  return out;
}

// The library waits for the end of the stream when a POST or DELETE states no length; by RFC 9112 section 6.3 it has
// no body.
bool has_body(const httplib::Request& request) {
  return request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
}

}  // namespace

class HttpServer::Impl final : public httplib::Server {
 public:
  Impl(const ServerOptions& options, HttpServer::Handler handler)
      : handler_(std::move(handler)), stall_ms_(options.stall_ms), streams_(options.max_threads) {
    const size_t max_threads = options.max_threads;
    new_task_queue = [max_threads] { return new TaskQueue(max_threads); };
    set_keep_alive_max_count(kKeepAliveRequests);
    set_keep_alive_timeout(kKeepAliveSeconds);
    set_payload_max_length(kMaxBodyBytes);
    set_tcp_nodelay(true);
    // The default also sets SO_REUSEPORT, and two processes would share a port unnoticed.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      ::fcntl(socket, F_SETFD, FD_CLOEXEC);
    });
    // No routes, so no regular expression sees a hostile path. Requests without body are answered before routing, those
    // with one after it was read, when the router has found nothing.
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      if (has_body(request)) return HandlerResponse::Unhandled;
      answer(request, response);
      return HandlerResponse::Handled;
    });
    set_error_handler(HandlerWithResponse([this](const httplib::Request& request, httplib::Response& response) {
      if (t_answered || response.status != 404) return HandlerResponse::Unhandled;
      answer(request, response);
      return HandlerResponse::Handled;
    }));
  }

  Result<uint16_t> listen_on(const Address& address) {
    const std::string where = address.host + ":" + std::to_string(address.port);
    const int port = address.port == 0 ? bind_to_any_port(address.host)
                     : bind_to_port(address.host, address.port) ? address.port
                                                                : -1;
    if (port <= 0) {
      return fail(ErrorKind::kEnvironment, "cannot listen on " + where, "the address is taken or not of this machine",
                  "free the port or choose another");
    }
    if (::listen(svr_sock_, kBacklog) != 0) return fail(ErrorKind::kEnvironment, "cannot listen on " + where);
    port_ = static_cast<uint16_t>(port);
    acceptor_ = std::thread([this] { listen_after_bind(); });
    // The library's stop() has no effect before its accept loop runs.
    for (int i = 0; i < 5'000 && !is_running(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return port_;
  }

  uint16_t bound_port() const { return port_; }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      if (closing_) return;
      closing_ = true;
      for (const auto& entry : connections_) {
        if (entry.second == Activity::kIdle) ::shutdown(entry.first, SHUT_RD);
      }
    }
    httplib::Server::stop();
  }

  bool wait_idle(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return connections_.empty(); });
  }

  void cut_and_join() {
    {
      const std::lock_guard lock(mutex_);
      cut_ = true;
      for (const auto& entry : connections_) ::shutdown(entry.first, SHUT_RDWR);
    }
    const std::lock_guard lock(join_mutex_);
    if (acceptor_.joinable()) acceptor_.join();
    if (!std::exchange(joined_, true)) streams_.shutdown();
  }

 private:
  enum class Activity : uint8_t { kIdle, kBusy };

  void answer(const httplib::Request& request, httplib::Response& response) {
    t_answered = true;
    HttpResponse out;
    try {
      out = handler_(to_request(request));
    } catch (const std::exception& error) {
      out = {500, "text/plain", std::string("internal error: ") + error.what() + "\n"};
    }
    response.status = out.status;
    response.set_content(out.body, out.content_type);
  }

  // Replaces the library's loop, which polls every 10 ms, cannot be woken and drops pipelined bytes.
  bool process_and_close_socket(socket_t socket) override {
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    Connection connection(socket);
    if (enter(socket)) {
      const bool began = connection.readable(kKeepAliveSeconds * 1000);
      if (began && connection.begins_with(h2::kPreface)) {
        serve_streams(connection);
      } else if (began) {
        while (serve_one(connection)) {
        }
      }
      leave(socket);
    }
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return true;
  }

  void serve_streams(Connection& connection) {
    const auto mark_streams = [&](bool busy) {
      return mark(connection.socket(), busy ? Activity::kBusy : Activity::kIdle);
    };
    serve_h2(connection, {handler_, streams_, mark_streams, kKeepAliveSeconds * 1000, stall_ms_});
  }

  bool serve_one(Connection& connection) {
    const bool closing = mark(connection.socket(), Activity::kIdle);
    if (!connection.readable(closing ? 0 : kKeepAliveSeconds * 1000)) return false;
    const bool last = mark(connection.socket(), Activity::kBusy);
    bool closed = false;
    t_answered = false;
    Stream stream(connection);
    return process_request(stream, last, closed, nullptr) && !closed && !last;
  }

  bool enter(int socket) {
    const std::lock_guard lock(mutex_);
    if (!cut_) connections_[socket] = Activity::kIdle;
    return !cut_;
  }

  // True when the server is closing.
  bool mark(int socket, Activity activity) {
    const std::lock_guard lock(mutex_);
    connections_[socket] = activity;
    return closing_;
  }

  void leave(int socket) {
    const std::lock_guard lock(mutex_);
    connections_.erase(socket);
    if (connections_.empty()) changed_.notify_all();
  }

  HttpServer::Handler handler_;
  const int stall_ms_;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::mutex join_mutex_;
  std::condition_variable changed_;
  std::map<int, Activity> connections_;  // by socket
  bool closing_ = false;
  bool cut_ = false;
  bool joined_ = false;
  GrowingPool streams_;  // handles HTTP/2 requests
  std::thread acceptor_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ServerOptions& options, Handler handler) {
  auto impl = std::make_unique<Impl>(options, std::move(handler));
  const Result<uint16_t> port = impl->listen_on(options.listen);
  if (!port) return tl::unexpected<Error>(port.error());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { stop(); }
uint16_t HttpServer::port() const { return impl_->bound_port(); }
void HttpServer::close() { impl_->close(); }
bool HttpServer::wait_idle(std::chrono::milliseconds limit) { return impl_->wait_idle(limit); }
void HttpServer::stop() {
  impl_->close();
  impl_->cut_and_join();
}

}  // namespace hopcheck::demo
