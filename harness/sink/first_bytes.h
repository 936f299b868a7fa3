// What a peer speaks, told from its first bytes, so that the wrong kind of sender can be named: TLS records (RFC 8446
// section 5.1), HTTP/2's preface (RFC 9113 section 3.4), an HTTP/1.1 request line. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sink/http_server.h"

namespace hopcheck::sink {

inline constexpr size_t kPrefaceBytes = 24;
enum class Spoken : uint8_t { kUnknown, kTls, kHttp1, kHttp2 };
enum class Transport : uint8_t { kPlain, kTls };

Spoken spoken_in(std::string_view first_bytes);
// "plaintext-on-tls" …; "" when the port serves it, or it cannot be told.
std::string mismatch_of(Spoken spoken, Protocol protocol, Transport transport);
// What that means, for people, and what to do: "…: 127.0.0.1 sends …".
std::string mismatch_text(const std::string& what, const std::string& peer, const std::string& address,
                          const std::string& detail);

}  // namespace hopcheck::sink
