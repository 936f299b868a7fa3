#include "plan/intent.h"

#include <gtest/gtest.h>

#include <set>
#include <unordered_set>

namespace hopcheck::plan {
namespace {

constexpr uint64_t kMany = 100'000;

RunTag some_tag() {
  RunTag tag;
  for (size_t i = 0; i < tag.key.size(); ++i) tag.key[i] = static_cast<uint8_t>(i);
  tag.nonce = 0x0011223344556677;
  return tag;
}

LoadPlan some_plan() {
  LoadPlan plan;
  plan.tag = some_tag();
  plan.first_n = 1000;
  plan.count = 10;
  plan.journeys = {{"checkout", 1, "POST", "/checkout"}};
  return plan;
}

// FIPS 197, appendix C.1: key 000102…0f, plaintext 00112233445566778899aabbccddeeff.
TEST(TagCipher, TraceIdIsAesOfNonceAndNumber) {
  EXPECT_EQ(to_hex(TagCipher(some_tag()).trace_id(0x8899aabbccddeeff)), "69c4e0d86a7b0430d8cdb78070b4c55a");
}

TEST(TagCipher, EveryIdIsUniqueAndLeadsBackToItsRequest) {
  const TagCipher cipher(some_tag());
  std::unordered_set<TraceId, IdHash> traces;
  std::unordered_set<SpanId, IdHash> spans;
  for (uint64_t i = 0; i < kMany; ++i) {
    const uint64_t n = i % 2 ? i : ~i;  // both ends of the range
    const TraceId trace = cipher.trace_id(n);
    const SpanId span = cipher.span_id(n);
    ASSERT_EQ(cipher.request_of(trace), n);
    ASSERT_EQ(cipher.request_of(span), n);
    ASSERT_FALSE(trace.is_zero());
    ASSERT_FALSE(span.is_zero());
    traces.insert(trace);
    spans.insert(span);
  }
  EXPECT_EQ(traces.size(), kMany);
  EXPECT_EQ(spans.size(), kMany);
}

TEST(TagCipher, ForeignTraceIdsAreNotOurs) {
  const TagCipher cipher(some_tag());
  RunTag other = some_tag();
  other.nonce += 1;
  const TagCipher next_run(other);
  for (uint64_t n = 0; n < 1000; ++n) {
    TraceId id = cipher.trace_id(n);
    EXPECT_EQ(next_run.request_of(id), std::nullopt);
    id.bytes[n % 16] ^= 1;
    EXPECT_EQ(cipher.request_of(id), std::nullopt);
  }
  EXPECT_EQ(cipher.request_of(TraceId{}), std::nullopt);
}

TEST(TagCipher, RequestIdIsAVersion4UuidThatLeadsBack) {
  const TagCipher cipher(some_tag());
  std::set<std::string> seen;
  for (uint64_t n = 0; n < 1000; ++n) {
    const std::string id = cipher.request_id(n);
    ASSERT_EQ(id.size(), 36u);
    for (const size_t dash : {8, 13, 18, 23}) ASSERT_EQ(id[dash], '-');
    ASSERT_EQ(id[14], '4');
    ASSERT_NE(std::string("89ab").find(id[19]), std::string::npos);
    ASSERT_EQ(cipher.request_of_request_id(id), n);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000u);
  std::string by_envoy = cipher.request_id(7);
  by_envoy[14] = '9';
  EXPECT_EQ(cipher.request_of_request_id(by_envoy), 7u);
  by_envoy[0] = by_envoy[0] == '0' ? '1' : '0';
  EXPECT_EQ(cipher.request_of_request_id(by_envoy), std::nullopt);
  EXPECT_EQ(cipher.request_of_request_id("f81d4fae-7dec-41d0-a765-00a0c91e6bf6"), std::nullopt);
  EXPECT_EQ(cipher.request_of_request_id("------------------------------------"), std::nullopt);
  EXPECT_EQ(cipher.request_of_request_id(""), std::nullopt);
}

TEST(Intent, IsAPureFunctionOfPlanAndIndex) {
  const LoadPlan plan = some_plan();
  const TagCipher first(plan.tag), second(plan.tag);
  const Intent a = intent_at(plan, first, 3), b = intent_at(plan, second, 3);
  EXPECT_EQ(a.n, 1003u);
  EXPECT_EQ(a.trace_id, b.trace_id);
  EXPECT_EQ(a.request_id, b.request_id);
  EXPECT_EQ(a.hop, "00112233-1003");
  EXPECT_EQ(traceparent_of(a), "00-" + to_hex(first.trace_id(1003)) + "-" + to_hex(first.span_id(1003)) + "-01");
}

TEST(Intent, TraceparentModesAndTraceState) {
  LoadPlan plan = some_plan();
  plan.trace_state = "hop=check{n},x={other}";
  const TagCipher cipher(plan.tag);
  EXPECT_EQ(intent_at(plan, cipher, 0).trace_state, "hop=check1000,x={other}");
  plan.traceparent = TraceparentMode::kUnsampled;
  const Intent unsampled = intent_at(plan, cipher, 0);
  EXPECT_FALSE(unsampled.sampled);
  EXPECT_EQ(traceparent_of(unsampled).substr(52), "-00");
  plan.traceparent = TraceparentMode::kNone;
  const Intent bare = intent_at(plan, cipher, 0);
  EXPECT_EQ(traceparent_of(bare), "");
  EXPECT_TRUE(bare.trace_id.is_zero() && bare.span_id.is_zero());
  EXPECT_EQ(bare.trace_state + bare.request_id, "");
  EXPECT_EQ(bare.hop, "00112233-1000");
}

TEST(Intent, DueOffsetsAreExact) {
  LoadPlan plan = some_plan();
  const TagCipher cipher(plan.tag);
  plan.rate = 3;
  EXPECT_EQ(intent_at(plan, cipher, 1).due_offset_nanos, 333'333'333);
  EXPECT_EQ(intent_at(plan, cipher, 3'000'000'000).due_offset_nanos, 1'000'000'000'000'000'000);
  plan.rate = 0.1;
  EXPECT_EQ(intent_at(plan, cipher, 7).due_offset_nanos, 70'000'000'000);
  plan.rate = 1e6;
  EXPECT_EQ(intent_at(plan, cipher, 123'456'789).due_offset_nanos, 123'456'789'000);
  plan.rate = 1e-6;
  EXPECT_EQ(intent_at(plan, cipher, ~0ull).due_offset_nanos, std::numeric_limits<int64_t>::max());
}

TEST(Intent, JourneysFollowTheirWeights) {
  LoadPlan plan = some_plan();
  plan.journeys = {{"a", 1, "GET", "/a"}, {"never", 0, "GET", "/n"}, {"b", 3, "GET", "/b"}};
  const TagCipher cipher(plan.tag);
  std::array<int, 3> drawn{};
  for (uint64_t i = 0; i < kMany; ++i) ++drawn[intent_at(plan, cipher, i).journey];
  EXPECT_EQ(drawn[1], 0);
  // Expected 25 000 with a standard deviation of 137.
  EXPECT_NEAR(drawn[0], 25'000, 700);
  EXPECT_EQ(drawn[0] + drawn[2], static_cast<int>(kMany));
}

TEST(Intent, PathAndUserAgentCarryTheTag) {
  LoadPlan plan = some_plan();
  const TagCipher cipher(plan.tag);
  const auto path = [&](const char* text) {
    plan.journeys[0].path = text;
    return path_of(plan, intent_at(plan, cipher, 0));
  };
  EXPECT_EQ(path("/checkout"), "/checkout?hop=00112233-1000");
  EXPECT_EQ(path("/p?u=normal"), "/p?u=normal&hop=00112233-1000");
  EXPECT_EQ(path("/p?"), "/p?hop=00112233-1000");
  EXPECT_EQ(path("/p?a&"), "/p?a&hop=00112233-1000");
  EXPECT_EQ(user_agent_of(plan, cipher, intent_at(plan, cipher, 0)), "hopcheck/00112233");
  plan.warmup = true;
  EXPECT_EQ(path("/"), "/?hop=00112233-w1000");
  plan.tag_mode = TagMode::kUserAgent;
  EXPECT_EQ(path("/"), "/");
  EXPECT_EQ(user_agent_of(plan, cipher, intent_at(plan, cipher, 0)), "hopcheck/00112233-w1000");
  plan.tag_mode = TagMode::kNone;
  EXPECT_EQ(path("/"), "/");
  EXPECT_EQ(intent_at(plan, cipher, 0).hop, "");
  EXPECT_EQ(user_agent_of(plan, cipher, intent_at(plan, cipher, 0)), "hopcheck/00112233");
}

TEST(ParseHop, FindsTheTagAnywhereInTheQuery) {
  const auto n = [](std::string_view url) -> int64_t {
    const std::optional<HopTag> tag = parse_hop(url, "00112233");
    return tag ? static_cast<int64_t>(tag->n) : -1;
  };
  EXPECT_EQ(n("http://checkout:8080/checkout?hop=00112233-17"), 17);
  EXPECT_EQ(n("/p?u=test&hop=00112233-0&x=1"), 0);
  EXPECT_EQ(n("/p?hop=ffffffff-3&hop=00112233-4"), 4);
  EXPECT_EQ(n("/p?hop=00112233-5#x?hop=00112233-6"), 5);
  for (const char* url :
       {"", "?", "/p?hop=", "/p?hop=00112233", "/p?hop=00112233-", "/p?hop=00112233-w", "/p?hop=00112233-1x",
        "/p?hop=00112233-007", "/p?hop=00112233--1", "/p?hop=00112233-99999999999999999999", "/p?hop=00112234-1",
        "/hop=00112233-1", "/p?shop=00112233-1", "/p#?hop=00112233-1", "/p?hop=00112233-18446744073709551616",
        "/p?hop=00112233-ww1", "/p?hop=00112233_1"}) {
    EXPECT_EQ(n(url), -1) << url;
  }
  EXPECT_EQ(parse_hop("/?hop=00112233-18446744073709551615", "00112233")->n, ~0ull);
  const std::optional<HopTag> warmup = parse_hop("/?hop=00112233-w12", "00112233");
  ASSERT_TRUE(warmup.has_value());
  EXPECT_TRUE(warmup->warmup);
  EXPECT_EQ(warmup->n, 12u);
  EXPECT_EQ(parse_hop("/?hop=-1", ""), std::nullopt);
}

TEST(ParseHop, KnowsTheTagsOfOtherRuns) {
  EXPECT_TRUE(hop_of_another_run("http://details:9080/x?hop=ffffffff-3", "00112233"));
  EXPECT_TRUE(hop_of_another_run("/p?u=1&hop=00112234-w7", "00112233"));
  for (const char* url :
       {"/p", "/p?hop=00112233-3", "/p?hop=ffffffff", "/p?hop=fffffffg-3", "/p?hop=-3", "/p?hop=abc"}) {
    EXPECT_FALSE(hop_of_another_run(url, "00112233")) << url;
  }
}

TEST(ParseHop, HugeHostileUrlIsReadOnce) {
  std::string url = "/?";
  for (int i = 0; i < 200'000; ++i) url += "hop=&";
  EXPECT_EQ(parse_hop(url, "00112233"), std::nullopt);
  EXPECT_EQ(parse_hop(url + "hop=00112233-1", "00112233")->n, 1u);
}

TEST(ParseHop, ReadsBackWhatPathOfWrites) {
  LoadPlan plan = some_plan();
  const TagCipher cipher(plan.tag);
  for (uint64_t i = 0; i < 100; ++i) {
    const Intent intent = intent_at(plan, cipher, i * i * i * 7919);
    EXPECT_EQ(parse_hop(path_of(plan, intent), cipher.run8())->n, intent.n);
  }
}

}  // namespace
}  // namespace hopcheck::plan
