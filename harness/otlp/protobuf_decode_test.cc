#include <gtest/gtest.h>
#include <pthread.h>

#include <protozero/pbf_writer.hpp>

#include "base/rng.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/test_data.h"

namespace hopcheck::otlp {
namespace {

using protozero::pbf_writer;

std::string message(std::initializer_list<std::pair<uint32_t, std::string>> fields) {
  std::string out;
  pbf_writer writer(out);
  for (const auto& [number, bytes] : fields) writer.add_bytes(number, bytes);
  return out;
}
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kSmallStack = 512 * 1024;  // sanitizers need room of their own
#else
constexpr size_t kSmallStack = 64 * 1024;
#endif
const std::string kTrace(16, '\x11'), kSpan(8, '\x22');
std::string request_of(const std::string& span) { return message({{1, message({{2, message({{2, span}})}})}}); }

struct Decoded {
  std::string body;  // the spans point into it
  Arena arena;
  std::vector<Span> spans;
  Result<DecodeNotes> notes;
  explicit Decoded(std::string bytes) : body(std::move(bytes)), notes(decode_protobuf(body, arena, spans)) {}
};

std::string real_body() {
  Arena arena;
  std::vector<Span> spans;
  EXPECT_TRUE(decode_json(lines_of(capture_path("1.30-1.38-grpc-app-gateway-plain"))[0], arena, spans));
  return encode_protobuf(spans);
}

TEST(ProtobufDecode, EmptyRequestHasNoSpans) {
  const Decoded decoded("");
  ASSERT_TRUE(decoded.notes);
  EXPECT_TRUE(decoded.spans.empty());
}

TEST(ProtobufDecode, TruncationAtEveryOffsetIsRefusedOrShorterAndAtomic) {
  const std::string body = real_body();
  for (size_t size = 1; size < body.size(); ++size) {
    Arena arena;
    std::vector<Span> spans(1);
    const std::string cut(body, 0, size);  // its own allocation: a sanitizer sees a read past the end
    EXPECT_FALSE(decode_protobuf(cut, arena, spans)) << size;
    EXPECT_EQ(spans.size(), 1u);
  }
}

TEST(ProtobufDecode, BitFlipsNeverCrash) {
  const std::string body = real_body();
  Rng rng(7);
  for (int i = 0; i < 20000; ++i) {
    std::string flipped = body;
    for (uint64_t n = rng.below(3) + 1; n > 0; --n) {
      flipped[rng.below(flipped.size())] ^= static_cast<char>(1u << rng.below(8));
    }
    const Decoded decoded(flipped);
    EXPECT_TRUE(decoded.notes.has_value() || decoded.spans.empty());
  }
}

TEST(ProtobufDecode, ErrorNamesPathAndOffset) {
  const std::string body = request_of(message({{1, kTrace}}) + std::string("\x38\x01", 2));  // start time as a varint
  const Decoded decoded(body);
  ASSERT_FALSE(decoded.notes);
  EXPECT_EQ(decoded.notes.error().kind, ErrorKind::kEvidence);
  EXPECT_EQ(decoded.notes.error().what,
            "OTLP protobuf resource_spans[0].scope_spans[0].spans[0]: span field with a wrong wire type at byte 26");
}

TEST(ProtobufDecode, BadWireIsRefused) {
  const std::pair<const char*, std::string> cases[] = {
      {"field 0", std::string("\x02\x00", 2)},
      {"wire type 6", "\x0e"},
      {"wire type 7", "\x0f"},
      {"stray end group", "\x0c"},
      {"varint of 11 bytes", "\x10" + std::string(10, '\xff') + "\x01"},
      {"varint above 64 bits", "\x10" + std::string(9, '\xff') + "\x02"},
      {"length above the rest", "\x0a\x05"},
      {"length of 2^63", "\x0a" + std::string(9, '\x80') + "\x01"},
      {"open group", "\x13\x10\x01"},
      {"group closed by another", "\x13\x1c"},
  };
  for (const auto& [name, body] : cases) EXPECT_FALSE(Decoded(body).notes) << name;
}

TEST(ProtobufDecode, UnknownFieldsAndGroupsAreSkipped) {
  std::string body = "\x9b\x06\x10\x01\x9c\x06";  // group 99 holding a varint
  pbf_writer writer(body);
  writer.add_uint64(536870911, 7);
  writer.add_message(1, message({{2, message({{2, message({{1, kTrace}, {2, kSpan}, {77, "x"}})}})}}));
  const Decoded decoded(body);
  ASSERT_TRUE(decoded.notes) << decoded.notes.error().what;
  ASSERT_EQ(decoded.spans.size(), 1u);
  EXPECT_TRUE(decoded.spans[0].ids_valid);
}

TEST(ProtobufDecode, GroupsNestedTooDeepAreRefused) {
  EXPECT_TRUE(Decoded(std::string(100, '\x13') + std::string(100, '\x14')).notes);
  EXPECT_FALSE(Decoded(std::string(101, '\x13') + std::string(101, '\x14')).notes);
  EXPECT_FALSE(Decoded(std::string(200000, '\x13')).notes);
}

std::string nested(int levels, uint32_t container) {
  std::string value = message({{1, "x"}});
  for (int i = 0; i < levels; ++i) {
    const std::string item = container == 5 ? value : message({{1, "k"}, {2, value}});
    value = message({{container, message({{1, item}})}});
  }
  return request_of(message({{1, kTrace}, {2, kSpan}, {9, message({{1, "a"}, {2, value}})}}));
}

TEST(ProtobufDecode, NestedValuesToTheLimitAndNoFurther) {
  for (const uint32_t container : {5u, 6u}) {
    EXPECT_TRUE(Decoded(nested(kMaxDepth, container)).notes);
    const Decoded deeper(nested(kMaxDepth + 1, container));
    ASSERT_FALSE(deeper.notes);
    EXPECT_NE(deeper.notes.error().what.find("too deep"), std::string::npos);
    EXPECT_FALSE(Decoded(nested(3000, container)).notes);
  }
}

// The code is iterative: nesting to the limit fits a stack of 64 KiB, and deeper nesting is refused on it.
TEST(ProtobufDecode, ASmallStackIsEnough) {
  const auto on_small_stack = [](void*) -> void* {
    for (const uint32_t container : {5u, 6u}) {
      EXPECT_TRUE(Decoded(nested(kMaxDepth, container)).notes);
      EXPECT_FALSE(Decoded(nested(5000, container)).notes);
    }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, kSmallStack), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, on_small_stack, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST(ProtobufDecode, OneLargeAttributeAndAMillionSmallOnes) {
  const std::string large(60u << 20, 'x');
  const Decoded one(
      request_of(message({{1, kTrace}, {2, kSpan}, {9, message({{1, "k"}, {2, message({{1, large}})}})}})));
  ASSERT_TRUE(one.notes);
  EXPECT_EQ(one.spans.at(0).attributes.text("k").size(), large.size());
  std::string span = message({{1, kTrace}, {2, kSpan}});
  for (int i = 0; i < 1000000; ++i) span += std::string("\x4a\x03\x0a\x01k", 5);
  const Decoded many(request_of(span));
  ASSERT_TRUE(many.notes);
  EXPECT_EQ(many.spans.at(0).attributes.size, 1000000u);
}

TEST(ProtobufDecode, MoreSpansThanOneBodyMayHaveAreRefused) {
  std::string spans;
  for (int i = 0; i < 1100000; ++i) spans += std::string("\x12\x00", 2);
  const Decoded decoded(message({{1, message({{2, spans}})}}));
  ASSERT_FALSE(decoded.notes);
  EXPECT_NE(decoded.notes.error().what.find("too many spans"), std::string::npos);
}

TEST(ProtobufDecode, LastWinsAndMessagesMerge) {
  std::string span = message({{1, kTrace}, {2, kSpan}, {5, "first"}});
  pbf_writer writer(span);
  writer.add_bytes(15, message({{2, "kept"}}));
  std::string code;
  pbf_writer(code).add_enum(3, 2);
  writer.add_bytes(15, code);
  // A value set twice: the array goes on, then a string replaces it, then a fresh array replaces that.
  const std::string item = message({{1, message({{1, "i"}})}});
  const std::string twice = message({{5, item}}) + message({{5, item}});
  const std::string replaced = twice + message({{1, "s"}}) + message({{5, item}});
  writer.add_bytes(9, message({{1, "old"}, {1, "twice"}, {2, twice}}));
  writer.add_bytes(9, message({{1, "split"}, {2, message({{5, item}})}, {2, message({{5, item}})}}));
  writer.add_bytes(9, message({{1, "replaced"}, {2, replaced}}));
  writer.add_bytes(5, "second");
  const std::string resource_one = message({{1, message({{1, "service.name"}, {2, message({{1, "one"}})}})}});
  const std::string resource_two = message({{1, message({{1, "other"}, {2, message({{1, "two"}})}})}});
  // The resource after the spans, in two pieces.
  const std::string body =
      message({{1, message({{1, resource_one}, {2, message({{2, span}})}, {1, resource_two}})}});
  const Decoded decoded(body);
  ASSERT_TRUE(decoded.notes) << decoded.notes.error().what;
  const Span& got = decoded.spans.at(0);
  EXPECT_EQ(got.name, "second");
  EXPECT_EQ(got.status, StatusCode::kError);
  EXPECT_EQ(got.status_message, "kept");
  const std::string two_items = R"({"arrayValue":{"values":[{"stringValue":"i"},{"stringValue":"i"}]}})";
  EXPECT_EQ(got.attributes.find("twice")->text, two_items);
  EXPECT_EQ(got.attributes.find("split")->text, two_items);
  EXPECT_EQ(got.attributes.find("replaced")->text, R"({"arrayValue":{"values":[{"stringValue":"i"}]}})");
  EXPECT_EQ(got.resource->service_name, "one");
  EXPECT_EQ(got.resource->attributes.text("other"), "two");
}

TEST(ProtobufDecode, InvalidIdsKeepTheSpanWithANote) {
  const std::pair<std::string, const char*> cases[] = {
      {message({{2, kSpan}}), "invalid id: trace id missing"},
      {message({{1, std::string(16, '\0')}, {2, kSpan}}), "invalid id: trace id all zero"},
      {message({{1, std::string(15, 'x')}, {2, kSpan}}), "invalid id: trace id malformed"},
      {message({{1, kTrace}, {2, std::string(9, 'x')}}), "invalid id: span id malformed"},
      {message({{1, kTrace}, {2, kSpan}, {4, "x"}}), "invalid id: parent span id malformed"},
  };
  for (const auto& [span, note] : cases) {
    const Decoded decoded(request_of(span));
    ASSERT_TRUE(decoded.notes);
    ASSERT_EQ(decoded.spans.size(), 1u);
    EXPECT_FALSE(decoded.spans[0].ids_valid);
    ASSERT_EQ(decoded.notes->notes.size(), 1u);
    EXPECT_EQ(decoded.notes->notes[0], std::string("resource_spans[0].scope_spans[0].spans[0]: ") + note);
  }
}

TEST(ProtobufDecode, OddThingsAreNoted) {
  std::string span = message({{1, kTrace}, {2, kSpan}, {5, "\xff"}, {9, message({{1, "\xc0\x80"}})}});
  pbf_writer(span).add_enum(6, 9);
  std::string body = request_of(span);
  pbf_writer(body).add_message(1, message({{1000, "old"}}));
  const Decoded decoded(body);
  ASSERT_TRUE(decoded.notes);
  EXPECT_EQ(decoded.notes->resource_spans, 2u);
  ASSERT_EQ(decoded.notes->note_count, 4u);
  EXPECT_NE(decoded.notes->notes[0].find("invalid UTF-8 in name"), std::string::npos);
  EXPECT_NE(decoded.notes->notes[1].find("invalid UTF-8 in an attribute"), std::string::npos);
  EXPECT_NE(decoded.notes->notes[2].find("unknown span kind 9"), std::string::npos);
  EXPECT_NE(decoded.notes->notes[3].find("removed field"), std::string::npos);
  EXPECT_EQ(decoded.spans[0].name, "\xff");
}

TEST(ProtobufDecode, AJsonBodyIsRefused) {
  EXPECT_FALSE(Decoded("{}").notes);
  for (const std::string& line : lines_of(capture_path("1.30-1.38-grpc-app-gateway-plain"))) {
    EXPECT_FALSE(Decoded(line).notes);
  }
}

TEST(ProtobufDecode, ManySmallThingsTakeLinearTimeAndBoundedNotes) {
  std::string many;
  for (int i = 0; i < 1000000; ++i) many += std::string("\x0a\x00", 2);
  const Decoded empty(many);
  ASSERT_TRUE(empty.notes);
  EXPECT_EQ(empty.notes->resource_spans, 1000000u);
  std::string spans;
  for (int i = 0; i < 300000; ++i) spans += std::string("\x12\x00", 2);
  const Decoded invalid(message({{1, message({{2, spans}})}}));
  ASSERT_TRUE(invalid.notes);
  EXPECT_EQ(invalid.spans.size(), 300000u);
  EXPECT_EQ(invalid.notes->note_count, 300000u);
  EXPECT_EQ(invalid.notes->notes.size(), 16u);
}

}  // namespace
}  // namespace hopcheck::otlp
