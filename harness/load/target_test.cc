#include "load/target.h"

#include <gtest/gtest.h>

namespace hopcheck::load {
namespace {

LoadPlan some_plan() {
  LoadPlan plan;
  plan.tag.nonce = 0xabcdef0123456789;
  plan.count = 1;
  plan.base_url = "http://127.0.0.1:30080";
  plan.journeys = {{"checkout", 1, "POST", "/checkout"}};
  return plan;
}

TEST(BaseUrl, Parts) {
  const Result<Target> plain = parse_base_url("http://frontend.shop.svc.cluster.local");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->host, "frontend.shop.svc.cluster.local");
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->host_header, "frontend.shop.svc.cluster.local");
  EXPECT_EQ(plain->path_prefix, "");
  const Result<Target> full = parse_base_url("http://127.0.0.1:30080/shop/v1//");
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->host, "127.0.0.1");
  EXPECT_EQ(full->port, 30080);
  EXPECT_EQ(full->host_header, "127.0.0.1:30080");
  EXPECT_EQ(full->path_prefix, "/shop/v1");
  const Result<Target> v6 = parse_base_url("http://[::1]:8080/");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 8080);
  EXPECT_EQ(v6->host_header, "[::1]:8080");
}

TEST(BaseUrl, RefusesWhatItCannotDrive) {
  for (const char* url : {"", "http://", "https://a", "ftp://a", "a:80", "http://a:", "http://a:0", "http://a:65536",
                          "http://a:8x", "http://user@a", "http://a b", "http://a/?q", "http://a/#f", "http://a/ b",
                          "http://[::1", "http://[]:1", "http://a\r\nX: y", "http://a/\r\n", "http://a:80:80"}) {
    const Result<Target> target = parse_base_url(url);
    EXPECT_FALSE(target.has_value()) << url;
    if (!target) {
      EXPECT_EQ(target.error().kind, ErrorKind::kUsage);
    }
  }
}

TEST(CheckPlan, RefusesValuesThatWouldSplitARequestOrNeverEnd) {
  EXPECT_TRUE(check_plan(some_plan()).has_value());
  const auto refused = [](auto change) {
    LoadPlan plan = some_plan();
    change(plan);
    return !check_plan(plan).has_value();
  };
  EXPECT_TRUE(refused([](LoadPlan& p) { p.rate = 0; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.rate = -1; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.rate = std::numeric_limits<double>::quiet_NaN(); }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.rate = std::numeric_limits<double>::infinity(); }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.timeout_nanos = 0; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.max_in_flight = 0; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.max_in_flight = 1'000'000; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.journeys.clear(); }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.journeys[0].method = "GET /evil"; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.journeys[0].path = "no-slash"; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.journeys[0].path = "/a\r\nX: y"; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.host_header = "a\nb"; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.trace_state = "a=1\r\nX: y"; }));
  EXPECT_TRUE(refused([](LoadPlan& p) { p.trace_state = std::string(10'000, 'a'); }));
}

TEST(RequestText, HoldsEverythingOfOurs) {
  LoadPlan plan = some_plan();
  plan.host_header = "checkout.hopcheck.test";
  plan.base_url += "/v1";
  plan.trace_state = "hop=n{n}";
  const plan::TagCipher cipher(plan.tag);
  const Intent intent = plan::intent_at(plan, cipher, 0);
  EXPECT_EQ(request_text(plan, *check_plan(plan), cipher, intent),
            "POST /v1/checkout?hop=abcdef01-0 HTTP/1.1\r\n"
            "Host: checkout.hopcheck.test\r\n"
            "User-Agent: hopcheck/abcdef01\r\n"
            "Accept: */*\r\n"
            "traceparent: " + plan::traceparent_of(intent) + "\r\n"
            "tracestate: hop=n0\r\n"
            "x-request-id: " + intent.request_id + "\r\n"
            "Content-Length: 0\r\n"
            "\r\n");
}

TEST(RequestText, HeaderlessModeSendsWhatCurlWould) {
  LoadPlan plan = some_plan();
  plan.traceparent = TraceparentMode::kNone;
  plan.trace_state = "hop=n{n}";
  plan.journeys[0].method = "GET";
  const plan::TagCipher cipher(plan.tag);
  EXPECT_EQ(request_text(plan, *check_plan(plan), cipher, plan::intent_at(plan, cipher, 0)),
            "GET /checkout?hop=abcdef01-0 HTTP/1.1\r\n"
            "Host: 127.0.0.1:30080\r\n"
            "User-Agent: hopcheck/abcdef01\r\n"
            "Accept: */*\r\n"
            "\r\n");
}

}  // namespace
}  // namespace hopcheck::load
