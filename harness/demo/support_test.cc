// Implementation of demo_support.h.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/arena.h"
#include "demo/demo_support.h"
#include "otlp/decode.h"

namespace hopcheck::demo {
namespace {

std::map<std::string, std::string> to_map(const AttributeList& attributes) {
  std::map<std::string, std::string> out;
  for (const Attribute& attribute : attributes) {
    out[std::string(attribute.key)] = attribute.value.type == AnyValue::Type::kInt
                                          ? std::to_string(attribute.value.integer)
                                          : std::string(attribute.value.text);
  }
  return out;
}

ReceivedSpan to_received(const Span& span) {
  ReceivedSpan out;
  out.service = std::string(span.resource->service_name);
  out.name = std::string(span.name);
  out.kind = span.kind;
  out.status = span.status;
  out.flags = span.flags;
  out.trace_id = to_hex(span.trace_id);
  out.span_id = to_hex(span.span_id);
  out.parent_id = span.parent_id.is_zero() ? "" : to_hex(span.parent_id);
  out.trace_state = std::string(span.trace_state);
  out.start = span.start_unix_nanos;
  out.end = span.end_unix_nanos;
  out.attributes = to_map(span.attributes);
  out.resource = to_map(span.resource->attributes);
  out.scope = std::string(span.scope->name);
  return out;
}

std::unique_ptr<HttpServer> start_server(HttpServer::Handler handler) {
  auto server = HttpServer::start({{"127.0.0.1", 0}, 128}, std::move(handler));
  if (!server) {
    ADD_FAILURE() << to_text(server.error());
    std::abort();
  }
  return std::move(*server);
}

}  // namespace

OtlpReceiver::OtlpReceiver() {
  server_ = start_server([this](const HttpRequest& request) { return receive(request); });
}

std::string OtlpReceiver::url() const { return url_of(server_->port()) + "/v1/traces"; }

void OtlpReceiver::answer_with(std::vector<int> statuses) {
  const std::lock_guard lock(mutex_);
  statuses_.assign(statuses.begin(), statuses.end());
}

std::string OtlpReceiver::content_type() const {
  const std::lock_guard lock(mutex_);
  return content_type_;
}

HttpResponse OtlpReceiver::receive(const HttpRequest& request) {
  ++requests_;
  const std::lock_guard lock(mutex_);
  for (const std::string& value : values_of(request.headers, "content-type")) content_type_ = value;
  if (!statuses_.empty()) {
    const int status = statuses_.front();
    statuses_.pop_front();
    if (status != 200) return {status, "text/plain", "scripted"};
  }
  Arena arena;
  std::vector<Span> spans;
  const auto decoded = otlp::decode_protobuf(request.body, arena, spans);
  if (!decoded || request.method != "POST" || path_of(request.target) != "/v1/traces") {
    return {400, "text/plain", "not an export"};
  }
  for (const Span& span : spans) spans_.push_back(to_received(span));
  changed_.notify_all();
  return {200, "application/x-protobuf", ""};
}

std::vector<ReceivedSpan> OtlpReceiver::wait_for(size_t count) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return spans_.size() >= count; });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  const std::lock_guard lock(mutex_);
  return spans_;
}

Recorder::Recorder(int status) {
  server_ = start_server([this, status](const HttpRequest& request) -> HttpResponse {
    const std::lock_guard lock(mutex_);
    seen_.push_back(request);
    return {status, "text/plain", "recorded"};
  });
}

std::string Recorder::url() const { return url_of(port()); }

std::vector<HttpRequest> Recorder::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

Reply send(uint16_t port, const std::string& method, const std::string& target, const std::vector<Header>& headers,
           const std::string& body) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(20);
  client.set_url_encode(false);
  httplib::Request request;
  request.method = method;
  request.path = target;
  for (const Header& header : headers) request.headers.emplace(header.name, header.value);
  request.body = body;
  const httplib::Result result = client.send(request);
  if (!result) return {};
  return {result->status, result->body, result->get_header_value("Content-Type")};
}

RawClient::RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)), connection_(socket_) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

RawClient::~RawClient() { ::close(socket_); }

void RawClient::write(const std::string& text) {
  EXPECT_EQ(connection_.write(text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::string RawClient::read_until(const std::string& tail) {
  std::string out;
  char c = 0;
  while (out.size() < (1u << 20) && connection_.read(&c, 1) == 1) {
    out += c;
    if (out.size() >= tail.size() && out.compare(out.size() - tail.size(), tail.size(), tail) == 0) return out;
  }
  return "";
}

bool RawClient::at_end() {
  char c = 0;
  return connection_.readable(5'000) && connection_.read(&c, 1) <= 0;
}

std::string url_of(uint16_t port) { return "http://127.0.0.1:" + std::to_string(port); }

Topology checkout_topology() {
  const auto service = [](const std::string& name, std::vector<AppSpan> spans, std::vector<Call> calls) {
    Service out;
    out.name = name;
    out.ns = "shop";
    out.ports = {ServicePort{}};
    out.workloads = {Workload{name, "v1", {}}};
    out.spans = std::move(spans);
    out.calls = std::move(calls);
    return out;
  };
  const auto post = [](const std::string& to, const std::string& path) {
    Call call;
    call.to = to;
    call.method = "POST";
    call.path = path;
    return call;
  };
  Topology topology;
  topology.name = "checkout";
  topology.ns = "shop";
  topology.entry = "frontend";
  topology.services = {
      service("frontend", {{"POST /checkout", SpanKind::kServer, ""}}, {post("checkout", "/checkout")}),
      service("checkout", {{"POST /checkout", SpanKind::kServer, ""}, {"SELECT cart", SpanKind::kInternal, ""}},
              {post("payments", "/charge")}),
      service("payments",
              {{"POST /charge", SpanKind::kServer, ""}, {"INSERT txn", SpanKind::kInternal, "POST /charge"}}, {}),
  };
  return topology;
}

DemoOptions loopback(const std::string& service, const std::string& otlp_url) {
  DemoOptions options;
  options.service = service;
  options.listen = {"127.0.0.1", 0};
  options.control = {"127.0.0.1", 0};
  options.otlp_url = otlp_url;
  return options;
}

std::unique_ptr<DemoService> start_or_die(const Topology& topology, const DemoOptions& options) {
  auto service = DemoService::start(topology, options);
  if (!service) {
    ADD_FAILURE() << to_text(service.error());
    std::abort();
  }
  return std::move(*service);
}

CheckoutChain start_chain(const Topology& topology, const std::string& otlp_url) {
  CheckoutChain chain;
  chain.payments = start_or_die(topology, loopback("payments", otlp_url));
  DemoOptions checkout = loopback("checkout", otlp_url);
  checkout.resolve_service["payments"] = url_of(chain.payments->port());
  chain.checkout = start_or_die(topology, checkout);
  DemoOptions frontend = loopback("frontend", otlp_url);
  frontend.resolve_service["checkout"] = url_of(chain.checkout->port());
  chain.frontend = start_or_die(topology, frontend);
  return chain;
}

}  // namespace hopcheck::demo
