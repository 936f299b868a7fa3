// For the tests of this folder: a small OTLP receiver, a recording server and a client, all on loopback with real
// sockets.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "demo/connection.h"
#include "demo/http_server.h"
#include "demo/service.h"
#include "model/topology.h"

namespace hopcheck::demo {

struct ReceivedSpan {
  std::string service;  // resource attribute service.name
  std::string name;
  SpanKind kind = SpanKind::kUnspecified;
  StatusCode status = StatusCode::kUnset;
  uint32_t flags = 0;
  std::string trace_id, span_id, parent_id;  // hex; parent "" when there is none
  std::string trace_state;
  uint64_t start = 0, end = 0;
  std::map<std::string, std::string> attributes;  // integers as decimal text
  std::map<std::string, std::string> resource;
  std::string scope;
};

class OtlpReceiver {
 public:
  OtlpReceiver();
  std::string url() const;
  // Statuses of the next answers; 200 when there are none left. Only bodies answered 200 count as received.
  void answer_with(std::vector<int> statuses);
  // Waits at most ten seconds for `count` spans, then half a flush interval more for spans nobody expected.
  std::vector<ReceivedSpan> wait_for(size_t count);
  int requests() const { return requests_; }
  std::string content_type() const;

 private:
  HttpResponse receive(const HttpRequest& request);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ReceivedSpan> spans_;
  std::deque<int> statuses_;
  std::string content_type_;
  std::atomic<int> requests_{0};
  std::unique_ptr<HttpServer> server_;
};

// Answers every request with one status and keeps what it saw.
class Recorder {
 public:
  explicit Recorder(int status = 200);
  uint16_t port() const { return server_->port(); }
  std::string url() const;
  std::vector<HttpRequest> seen() const;

 private:
  mutable std::mutex mutex_;
  std::vector<HttpRequest> seen_;
  std::unique_ptr<HttpServer> server_;
};

struct Reply {
  int status = 0;  // 0: no answer
  std::string body;
  std::string content_type;
};
Reply send(uint16_t port, const std::string& method, const std::string& target, const std::vector<Header>& headers = {},
           const std::string& body = "");

// A raw connection: what is on the wire is what the test writes.
class RawClient {
 public:
  explicit RawClient(uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  void write(const std::string& text);
  // Everything until the text ends in `tail`, at most 1 MiB; "" when the stream ends before that.
  std::string read_until(const std::string& tail);
  bool at_end();  // within five seconds

 private:
  int socket_;
  Connection connection_;
};

// frontend → checkout → payments with five app spans.
Topology checkout_topology();
DemoOptions loopback(const std::string& service, const std::string& otlp_url = "");
// Starts or fails the test; the service is always usable afterwards.
std::unique_ptr<DemoService> start_or_die(const Topology& topology, const DemoOptions& options);
std::string url_of(uint16_t port);

// The three services of checkout_topology(), wired on loopback.
struct CheckoutChain {
  std::unique_ptr<DemoService> payments, checkout, frontend;
};
CheckoutChain start_chain(const Topology& topology, const std::string& otlp_url);

}  // namespace hopcheck::demo
