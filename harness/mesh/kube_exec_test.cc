// Commands in pods against a server on loopback that speaks as the API server does.
#include "mesh/kube_exec.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <functional>
#include <thread>

namespace hopcheck::mesh {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using WebSocket = beast::websocket::stream<beast::tcp_stream>;

// Takes one connection; `answer` gets the request for the upgrade and the socket that asked.
class ApiServer {
 public:
  using Answer = std::function<void(const http::request<http::string_body>&, beast::tcp_stream&)>;
  explicit ApiServer(Answer answer) : acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}) {
    port_ = acceptor_.local_endpoint().port();
    thread_ = std::thread([this, answer = std::move(answer)] {
      try {
        beast::tcp_stream stream(acceptor_.accept());
        beast::flat_buffer buffer;
        http::read(stream, buffer, request_);
        answer(request_, stream);
      } catch (const std::exception&) {  // the client went away
      }
    });
  }
  ~ApiServer() { thread_.join(); }

  Result<KubeResponse> exec(int64_t timeout_ms = 5'000, size_t limit = 1'000) {
    Kubeconfig config;
    config.server = "http://127.0.0.1:" + std::to_string(port_) + "/prefix/";
    config.token = "t0ken";
    PodCommand command;
    command.ns = "shop";
    command.pod = "checkout-1";
    command.container = "istio-proxy";
    command.argv = {"pilot-agent", "clusters?filter=^a\\|1$&x"};
    command.timeout_ms = timeout_ms;
    command.limit = limit;
    return exec_in_pod(config, command);
  }
  const http::request<http::string_body>& request() const { return request_; }

 private:
  asio::io_context io_;
  tcp::acceptor acceptor_;
  uint16_t port_ = 0;
  http::request<http::string_body> request_;
  std::thread thread_;
};

ApiServer::Answer messages(std::vector<std::string> all) {
  return [all = std::move(all)](const http::request<http::string_body>& request, beast::tcp_stream& stream) {
    WebSocket ws(std::move(stream));
    ws.set_option(beast::websocket::stream_base::decorator([](beast::websocket::response_type& response) {
      response.set(http::field::sec_websocket_protocol, "v4.channel.k8s.io");
    }));
    ws.accept(request);
    ws.binary(true);
    for (const std::string& message : all) ws.write(asio::buffer(message));
    beast::error_code ignored;
    ws.close(beast::websocket::close_code::normal, ignored);
  };
}

const std::string kSuccess = "\3{\"metadata\":{},\"status\":\"Success\"}";

TEST(KubeExec, StdoutIsTheAnswerAndTheRequestIsTheApisOwn) {
  ApiServer server(messages({"\1", "\2a warning\n", "\1{\"a\":", "\1 1}\n", kSuccess}));
  const Result<KubeResponse> response = server.exec();
  ASSERT_TRUE(response) << to_text(response.error());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "{\"a\": 1}\n");
  EXPECT_EQ(server.request().target(),
            "/prefix/api/v1/namespaces/shop/pods/checkout-1/exec?stdout=true&stderr=true&container=istio-proxy"
            "&command=pilot-agent&command=clusters%3Ffilter%3D%5Ea%5C%7C1%24%26x");
  EXPECT_EQ(server.request()[http::field::authorization], "Bearer t0ken");
  EXPECT_EQ(server.request()[http::field::sec_websocket_protocol], "v4.channel.k8s.io");
}

TEST(KubeExec, ACommandThatFailsIsTold) {
  ApiServer server(messages({"\1half", "\3{\"status\":\"Failure\",\"message\":\"command terminated: exit code 1\"}"}));
  const Result<KubeResponse> response = server.exec();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body, "command terminated: exit code 1");
}

TEST(KubeExec, ARefusedUpgradeIsItsStatus) {
  ApiServer server([](const http::request<http::string_body>& request, beast::tcp_stream& stream) {
    http::response<http::string_body> refusal{http::status::forbidden, request.version(), "{}"};
    refusal.prepare_payload();
    http::write(stream, refusal);
  });
  const Result<KubeResponse> response = server.exec();
  ASSERT_TRUE(response) << to_text(response.error());
  EXPECT_EQ(response->status, 403);
}

TEST(KubeExec, NothingHangsAndNothingGrowsWithoutEnd) {
  ApiServer silent([](const http::request<http::string_body>&, beast::tcp_stream& stream) {
    beast::flat_buffer buffer;
    http::request<http::string_body> never;
    http::read(stream, buffer, never);  // ends when the client gives up
  });
  const Result<KubeResponse> late = silent.exec(200);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().why, "no end within 200 ms");
  ApiServer endless(messages(std::vector<std::string>(50, "\1" + std::string(100, 'x'))));
  const Result<KubeResponse> large = endless.exec();
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().what.find("the output is too large"), std::string::npos) << to_text(large.error());
  ApiServer cut(messages({"\1half"}));
  const Result<KubeResponse> half = cut.exec();
  ASSERT_FALSE(half) << "no status came: half an answer is none";
  EXPECT_EQ(half.error().why, "closed before the command ended");
}

TEST(KubeExec, BadServersAndCertificatesAreErrors) {
  PodCommand command;
  command.timeout_ms = 1'000;
  Kubeconfig config;
  for (const char* server : {"", "no url", "https://127.0.0.1:1", "http://127.0.0.1:1"}) {
    config.server = server;
    EXPECT_FALSE(exec_in_pod(config, command)) << server;
  }
  config.server = "https://127.0.0.1:1";
  config.ca_pem = "no certificate";
  const Result<KubeResponse> response = exec_in_pod(config, command);
  ASSERT_FALSE(response);
  EXPECT_FALSE(response.error().why.empty());
}

}  // namespace
}  // namespace hopcheck::mesh
