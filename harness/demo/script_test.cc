#include "demo/script.h"

#include <gtest/gtest.h>

#include "demo/demo_support.h"

namespace hopcheck::demo {
namespace {

Call call_to(const std::string& to, const std::string& parent = "") {
  Call call;
  call.to = to;
  call.parent = parent;
  return call;
}

// A topology whose first service "a" is to be filled by the test; b, c and d can be called.
Topology with_targets() {
  Topology topology;
  topology.ns = "shop";
  for (const char* name : {"a", "b", "c", "d"}) {
    Service service;
    service.name = name;
    service.ports = {ServicePort{"http", "", 80, 8080}, ServicePort{"admin", "", 81, 8081}};
    service.spans = {{"root", SpanKind::kServer, ""}};
    topology.services.push_back(service);
  }
  return topology;
}

std::string compiled(const Topology& topology, const std::string& version = "") {
  const Result<Script> script = compile_script(topology, topology.services[0], version);
  return script ? to_text(*script) : "error: " + script.error().why;
}

TEST(Script, SpansWithoutCallsRunBeforeTheCalls) {
  const Topology topology = checkout_topology();
  EXPECT_EQ(compiled(topology), "call checkout");
  const Result<Script> checkout = compile_script(topology, topology.services[1], "v1");
  ASSERT_TRUE(checkout);
  EXPECT_EQ(to_text(*checkout), "open SELECT cart, close SELECT cart, call payments");
  const Result<Script> payments = compile_script(topology, topology.services[2], "v1");
  ASSERT_TRUE(payments);
  EXPECT_EQ(to_text(*payments), "open INSERT txn, close INSERT txn");
}

TEST(Script, SpansWithCallsOpenAroundThemAndNest) {
  Topology topology = with_targets();
  Service& a = topology.services[0];
  a.spans = {{"root", SpanKind::kServer, ""},    {"outer", SpanKind::kInternal, ""},
             {"inner", SpanKind::kInternal, "outer"}, {"prepare", SpanKind::kInternal, "outer"},
             {"detail", SpanKind::kInternal, "prepare"}, {"first", SpanKind::kInternal, "root"}};
  a.calls = {call_to("b"), call_to("c", "inner"), call_to("d", "outer"), call_to("b")};
  EXPECT_EQ(compiled(topology),
            "open first, close first, call b, open outer, open prepare, open detail, close detail, close prepare, "
            "open inner, call c, close inner, call d, close outer, call b");
}

TEST(Script, NeighbouringParallelCallsAreOneStep) {
  Topology topology = with_targets();
  std::vector<Call>& calls = topology.services[0].calls;
  calls = {call_to("b"), call_to("c"), call_to("d"), call_to("b")};
  calls[1].parallel = calls[2].parallel = true;
  EXPECT_EQ(compiled(topology), "call b, call c+d, call b");
}

TEST(Script, CountRepeatsInSequenceOrTogether) {
  Topology topology = with_targets();
  std::vector<Call>& calls = topology.services[0].calls;
  calls = {call_to("b")};
  calls[0].count = 3;
  EXPECT_EQ(compiled(topology), "call b, call b, call b");
  calls[0].parallel = true;
  EXPECT_EQ(compiled(topology), "call b+b+b");
  calls[0].count = 0;
  EXPECT_EQ(compiled(topology), "");
}

TEST(Script, VersionsChooseTheirCalls) {
  Topology topology = with_targets();
  topology.services[0].calls = {call_to("b"), call_to("c")};
  topology.services[0].calls[1].when = {"v2", "v3"};
  EXPECT_EQ(compiled(topology, "v1"), "call b");
  EXPECT_EQ(compiled(topology, "v3"), "call b, call c");
  EXPECT_EQ(compiled(topology, ""), "call b");
}

TEST(Script, ServicesWithoutSdkHaveNoSpans) {
  Topology topology = with_targets();
  topology.services[0].instrumentation = Instrumentation::kForward;
  topology.services[0].client_spans = true;
  topology.services[0].calls = {call_to("b")};
  const Result<Script> script = compile_script(topology, topology.services[0], "");
  ASSERT_TRUE(script);
  EXPECT_TRUE(script->spans.empty());
  EXPECT_FALSE(script->client_spans);
  EXPECT_EQ(script->calls[0].span, -1);
  EXPECT_EQ(script->calls[0].port, 80);
  EXPECT_EQ(script->calls[0].ns, "shop");
}

TEST(Script, NamesWhatIsWrong) {
  const auto broken = [](auto change) {
    Topology topology = with_targets();
    change(topology.services[0]);
    return compiled(topology);
  };
  EXPECT_EQ(broken([](Service& a) { a.calls = {call_to("x")}; }), "error: it calls 'x', which is not in the topology");
  EXPECT_EQ(broken([](Service& a) { a.calls = {call_to("b")}, a.calls[0].port = 82; }),
            "error: it calls port 82 of 'b', which that service does not have");
  EXPECT_EQ(broken([](Service& a) { a.calls = {call_to("b", "x")}; }),
            "error: its call to 'b' has the unknown parent 'x'");
  EXPECT_EQ(broken([](Service& a) { a.spans.clear(); }), "error: its instrumentation is sdk, but it lists no spans");
  EXPECT_EQ(broken([](Service& a) { a.spans.push_back(a.spans[0]); }), "error: two of its spans are called 'root'");
  EXPECT_EQ(broken([](Service& a) { a.spans.push_back({"s", SpanKind::kInternal, "x"}); }),
            "error: span 's' has the unknown parent 'x'");
  EXPECT_EQ(broken([](Service& a) {
              a.spans.push_back({"s", SpanKind::kInternal, "t"});
              a.spans.push_back({"t", SpanKind::kInternal, "s"});
            }),
            "error: the parents of span 's' form a circle");
  EXPECT_EQ(broken([](Service& a) { a.calls = {call_to("b")}, a.calls[0].count = 257; }),
            "error: it makes more than 256 calls");
}

}  // namespace
}  // namespace hopcheck::demo
