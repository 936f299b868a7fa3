// What a service port carries, as Istio reads it from appProtocol and name, and what a caller therefore sends. Pure.
//
// Source: Istio pkg/config/kube/conversion.go ConvertProtocol and pkg/config/protocol/instance.go Parse
// (facts/istio-envoy-spans.md 2.6): appProtocol wins over the name; of a name only what stands before the first '-'
// counts, without regard to case; a word that is not known leaves the port to be sniffed, but for the ports 25, 53,
// 3306 and 27017, which are TCP then.
#pragma once

#include <cstdint>
#include <string>

#include "model/topology.h"

namespace hopcheck::plan {

enum class PortProtocol : uint8_t {
  kHttp,     // http, http_proxy, kubernetes.io/ws: HTTP/1.1, spans
  kHttp2,    // http2, grpc-web, kubernetes.io/h2c: HTTP/2 on both sides of a hop, spans
  kGrpc,     // grpc: HTTP/2 with gRPC in it, spans with grpc.* attributes
  kTcp,      // tcp, tls, https, mongo, mysql, udp, kubernetes.io/wss: no HTTP filter, no spans
  kRedis,    // redis: the same to a proxy; our callers speak Redis there
  kAmqp,     // amqp: no word to Istio, so sniffed and not HTTP: no spans; our callers speak AMQP there
  kSniffed,  // all else: what is on the wire decides; our callers send HTTP/1.1, so spans
};
const char* to_string(PortProtocol protocol);  // "http" …

PortProtocol port_protocol(const ServicePort& port);
// Whether proxies emit spans for what our callers send to such a port.
bool yields_spans(PortProtocol protocol);
// Whether the proxies look at the first bytes to tell what is on the wire.
bool is_sniffed(PortProtocol protocol);
// Of the service's port with that number; a service without ports has the default one, http.
PortProtocol protocol_of(const Service& service, uint16_t port);

// The request line of a call: its own method and path, else those of the incoming request. A gRPC call is always a POST
// to /package.Service/Method; one without path calls kGrpcPath.
inline constexpr const char* kGrpcPath = "/hopcheck.demo.Service/Call";
struct RequestLine {
  std::string method, path;
};
// Name of an SDK's CLIENT span around the call: the method, package.Service/Method of a gRPC call, "SET GET" of a Redis
// one, "publish get" of an AMQP one.
std::string client_span_name(PortProtocol protocol, const RequestLine& line);
RequestLine request_line(PortProtocol protocol, const RequestLine& call, const RequestLine& incoming);

}  // namespace hopcheck::plan
