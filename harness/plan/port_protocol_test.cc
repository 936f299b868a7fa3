// Rows O-80…O-83, D-18, D-19 as a table: name, appProtocol and number of a port → what it carries.
#include "plan/port_protocol.h"

#include <gtest/gtest.h>

namespace hopcheck::plan {
namespace {

struct Row {
  const char *name, *app_protocol;
  uint16_t port;
  PortProtocol expected;
};

TEST(PortProtocol, AsIstioReadsIt) {
  using P = PortProtocol;
  const Row rows[] = {
      {"http", "", 8080, P::kHttp},
      {"http-api", "", 8080, P::kHttp},
      {"HTTP-Api", "", 8080, P::kHttp},
      {"http_proxy", "", 8080, P::kHttp},
      {"http2", "", 8080, P::kHttp2},
      {"http2-x", "", 8080, P::kHttp2},
      {"grpc", "", 8080, P::kGrpc},
      {"grpc-api", "", 8080, P::kGrpc},
      {"grpc-web", "", 8080, P::kHttp2},
      {"grpc-web-x", "", 8080, P::kHttp2},
      {"tcp", "", 8080, P::kTcp},
      {"tcp-raw", "", 8080, P::kTcp},
      {"https", "", 8443, P::kTcp},
      {"tls-x", "", 8443, P::kTcp},
      {"redis", "", 6379, P::kRedis},
      {"redis-cache", "", 1, P::kRedis},
      {"mongo", "", 1, P::kTcp},
      {"mysql-db", "", 1, P::kTcp},
      // Unknown words and none at all are sniffed, but for ports where the server speaks first.
      {"", "", 8080, P::kSniffed},
      {"web", "", 8080, P::kSniffed},
      {"httpapi", "", 8080, P::kSniffed},
      {"amqp", "", 5672, P::kAmqp},
      {"postgres", "", 5432, P::kSniffed},
      {"web", "", 3306, P::kTcp},
      {"", "", 25, P::kTcp},
      {"dns", "", 53, P::kTcp},
      {"db", "", 27017, P::kTcp},
      {"http", "", 3306, P::kHttp},
      // appProtocol wins over the name, in both directions.
      {"other", "http", 8080, P::kHttp},
      {"http", "tcp", 8080, P::kTcp},
      {"tcp-raw", "grpc", 8080, P::kGrpc},
      {"http", "unknown", 8080, P::kSniffed},
      {"other", "http2", 8080, P::kHttp2},
      {"other", "kubernetes.io/h2c", 8080, P::kHttp2},
      {"other", "kubernetes.io/ws", 8080, P::kHttp},
      {"other", "kubernetes.io/wss", 8080, P::kTcp},
      {"other", "https", 8080, P::kTcp},
  };
  for (const Row& row : rows) {
    const ServicePort port{row.name, row.app_protocol, row.port, row.port};
    EXPECT_EQ(port_protocol(port), row.expected)
        << "name '" << row.name << "' appProtocol '" << row.app_protocol << "' port " << row.port << ": "
        << to_string(port_protocol(port));
  }
}

TEST(PortProtocol, OfAServicesPort) {
  Service service;
  EXPECT_EQ(protocol_of(service, 8080), PortProtocol::kHttp);
  service.ports = {{"tcp-raw", "", 1, 1}, {"grpc", "", 2, 2}};
  EXPECT_EQ(protocol_of(service, 1), PortProtocol::kTcp);
  EXPECT_EQ(protocol_of(service, 2), PortProtocol::kGrpc);
  EXPECT_FALSE(yields_spans(PortProtocol::kTcp));
  EXPECT_FALSE(yields_spans(PortProtocol::kRedis));
  EXPECT_TRUE(yields_spans(PortProtocol::kSniffed));
  EXPECT_FALSE(yields_spans(PortProtocol::kAmqp));
  EXPECT_TRUE(is_sniffed(PortProtocol::kAmqp));
  EXPECT_FALSE(is_sniffed(PortProtocol::kRedis));
}

TEST(PortProtocol, RequestLines) {
  const RequestLine incoming{"GET", "/shop"};
  RequestLine line = request_line(PortProtocol::kHttp, {"", ""}, incoming);
  EXPECT_EQ(line.method + " " + line.path, "GET /shop");
  line = request_line(PortProtocol::kHttp2, {"PUT", "/x"}, incoming);
  EXPECT_EQ(line.method + " " + line.path, "PUT /x");
  line = request_line(PortProtocol::kGrpc, {"", ""}, incoming);
  EXPECT_EQ(line.method + " " + line.path, std::string("POST ") + kGrpcPath);
  line = request_line(PortProtocol::kGrpc, {"GET", "/shop.Stock/Take"}, incoming);
  EXPECT_EQ(line.method + " " + line.path, "POST /shop.Stock/Take");
}

}  // namespace
}  // namespace hopcheck::plan
