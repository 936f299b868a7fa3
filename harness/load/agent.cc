// The load agent's HTTP server: one thread, Beast sessions, everything about the answers in agent_api.cc.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>
#include <memory>
#include <optional>

#include "load/agent_api.h"
#include "load/engine.h"

namespace hopcheck::load {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;
using tcp = asio::ip::tcp;

constexpr auto kRequestTime = std::chrono::seconds(10);   // for one request to arrive whole
constexpr auto kStopCheck = std::chrono::milliseconds(50);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr uint32_t kMaxHeader = 16 * 1024;
constexpr uint64_t kMaxBody = 4 * 1024 * 1024;
constexpr int kMaxSessions = 64;

struct Server {
  Server(const AgentOptions& agent_options, const std::atomic<bool>& stop_flag)
      : options(agent_options), stop(stop_flag), acceptor(io), timer(io), pause(io) {}

  const AgentOptions& options;
  const std::atomic<bool>& stop;
  Drives drives;
  int sessions = 0;
  asio::io_context io{1};
  tcp::acceptor acceptor;
  asio::steady_timer timer, pause;

  Result<void> listen();
  void accept();
  void watch();
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, tcp::socket socket) : server_(server), stream_(std::move(socket)) { ++server_.sessions; }
  ~Session() { --server_.sessions; }

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeader);
    parser_->body_limit(kMaxBody);
    stream_.expires_after(kRequestTime);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](const error_code& failure, size_t) {
      self->have_read(failure);
    });
  }

 private:
  static std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

  void have_read(const error_code& failure) {
    if (failure == http::error::body_limit) return write({413, R"({"error":"body too large"})"}, false);
    if (failure == http::error::header_limit) return write({431, R"({"error":"header too large"})"}, false);
    if (failure.category() == http::make_error_code(http::error::bad_method).category() &&
        failure != http::error::end_of_stream && failure != http::error::partial_message) {
      return write({400, R"({"error":"malformed request"})"}, false);
    }
    if (failure) return;  // closed, reset or too slow: the stream goes with the session
    const auto& request = parser_->get();
    const ControlAnswer result =
        answer(server_.drives, server_.options.token,
               {view(request.method_string()), view(request.target()), view(request["X-Hopcheck-Token"]),
                request.body()});
    write(result, request.keep_alive());
  }

  void write(const ControlAnswer& result, bool keep_alive) {
    response_ = {};
    response_.version(11);
    response_.result(static_cast<unsigned>(result.status));
    response_.set(http::field::content_type, "application/json");
    response_.keep_alive(keep_alive);
    response_.body() = result.body;
    response_.prepare_payload();
    stream_.expires_after(kRequestTime);
    http::async_write(stream_, response_, [self = shared_from_this()](const error_code& failure, size_t) {
      if (!failure && self->response_.keep_alive()) return self->read();
      error_code ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    });
  }

  Server& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

std::string to_text(const tcp::endpoint& endpoint) {
  const std::string ip = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + ip + "]" : ip) + ":" + std::to_string(endpoint.port());
}

// "ip:port" or "[ip]:port"; port 0 = any free one.
std::optional<tcp::endpoint> endpoint_of(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string ip = address.substr(0, colon);
  if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']') ip = ip.substr(1, ip.size() - 2);
  const std::string digits = address.substr(colon + 1);
  if (digits.empty() || digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  const int port = std::stoi(digits);
  error_code failure;
  const asio::ip::address parsed = asio::ip::make_address(ip, failure);
  if (failure || port > 65535) return std::nullopt;
  return tcp::endpoint(parsed, static_cast<uint16_t>(port));
}

Result<void> Server::listen() {
  const std::optional<tcp::endpoint> endpoint = endpoint_of(options.control_address);
  if (!endpoint) {
    return fail(ErrorKind::kUsage, "unusable control address \"" + options.control_address + "\"", "",
                "write IP:PORT, for instance 0.0.0.0:9902");
  }
  error_code failure;
  acceptor.open(endpoint->protocol(), failure);
  if (!failure) acceptor.set_option(asio::socket_base::reuse_address(true), failure);
  if (!failure) acceptor.bind(*endpoint, failure);
  if (!failure) acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) {
    return fail(ErrorKind::kEnvironment, "cannot listen on " + to_text(*endpoint), failure.message(),
                "free the port or choose another control address");
  }
  if (options.on_listening) options.on_listening(to_text(acceptor.local_endpoint(failure)));
  return {};
}

void Server::accept() {
  acceptor.async_accept([this](const error_code& failure, tcp::socket socket) {
    if (failure == asio::error::operation_aborted) return;
    if (failure) {
      // Out of descriptors, for instance: the connection stays in the queue, so try again, but not in a busy loop.
      pause.expires_after(kAcceptPause);
      pause.async_wait([this](const error_code& cancelled) {
        if (!cancelled) accept();
      });
      return;
    }
    if (sessions < kMaxSessions) std::make_shared<Session>(*this, std::move(socket))->read();
    accept();
  });
}

void Server::watch() {
  if (stop) return io.stop();
  timer.expires_after(kStopCheck);
  timer.async_wait([this](const error_code& failure) {
    if (!failure) watch();
  });
}

}  // namespace

Result<void> run_agent(const AgentOptions& options, const std::atomic<bool>& stop) {
  if (options.token.empty()) {
    return fail(ErrorKind::kUsage, "the load agent needs a token", "HOPCHECK_CONTROL_TOKEN is not set or empty",
                "set it to the token its caller sends as X-Hopcheck-Token");
  }
  try {
    Server server(options, stop);
    const Result<void> listening = server.listen();
    if (!listening) return listening;
    server.accept();
    server.watch();
    server.io.run();
    return {};
  } catch (const std::exception& failure) {
    return fail(ErrorKind::kInternal, "load agent failed", failure.what());
  }
}

}  // namespace hopcheck::load
