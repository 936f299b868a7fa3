#include "sink/first_bytes.h"

#include <fmt/format.h>

#include "h2/session.h"

namespace hopcheck::sink {

Spoken spoken_in(std::string_view bytes) {
  if (bytes.empty()) return Spoken::kUnknown;
  if (bytes[0] == 0x16) return Spoken::kTls;  // a handshake record
  if (bytes.size() < 3) return Spoken::kUnknown;
  if (h2::kPreface.starts_with(bytes.substr(0, h2::kPreface.size()))) return Spoken::kHttp2;
  size_t letters = 0;
  while (letters < bytes.size() && bytes[letters] >= 'A' && bytes[letters] <= 'Z') ++letters;
  return letters >= 3 && (letters == bytes.size() || bytes[letters] == ' ') ? Spoken::kHttp1 : Spoken::kUnknown;
}

std::string mismatch_of(Spoken spoken, Protocol protocol, Transport transport) {
  if (transport == Transport::kTls) return spoken == Spoken::kTls ? "" : "plaintext-on-tls";
  if (spoken == Spoken::kTls) return "tls-on-plaintext";
  if (spoken == Spoken::kHttp2 && protocol == Protocol::kHttp1) return "http2-on-http1";
  if (spoken == Spoken::kHttp1 && protocol == Protocol::kHttp2) return "http1-on-grpc";
  return "";
}

std::string mismatch_text(const std::string& what, const std::string& peer, const std::string& address,
                          const std::string& detail) {
  if (what == "plaintext-on-tls") {
    return fmt::format("{} sends plaintext to {}, which speaks TLS: refused (sender: https, or tls without insecure)",
                       peer, address);
  }
  if (what == "tls-on-plaintext") {
    return fmt::format("{} sends TLS to {}, which speaks plaintext: refused (sender: http, or tls.insecure: true)",
                       peer, address);
  }
  if (what == "http2-on-http1") {
    return fmt::format("{} speaks HTTP/2, as gRPC does, to the OTLP/HTTP port {}: refused (sender: the gRPC port)",
                       peer, address);
  }
  if (what == "http1-on-grpc") {
    return fmt::format("{} speaks HTTP/1.1 to the OTLP/gRPC port {}: refused (sender: the HTTP port)", peer, address);
  }
  return fmt::format("{} could not make a TLS connection to {}: {}", peer, address, detail);
}

}  // namespace hopcheck::sink
