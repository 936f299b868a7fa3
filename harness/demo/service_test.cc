#include "demo/service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/clock.h"
#include "demo/demo_support.h"

namespace hopcheck::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = "00f067aa0ba902b7";
const std::string kSampled = "00-" + kTrace + "-" + kParent + "-01";

const ReceivedSpan& span_of(const std::vector<ReceivedSpan>& spans, const std::string& service,
                            const std::string& name) {
  static const ReceivedSpan missing;
  const auto found = std::find_if(spans.begin(), spans.end(), [&](const ReceivedSpan& span) {
    return span.service == service && span.name == name;
  });
  EXPECT_NE(found, spans.end()) << service << " " << name;
  return found == spans.end() ? missing : *found;
}

std::string only(const HttpRequest& request, const std::string& header) {
  const std::vector<std::string> values = values_of(request.headers, header);
  return values.size() == 1 ? values[0] : values.empty() ? "absent" : "several";
}

void expect_inside(const ReceivedSpan& child, const ReceivedSpan& parent) {
  EXPECT_LE(parent.start, child.start);
  EXPECT_LT(child.start, child.end);
  EXPECT_LE(child.end, parent.end);
}

nlohmann::json state_of(const DemoService& service) { return nlohmann::json::parse(service.state_json()); }

TEST(Chain, LeavesExactlyTheFiveSpansWithTheRightParents) {
  OtlpReceiver receiver;
  const CheckoutChain chain = start_chain(checkout_topology(), receiver.url());
  const Reply reply = send(chain.frontend->port(), "POST", "/checkout?hop=abc-1",
                           {{"traceparent", kSampled}, {"tracestate", "a=1"}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"service":"frontend","version":"v1","calls":[{"to":"checkout","status":200}]})"
            "\n");
  const auto after_answer = static_cast<uint64_t>(system_clock().wall_unix_nanos());
  const std::vector<ReceivedSpan> spans = receiver.wait_for(5);
  ASSERT_EQ(spans.size(), 5u);
  const ReceivedSpan& front = span_of(spans, "frontend", "POST /checkout");
  const ReceivedSpan& checkout = span_of(spans, "checkout", "POST /checkout");
  const ReceivedSpan& cart = span_of(spans, "checkout", "SELECT cart");
  const ReceivedSpan& charge = span_of(spans, "payments", "POST /charge");
  const ReceivedSpan& insert = span_of(spans, "payments", "INSERT txn");
  EXPECT_EQ(front.parent_id, kParent);
  EXPECT_EQ(checkout.parent_id, front.span_id);
  EXPECT_EQ(cart.parent_id, checkout.span_id);
  EXPECT_EQ(charge.parent_id, checkout.span_id);
  EXPECT_EQ(insert.parent_id, charge.span_id);
  std::set<std::string> ids;
  for (const ReceivedSpan& span : spans) {
    ids.insert(span.span_id);
    EXPECT_EQ(span.trace_id, kTrace);
    EXPECT_EQ(span.trace_state, "a=1");
    EXPECT_EQ(span.status, StatusCode::kUnset);
    EXPECT_LE(span.end, after_answer);
  }
  EXPECT_EQ(ids.size(), 5u);
  for (const ReceivedSpan* child : {&checkout, &charge, &insert, &cart}) expect_inside(*child, front);
  expect_inside(cart, checkout);
  expect_inside(insert, charge);
  EXPECT_LE(cart.end, charge.start);
}

TEST(Chain, SpansSayWhatTheyAre) {
  OtlpReceiver receiver;
  Topology topology = checkout_topology();
  topology.services[2].otel_service_name = "payments-svc";
  const CheckoutChain chain = start_chain(topology, receiver.url());
  send(chain.frontend->port(), "POST", "/checkout?hop=abc-1", {{"traceparent", kSampled}});
  const std::vector<ReceivedSpan> spans = receiver.wait_for(5);
  const ReceivedSpan& charge = span_of(spans, "payments-svc", "POST /charge");
  EXPECT_EQ(charge.kind, SpanKind::kServer);
  EXPECT_EQ(span_of(spans, "payments-svc", "INSERT txn").kind, SpanKind::kInternal);
  EXPECT_EQ(charge.scope, "hopcheck-demo");
  EXPECT_EQ(charge.flags, 0x301u);
  EXPECT_EQ(charge.resource, (std::map<std::string, std::string>{{"service.name", "payments-svc"},
                                                                 {"service.version", "v1"},
                                                                 {"telemetry.sdk.name", "hopcheck-demo"},
                                                                 {"telemetry.sdk.language", "cpp"},
                                                                 {"telemetry.sdk.version", kDemoVersion}}));
  EXPECT_EQ(charge.attributes.at("http.request.method"), "POST");
  EXPECT_EQ(charge.attributes.at("url.path"), "/charge");
  EXPECT_EQ(charge.attributes.at("url.query"), "hop=abc-1");
  EXPECT_EQ(charge.attributes.at("http.response.status_code"), "200");
}

TEST(Context, AbsentOrMalformedStartsANewTrace) {
  OtlpReceiver receiver;
  const CheckoutChain chain = start_chain(checkout_topology(), receiver.url());
  send(chain.payments->port(), "POST", "/charge");
  send(chain.payments->port(), "POST", "/charge", {{"traceparent", kSampled + "-01"}, {"tracestate", "a=1"}});
  const std::vector<ReceivedSpan> spans = receiver.wait_for(4);
  ASSERT_EQ(spans.size(), 4u);
  std::set<std::string> traces;
  for (const ReceivedSpan& span : spans) {
    traces.insert(span.trace_id);
    EXPECT_EQ(span.trace_state, "");
    EXPECT_EQ(span.parent_id.empty(), span.name == "POST /charge");
  }
  EXPECT_EQ(traces.size(), 2u);
  EXPECT_EQ(traces.count(kTrace), 0u);
}

TEST(Context, UnsampledIsPassedOnAndNotExported) {
  OtlpReceiver receiver;
  Recorder payments;
  DemoOptions options = loopback("checkout", receiver.url());
  options.resolve_service["payments"] = payments.url();
  const auto checkout = start_or_die(checkout_topology(), options);
  send(checkout->port(), "POST", "/checkout", {{"traceparent", "00-" + kTrace + "-" + kParent + "-00"}});
  checkout->stop();
  ASSERT_EQ(payments.seen().size(), 1u);
  const std::string sent = only(payments.seen()[0], "traceparent");
  EXPECT_EQ(sent.substr(0, 36), "00-" + kTrace + "-");
  EXPECT_NE(sent.substr(36, 16), kParent);
  EXPECT_EQ(sent.substr(52), "-00");
  EXPECT_EQ(receiver.requests(), 0);
  EXPECT_EQ(state_of(*checkout)["counters"]["spans"]["unsampled"], 2);
}

// A checkout whose payments is a recorder.
struct Caller {
  explicit Caller(Topology topology = checkout_topology(), int status = 200) : payments(status) {
    DemoOptions options = loopback("checkout", receiver.url());
    options.resolve_service["payments"] = payments.url();
    service = start_or_die(topology, options);
  }
  OtlpReceiver receiver;
  Recorder payments;
  std::unique_ptr<DemoService> service;
};

TEST(Calls, CarryContextRequestIdAndHop) {
  const Caller caller;
  send(caller.service->port(), "PUT", "/in?x=1&hop=run1-w7&y",
       {{"traceparent", kSampled}, {"tracestate", "a=1,b=2"}, {"x-request-id", "id-1"}, {"cookie", "no"}});
  ASSERT_EQ(caller.payments.seen().size(), 1u);
  const HttpRequest request = caller.payments.seen()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/charge?hop=run1-w7");
  EXPECT_EQ(only(request, "tracestate"), "a=1,b=2");
  EXPECT_EQ(only(request, "x-request-id"), "id-1");
  EXPECT_EQ(only(request, "cookie"), "absent");
  EXPECT_EQ(only(request, "content-length"), "0");
  EXPECT_EQ(only(request, "expect"), "absent");
}

TEST(Calls, MethodAndPathAreAsIncomingWhenTheFileLeavesThemOut) {
  Topology topology = checkout_topology();
  topology.services[1].calls[0].method = "";
  topology.services[1].calls[0].path = "";
  const Caller caller(topology);
  send(caller.service->port(), "DELETE", "/a%20b/../c?hop=1");
  send(caller.service->port(), "GET", "/d");
  ASSERT_EQ(caller.payments.seen().size(), 2u);
  EXPECT_EQ(caller.payments.seen()[0].method, "DELETE");
  EXPECT_EQ(caller.payments.seen()[0].target, "/a%20b/../c?hop=1");
  EXPECT_EQ(caller.payments.seen()[1].method, "GET");
  EXPECT_EQ(caller.payments.seen()[1].target, "/d");
}

TEST(Calls, ClientSpansStandBetween) {
  Topology topology = checkout_topology();
  topology.services[1].client_spans = true;
  topology.services[1].calls[0].parent = "SELECT cart";
  Caller caller(topology);
  send(caller.service->port(), "POST", "/checkout", {{"traceparent", kSampled}});
  const std::vector<ReceivedSpan> spans = caller.receiver.wait_for(3);
  ASSERT_EQ(spans.size(), 3u);
  const ReceivedSpan& client = span_of(spans, "checkout", "POST");
  EXPECT_EQ(client.kind, SpanKind::kClient);
  EXPECT_EQ(client.parent_id, span_of(spans, "checkout", "SELECT cart").span_id);
  EXPECT_EQ(client.attributes.at("http.response.status_code"), "200");
  expect_inside(client, span_of(spans, "checkout", "SELECT cart"));
  EXPECT_EQ(only(caller.payments.seen()[0], "traceparent"), "00-" + kTrace + "-" + client.span_id + "-01");
}

TEST(Calls, ForwardCopiesVerbatimAndMakesNoSpans) {
  Topology topology = checkout_topology();
  topology.services[1].instrumentation = Instrumentation::kForward;
  const Caller caller(topology);
  const std::string odd = "FF-not-a-traceparent";
  send(caller.service->port(), "POST", "/checkout?hop=1",
       {{"traceparent", odd}, {"tracestate", "B@D"}, {"x-request-id", "i"}});
  send(caller.service->port(), "POST", "/checkout");
  caller.service->stop();
  ASSERT_EQ(caller.payments.seen().size(), 2u);
  EXPECT_EQ(only(caller.payments.seen()[0], "traceparent"), odd);
  EXPECT_EQ(only(caller.payments.seen()[0], "tracestate"), "B@D");
  EXPECT_EQ(only(caller.payments.seen()[0], "x-request-id"), "i");
  for (const char* name : {"traceparent", "tracestate", "x-request-id"}) {
    EXPECT_EQ(only(caller.payments.seen()[1], name), "absent");
  }
  EXPECT_EQ(caller.receiver.requests(), 0);
}

TEST(Calls, NoneCopiesTheHopAlone) {
  Topology topology = checkout_topology();
  topology.services[1].instrumentation = Instrumentation::kNone;
  const Caller caller(topology);
  send(caller.service->port(), "POST", "/x?hop=1",
       {{"traceparent", kSampled}, {"tracestate", "a=1"}, {"x-request-id", "i"}});
  ASSERT_EQ(caller.payments.seen().size(), 1u);
  EXPECT_EQ(caller.payments.seen()[0].target, "/charge?hop=1");
  for (const char* name : {"traceparent", "tracestate", "x-request-id"}) {
    EXPECT_EQ(only(caller.payments.seen()[0], name), "absent");
  }
}

TEST(Calls, WorkloadsOfOneServiceDifferInTheirCalls) {
  Topology topology = checkout_topology();
  topology.services[1].workloads = {{"checkout-v1", "v1", {}}, {"checkout-v2", "v2", {}}};
  topology.services[1].calls[0].when = {"v2"};
  Recorder payments;
  DemoOptions options = loopback("checkout");
  options.resolve_service["payments"] = payments.url();
  const auto first = start_or_die(topology, options);
  options.workload = "checkout-v2";
  const auto second = start_or_die(topology, options);
  EXPECT_EQ(send(first->port(), "POST", "/").body, "{\"service\":\"checkout\",\"version\":\"v1\",\"calls\":[]}\n");
  EXPECT_EQ(payments.seen().size(), 0u);
  EXPECT_NE(send(second->port(), "POST", "/").body.find("\"version\":\"v2\""), std::string::npos);
  EXPECT_EQ(payments.seen().size(), 1u);
}

TEST(Calls, TheTemplateMakesTheAddress) {
  Recorder payments;
  Topology topology = checkout_topology();
  topology.services[2].ports[0].port = payments.port();
  DemoOptions options = loopback("checkout");
  options.resolve = "http://127.0.0.1:{port}/{namespace}/{service}";
  const auto checkout = start_or_die(topology, options);
  EXPECT_EQ(send(checkout->port(), "POST", "/checkout").status, 200);
  EXPECT_EQ(payments.seen().at(0).target, "/shop/payments/charge");
}

TEST(Calls, ParallelNeighboursOverlap) {
  Topology topology = checkout_topology();
  Call& call = topology.services[1].calls[0];
  call.parallel = true;
  call.count = 4;
  OtlpReceiver receiver;
  const CheckoutChain chain = start_chain(topology, receiver.url());
  Switches slow;
  slow.delay_ms = 500;
  chain.payments->set_switches(slow);
  const auto start = steady_clock::now();
  EXPECT_EQ(send(chain.checkout->port(), "POST", "/checkout").status, 200);
  EXPECT_LT(steady_clock::now() - start, milliseconds(1'500));
  EXPECT_EQ(receiver.wait_for(10).size(), 10u);
}

TEST(Answer, FailuresDownstreamDecideTheStatus) {
  const auto answer_when_called_gets = [](int status) {
    const Caller caller(checkout_topology(), status);
    return send(caller.service->port(), "POST", "/checkout").status;
  };
  EXPECT_EQ(answer_when_called_gets(204), 200);
  EXPECT_EQ(answer_when_called_gets(404), 404);
  EXPECT_EQ(answer_when_called_gets(500), 503);
  EXPECT_EQ(answer_when_called_gets(504), 503);
}

TEST(Answer, NoConnectionIs503AndMarksTheSpans) {
  OtlpReceiver receiver;
  Topology topology = checkout_topology();
  topology.services[1].client_spans = true;
  DemoOptions options = loopback("checkout", receiver.url());
  {
    const Recorder gone;
    options.resolve_service["payments"] = gone.url();
  }
  const auto checkout = start_or_die(topology, options);
  const Reply reply = send(checkout->port(), "POST", "/checkout");
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.body.find("{\"to\":\"payments\",\"status\":0}"), std::string::npos);
  const std::vector<ReceivedSpan> spans = receiver.wait_for(3);
  EXPECT_EQ(span_of(spans, "checkout", "POST /checkout").status, StatusCode::kError);
  EXPECT_EQ(span_of(spans, "checkout", "POST").status, StatusCode::kError);
  EXPECT_EQ(span_of(spans, "checkout", "SELECT cart").status, StatusCode::kUnset);
}

TEST(Answer, ATitleMakesAnHtmlPage) {
  Topology topology = checkout_topology();
  topology.services[2].body_title = "Simple Bookstore App";
  topology.services[2].instrumentation = Instrumentation::kForward;
  const auto page = start_or_die(topology, loopback("payments"));
  const Reply reply = send(page->port(), "GET", "/productpage");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.content_type, "text/html; charset=utf-8");
  EXPECT_NE(reply.body.find("<title>Simple Bookstore App</title>"), std::string::npos);
}

TEST(Answer, ReadyAndHeadLeaveNoTrace) {
  OtlpReceiver receiver;
  const auto payments = start_or_die(checkout_topology(), loopback("payments", receiver.url()));
  Switches failing;
  failing.fail_percent = 100;
  payments->set_switches(failing);
  EXPECT_EQ(send(payments->port(), "GET", "/ready?x=1").status, 200);
  EXPECT_EQ(send(payments->port(), "HEAD", "/anything").status, 200);
  payments->stop();
  EXPECT_EQ(receiver.requests(), 0);
  EXPECT_EQ(state_of(*payments)["counters"]["requests"], 0);
}

TEST(Start, NamesWhatTheTopologyDoesNotHave) {
  const auto unknown = DemoService::start(checkout_topology(), loopback("paymets"));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(unknown.error().what, "unknown service 'paymets'");
  EXPECT_EQ(unknown.error().fix, "did you mean payments?");
  DemoOptions options = loopback("payments");
  options.workload = "v9";
  ASSERT_FALSE(DemoService::start(checkout_topology(), options));
}

}  // namespace
}  // namespace hopcheck::demo
