#include "sink/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/ssl/error.hpp>

#include <array>
#include <string_view>

#include "base/text.h"
#include "sink/first_bytes.h"

namespace hopcheck::sink {

namespace asio = boost::asio;

namespace {

// What OpenSSL says of a failed handshake: "tlsv1 alert unknown ca".
std::string reason_of(const ErrorCode& error) {
  const char* reason = ERR_reason_error_string(static_cast<unsigned long>(error.value()));
  const bool of_openssl = error.category() == asio::error::get_ssl_category();
  return printable(of_openssl && reason != nullptr ? reason : error.message());
}

}  // namespace

Stream::Stream(Socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
  ErrorCode ignored;
  const auto remote = socket_.remote_endpoint(ignored);
  if (!ignored) peer_ = remote.address().to_string();
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (tls != nullptr) tls_.emplace(socket_, *tls);
}

// Bytes are looked at, not taken. False: the port and its peer cannot understand each other at all.
bool Stream::look(Connections& shared) {
  std::array<char, kPrefaceBytes> bytes{};
  const ssize_t size = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size <= 0) return true;  // reading says it better
  const Spoken spoken = spoken_in({bytes.data(), static_cast<size_t>(size)});
  const std::string what = mismatch_of(spoken, shared.protocol, tls_ ? Transport::kTls : Transport::kPlain);
  if (what.empty()) return true;
  shared.mismatched(what, peer_, "");
  if (!tls_) return true;
  // In the clear, since that is what the peer understands. HTTP/2 has nothing that short: it is closed.
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 32\r\n\r\n"
      "this port speaks TLS, use https\n";
  if (spoken == Spoken::kHttp1)
    ::send(socket_.native_handle(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return false;
}

void Stream::open(Connections& shared, std::function<void(ErrorCode)> opened) {
  socket_.async_wait(Socket::wait_read, [this, &shared, opened = std::move(opened)](ErrorCode error) {
    if (error) return opened(error);
    if (!look(shared)) return opened(asio::error::connection_aborted);
    if (!tls_) return opened({});
    tls_->async_handshake(asio::ssl::stream_base::server, [this, &shared, opened](ErrorCode failed) {
      if (failed) shared.mismatched("tls-handshake", peer_, reason_of(failed));
      opened(failed);
    });
  });
}

void Stream::close() {
  ErrorCode ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

void Stream::reset() {
  ErrorCode ignored;
  socket_.set_option(asio::ip::tcp::socket::linger(true, 0), ignored);
  socket_.close(ignored);
}

Result<std::unique_ptr<TlsContext>> TlsContext::load(const TlsFiles& files, Protocol protocol) {
  const auto refuse = [](const std::string& file, const ErrorCode& error) {
    return fail(ErrorKind::kUsage, "cannot use " + file + " for TLS", reason_of(error),
                "give a certificate chain and its key, both PEM");
  };
  auto out = std::make_unique<TlsContext>();
  out->context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  ErrorCode error;
  out->context->use_certificate_chain_file(files.certificate, error);
  if (error) return refuse(files.certificate, error);
  out->context->use_private_key_file(files.key, asio::ssl::context::pem, error);
  if (error) return refuse(files.key, error);
  SSL_CTX* raw = out->context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION);
  // gRPC's clients insist on ALPN "h2" (RFC 7301).
  const auto choose = [](SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                         unsigned offered_size, void* served) {
    static constexpr unsigned char kH2[] = "\x02h2", kHttp1[] = "\x08http/1.1";
    const bool h2 = *static_cast<const Protocol*>(served) == Protocol::kHttp2;
    unsigned char* found = nullptr;
    const int done = SSL_select_next_proto(&found, size, h2 ? kH2 : kHttp1, h2 ? 3 : 9, offered, offered_size);
    if (done != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
  };
  out->protocol = protocol;
  SSL_CTX_set_alpn_select_cb(raw, choose, &out->protocol);
  return out;
}

TlsContext::TlsContext() = default;
TlsContext::~TlsContext() = default;

}  // namespace hopcheck::sink
