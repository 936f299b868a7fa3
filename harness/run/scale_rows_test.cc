// Rows S5 and S6 of otlp-and-faults.md, section 2.4: traces of any size and shape in linear time on a bounded stack,
// and ids that were chosen to collide. Processor time is measured, so that a busy machine does not count.
#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>

#include "run/test_row_mesh.h"

namespace hopcheck::run {
namespace {

constexpr size_t kSmall = 25'000, kLarge = 200'000;

class ScaleRow : public RowMesh {
 protected:
  enum class Shape { kChain, kStar };
  using NewId = std::function<SpanId(size_t)>;  // of the i-th span; empty: random

  // One request whose trace has `count` spans more than its topology says, one below the other or all below one.
  sim::Mesh grown(Shape shape, size_t count, const NewId& new_id = {}) {
    sim::Ground one;
    one.requests = 1;
    sim::Mesh mesh = make("checkout", one);
    sim::Hand hand(mesh, arena_, rng_);
    const size_t app = find(hand, "payments", ProxyRole::kNone);
    Span span = mesh.spans[app];
    span.name = "bulk";
    mesh.spans.reserve(mesh.spans.size() + count);
    for (size_t i = 0; i < count; ++i) {
      if (shape == Shape::kChain || i == 0) span.parent_id = i == 0 ? mesh.spans[app].span_id : span.span_id;
      span.span_id = new_id ? new_id(i) : hand.new_span_id();
      mesh.spans.push_back(span);
      mesh.origin.push_back({0, mesh.origin[app].node, sim::Origin::Kind::kExtra});
    }
    return mesh;
  }

  double seconds(const sim::Mesh& mesh, const Names& wanted) {
    const std::clock_t begin = std::clock();
    const check::JudgeResult result = judge(mesh);
    const double used = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    EXPECT_EQ(names(result), wanted);
    EXPECT_EQ(result.spans_stored, mesh.spans.size());
    return used;
  }

  // The least of three, which neighbours on the machine disturb least.
  double best_seconds(const sim::Mesh& mesh, const Names& wanted) {
    return std::min({seconds(mesh, wanted), seconds(mesh, wanted), seconds(mesh, wanted)});
  }

  // Requests that nobody sent: `count` traces of one span, ids from `id`.
  template <class Id>
  sim::Mesh strangers(size_t count, Id id) {
    sim::Ground one;
    one.requests = 1;
    sim::Mesh mesh = make("checkout", one);
    Span span = mesh.spans.back();
    span.parent_id = {};
    for (size_t i = 0; i < count; ++i) {
      span.trace_id = id(i);
      std::memcpy(span.span_id.bytes.data(), span.trace_id.bytes.data() + (i % 2) * 8, 8);
      mesh.spans.push_back(span);
      mesh.origin.push_back({0, 0, sim::Origin::Kind::kExtra});
    }
    return mesh;
  }
};
class RowS5 : public ScaleRow {};
class RowS6 : public ScaleRow {};

TEST_F(RowS5, TimeGrowsWithTheSizeOfATraceWhateverItsShape) {
  const Names wanted{"HOP1102 service=payments object=bulk"};
  for (const Shape shape : {Shape::kChain, Shape::kStar}) {
    const double small = best_seconds(grown(shape, kSmall), wanted);
    const double large = best_seconds(grown(shape, kLarge), wanted);
    // Eight times the spans; what is quadratic would take 64 times as long. Caches, and neighbours on the machine, are
    // worth a factor of four: 25 times was measured while a cluster started beside it.
    EXPECT_LT(large, small * 32 + 0.1) << "chain or star " << static_cast<int>(shape);
  }
}

TEST_F(RowS5, AMillionSpansInOneTraceAreJudgedAndTheReportStaysSmall) {
  const sim::Mesh mesh = grown(Shape::kStar, 1'000'000);
  const check::JudgeResult result = judge(mesh);
  EXPECT_EQ(names(result), Names{"HOP1102 service=payments object=bulk"});
  EXPECT_EQ(result.spans_by_class[static_cast<size_t>(SpanClass::kUnexpected)], 1'000'000u);
  for (const Exhibit& exhibit : result.scenarios[0].exhibits) EXPECT_LE(exhibit.observed.size(), 200u);
}

// Deeper than any stack would hold frames for.
TEST_F(RowS5, AChainOfAMillionSpansNeedsNoStack) {
  EXPECT_EQ(names(grown(Shape::kChain, 1'000'000)), Names{"HOP1102 service=payments object=bulk"});
}

TEST_F(RowS6, IdsThatAreEqualInOneHalfCostNoMoreThanOthers) {
  constexpr size_t kCount = 200'000;
  Rng rng(5);
  const auto timed = [&](auto id) { return seconds(strangers(kCount, id), {}); };
  const auto with_halves = [&](uint64_t high, uint64_t low) {
    TraceId id;
    std::memcpy(id.bytes.data(), &high, 8);
    std::memcpy(id.bytes.data() + 8, &low, 8);
    return id;
  };
  const double usual = timed([&](size_t) { return with_halves(rng.next() | 1, rng.next() | 1); });
  const double same_high = timed([&](size_t i) { return with_halves(77, i + 1); });
  const double same_low = timed([&](size_t i) { return with_halves(i + 1, 77); });
  EXPECT_LT(same_high, usual * 2 + 0.2);
  EXPECT_LT(same_low, usual * 2 + 0.2);
}

TEST_F(RowS6, SpanIdsThatAreEqualInOneHalfCostNoMoreEither) {
  constexpr size_t kCount = 200'000;
  const Names wanted{"HOP1102 service=payments object=bulk"};
  const auto with_halves = [](uint32_t high, uint32_t low) {
    SpanId id;
    std::memcpy(id.bytes.data(), &high, 4);
    std::memcpy(id.bytes.data() + 4, &low, 4);
    return id;
  };
  const auto counted = [](size_t i) { return static_cast<uint32_t>(i) + 1; };
  for (const Shape shape : {Shape::kChain, Shape::kStar}) {
    const double usual = seconds(grown(shape, kCount), wanted);
    const NewId same_high = [&](size_t i) { return with_halves(77, counted(i)); };
    const NewId same_low = [&](size_t i) { return with_halves(counted(i), 77); };
    EXPECT_LT(seconds(grown(shape, kCount, same_high), wanted), usual * 2 + 0.2);
    EXPECT_LT(seconds(grown(shape, kCount, same_low), wanted), usual * 2 + 0.2);
  }
}

}  // namespace
}  // namespace hopcheck::run
