#include "mesh/kube_exec.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>

#include "base/text.h"
#include "mesh/json_walk.h"

namespace hopcheck::mesh {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using ErrorCode = boost::system::error_code;
using Plain = beast::tcp_stream;
using Tls = beast::ssl_stream<beast::tcp_stream>;

constexpr const char* kSubprotocol = "v4.channel.k8s.io";
enum Channel : uint8_t { kStdout = 1, kStderr = 2, kStatus = 3 };

struct Address {
  bool tls = true;
  std::string host, port, prefix;
};

// "https://127.0.0.1:6443/prefix", "https://[::1]:6443"
std::optional<Address> address_of(const std::string& server) {
  Address out;
  const size_t scheme = server.find("://");
  if (scheme == std::string::npos) return std::nullopt;
  out.tls = server.compare(0, scheme, "http") != 0;
  const size_t from = scheme + 3, slash = std::min(server.find('/', from), server.size());
  out.prefix = server.substr(slash);
  if (!out.prefix.empty() && out.prefix.back() == '/') out.prefix.pop_back();
  const std::string authority = server.substr(from, slash - from);
  const size_t bracket = authority.find(']');
  const size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  out.host = authority.substr(0, colon);
  if (bracket != std::string::npos) out.host = authority.substr(1, bracket - 1);
  out.port = colon == std::string::npos ? (out.tls ? "443" : "80") : authority.substr(colon + 1);
  return out;
}

template <class Stream>
class Session {
 public:
  template <class... Arguments>
  Session(asio::io_context& io, const PodCommand& command, Address address, std::string token, Arguments&... arguments)
      : command_(command),
        address_(std::move(address)),
        token_(std::move(token)),
        resolver_(io),
        ws_(io, arguments...) {
    ws_.read_message_max(command.limit + 1);
    ws_.set_option(websocket::stream_base::decorator([this](websocket::request_type& request) {
      request.set(beast::http::field::sec_websocket_protocol, kSubprotocol);
      request.set(beast::http::field::user_agent, "hopcheck");
      if (!token_.empty()) request.set(beast::http::field::authorization, "Bearer " + token_);
    }));
  }

  void start() {
    resolver_.async_resolve(address_.host, address_.port, [this](ErrorCode error, auto found) {
      if (error) return end(error);
      beast::get_lowest_layer(ws_).async_connect(found, [this](ErrorCode failed, const auto&) {
        if (failed) return end(failed);
        secure();
      });
    });
  }
  void cancel() {
    resolver_.cancel();
    beast::get_lowest_layer(ws_).close();
  }

  Result<KubeResponse> result(int64_t timeout_ms) const {
    const std::string what = "exec in pod " + command_.ns + "/" + command_.pod;
    if (refused_ != 0) return KubeResponse{refused_, ""};
    if (too_large_) return fail(ErrorKind::kEvidence, what + ": the output is too large");
    if (status_) return *status_;
    if (!ended_) return fail(ErrorKind::kEnvironment, what, "no end within " + std::to_string(timeout_ms) + " ms");
    return fail(ErrorKind::kEnvironment, what, printable(why_));
  }

 private:
  void secure() {
    if constexpr (std::is_same_v<Stream, Tls>) {
      SSL_set_tlsext_host_name(ws_.next_layer().native_handle(), address_.host.c_str());
      ws_.next_layer().async_handshake(asio::ssl::stream_base::client, [this](ErrorCode error) {
        if (error) return end(error);
        upgrade();
      });
    } else {
      upgrade();
    }
  }

  void upgrade() {
    ws_.async_handshake(answer_, address_.host + ":" + address_.port, address_.prefix + exec_path(command_),
                        [this](ErrorCode error) {
                          if (error == websocket::error::upgrade_declined) refused_ = answer_.result_int();
                          if (error) return end(error);
                          read();
                        });
  }

  void read() {
    ws_.async_read(buffer_, [this](ErrorCode error, size_t) {
      if (error) return end(error);
      take();
      buffer_.consume(buffer_.size());
      if (status_ || too_large_) return cancel();
      read();
    });
  }

  void take() {
    const std::string message = beast::buffers_to_string(buffer_.data());
    if (message.empty()) return;
    if (message[0] == kStdout) out_.append(message, 1);
    too_large_ = out_.size() > command_.limit;
    if (message[0] != kStatus) return;
    const nlohmann::json status = nlohmann::json::parse(message.begin() + 1, message.end(), nullptr, false);
    const bool good = text_at(status, "status") == "Success";
    status_ = good ? KubeResponse{200, std::move(out_)} : KubeResponse{500, printable(text_at(status, "message"))};
  }

  void end(ErrorCode error) {
    ended_ = true;
    why_ = error == websocket::error::closed ? "closed before the command ended" : error.message();
    if (error == websocket::error::message_too_big) too_large_ = true;
  }

  const PodCommand& command_;
  const Address address_;
  const std::string token_;
  asio::ip::tcp::resolver resolver_;
  websocket::stream<Stream> ws_;
  websocket::response_type answer_;
  beast::flat_buffer buffer_;
  std::string out_, why_;
  std::optional<KubeResponse> status_;
  int refused_ = 0;
  bool ended_ = false, too_large_ = false;
};

template <class Stream, class... Arguments>
Result<KubeResponse> run(const PodCommand& command, const Address& address, const std::string& token,
                         Arguments&... arguments) {
  asio::io_context io;
  Session<Stream> session(io, command, address, token, arguments...);
  session.start();
  io.run_for(std::chrono::milliseconds(command.timeout_ms));
  if (!io.stopped()) {
    Result<KubeResponse> late = session.result(command.timeout_ms);
    session.cancel();
    io.run();
    return late;
  }
  return session.result(command.timeout_ms);
}

// Credentials as in the kubeconfig; the API server's name or address must be in its certificate.
void take_credentials(asio::ssl::context& tls, const Kubeconfig& config, const std::string& host) {
  tls.set_verify_mode(asio::ssl::verify_peer);
  tls.set_verify_callback(asio::ssl::host_name_verification(host));
  if (config.ca_pem.empty()) tls.set_default_verify_paths();
  else tls.add_certificate_authority(asio::buffer(config.ca_pem));
  if (config.certificate_pem.empty()) return;
  tls.use_certificate_chain(asio::buffer(config.certificate_pem));
  tls.use_private_key(asio::buffer(config.key_pem), asio::ssl::context::pem);
}

}  // namespace

std::string exec_path(const PodCommand& command) {
  std::string out = "/api/v1/namespaces/" + command.ns + "/pods/" + command.pod +
                    "/exec?stdout=true&stderr=true&container=" + command.container;
  for (const std::string& word : command.argv) {
    char* encoded = curl_easy_escape(nullptr, word.data(), static_cast<int>(word.size()));
    out += std::string("&command=") + (encoded == nullptr ? "" : encoded);
    curl_free(encoded);
  }
  return out;
}

Result<KubeResponse> exec_in_pod(const Kubeconfig& config, const PodCommand& command) {
  const std::optional<Address> address = address_of(config.server);
  if (!address) return fail(ErrorKind::kEnvironment, "the kubeconfig's server is no URL", printable(config.server));
  try {
    if (!address->tls) return run<Plain>(command, *address, config.token);
    asio::ssl::context tls(asio::ssl::context::tls_client);
    take_credentials(tls, config, address->host);
    return run<Tls>(command, *address, config.token, tls);
  } catch (const std::exception& error) {  // OpenSSL refuses a certificate or key
    return fail(ErrorKind::kEnvironment, "exec in pod " + command.ns + "/" + command.pod, printable(error.what()));
  }
}

}  // namespace hopcheck::mesh
