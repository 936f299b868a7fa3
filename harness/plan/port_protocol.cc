#include "plan/port_protocol.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace hopcheck::plan {
namespace {

struct Word {
  std::string_view text;
  PortProtocol protocol;
};

// Names that stand for themselves as appProtocol only; a port name cannot hold a '/'.
constexpr std::array<Word, 3> kKubernetes{{{"kubernetes.io/h2c", PortProtocol::kHttp2},
                                           {"kubernetes.io/ws", PortProtocol::kHttp},
                                           {"kubernetes.io/wss", PortProtocol::kTcp}}};
constexpr std::array<Word, 12> kWords{{{"http", PortProtocol::kHttp},
                                       {"http_proxy", PortProtocol::kHttp},
                                       {"http2", PortProtocol::kHttp2},
                                       {"grpc", PortProtocol::kGrpc},
                                       {"tcp", PortProtocol::kTcp},
                                       {"https", PortProtocol::kTcp},
                                       {"tls", PortProtocol::kTcp},
                                       {"mongo", PortProtocol::kTcp},
                                       {"redis", PortProtocol::kRedis},
                                       {"mysql", PortProtocol::kTcp},
                                       {"amqp", PortProtocol::kAmqp},
                                       {"udp", PortProtocol::kTcp}}};
// Where sniffing would break what is usually there: servers that speak first.
constexpr std::array<uint16_t, 4> kServerFirst{25, 53, 3306, 27017};

template <size_t N>
std::optional<PortProtocol> find(const std::array<Word, N>& words, std::string_view text) {
  for (const Word& word : words) {
    if (word.text == text) return word.protocol;
  }
  return std::nullopt;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

const char* to_string(PortProtocol protocol) {
  switch (protocol) {
    case PortProtocol::kHttp: return "http";
    case PortProtocol::kHttp2: return "http2";
    case PortProtocol::kGrpc: return "grpc";
    case PortProtocol::kTcp: return "tcp";
    case PortProtocol::kRedis: return "redis";
    case PortProtocol::kAmqp: return "amqp";
    case PortProtocol::kSniffed: return "sniffed";
  }
  return "?";
}

PortProtocol port_protocol(const ServicePort& port) {
  if (const auto known = find(kKubernetes, port.app_protocol)) return *known;
  const std::string word = lower(port.app_protocol.empty() ? port.name : port.app_protocol);
  if (word.starts_with("grpc-web")) return PortProtocol::kHttp2;
  if (const auto known = find(kWords, std::string_view(word).substr(0, word.find('-')))) return *known;
  const bool server_first = std::find(kServerFirst.begin(), kServerFirst.end(), port.port) != kServerFirst.end();
  return server_first ? PortProtocol::kTcp : PortProtocol::kSniffed;
}

bool yields_spans(PortProtocol protocol) {
  return protocol != PortProtocol::kTcp && protocol != PortProtocol::kRedis && protocol != PortProtocol::kAmqp;
}

bool is_sniffed(PortProtocol protocol) {
  return protocol == PortProtocol::kSniffed || protocol == PortProtocol::kAmqp;
}

PortProtocol protocol_of(const Service& service, uint16_t port) {
  for (const ServicePort& item : service.ports) {
    if (item.port == port) return port_protocol(item);
  }
  return PortProtocol::kHttp;
}

std::string client_span_name(PortProtocol protocol, const RequestLine& line) {
  if (protocol == PortProtocol::kRedis) return "SET GET";
  if (protocol == PortProtocol::kAmqp) return "publish get";
  return protocol == PortProtocol::kGrpc ? line.path.substr(1) : line.method;
}

RequestLine request_line(PortProtocol protocol, const RequestLine& call, const RequestLine& incoming) {
  if (protocol == PortProtocol::kGrpc) return {"POST", call.path.empty() ? kGrpcPath : call.path};
  return {call.method.empty() ? incoming.method : call.method, call.path.empty() ? incoming.path : call.path};
}

}  // namespace hopcheck::plan
