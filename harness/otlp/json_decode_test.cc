#include <gtest/gtest.h>

#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/test_data.h"

namespace hopcheck::otlp {
namespace {

struct Decoded {
  Arena arena;
  std::vector<Span> spans;
  Result<DecodeNotes> notes;
  explicit Decoded(std::string_view body) : notes(decode_json(body, arena, spans)) {}
};

const char kIds[] = R"("traceId":"11111111111111111111111111111111","spanId":"2222222222222222")";
std::string request_of(const std::string& span_fields) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{)" + std::string(kIds) + span_fields + "}]}]}]}";
}

TEST(JsonDecode, EmptyRequests) {
  for (const char* body :
       {"", "{}", R"({"resourceSpans":[]})", R"({"resourceSpans":null})", R"({"resourceSpans":[{}]})",
        R"({"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]})", " \n{ } "}) {
    const Decoded decoded(body);
    ASSERT_TRUE(decoded.notes) << body << ": " << decoded.notes.error().what;
    EXPECT_TRUE(decoded.spans.empty());
  }
}

TEST(JsonDecode, MalformedIsRefused) {
  const std::string bodies[] = {
      "[]", "null", "1", " ", "{", "{}}", "{} x", R"({"resourceSpans":)", R"({"resourceSpans":{}})",
      R"({"resourceSpans":[1]})", R"({"resourceSpans":[{"scopeSpans":[{"spans":"x"}]}]})",
      R"({"x":tru})", R"({"x":[1,]})", R"({"x":"\q"})", R"({"x":1e400})", R"({"x":01})", R"({"x":[nul]})",
      "\xef\xbb\xbf{}", R"({} // comment)", std::string("{\0\"\0", 4), "{\"x\":\"\xff\"}",
      request_of(R"(,"startTimeUnixNano":-1)"), request_of(R"(,"startTimeUnixNano":1.5)"),
      request_of(R"(,"startTimeUnixNano":"-1")"), request_of(R"(,"startTimeUnixNano":"18446744073709551616")"),
      request_of(R"(,"startTimeUnixNano":"")"), request_of(R"(,"startTimeUnixNano":NaN)"), request_of(R"(,"name":5)"),
      request_of(R"(,"attributes":[{"key":"a","value":{"intValue":"1.5"}}])"),
      request_of(R"(,"attributes":[{"key":"a","value":{"bytesValue":"*"}}])"),
      request_of(R"(,"attributes":[{"key":"a","value":{"arrayValue":{"values":{}}}}])"),
      request_of(R"(,"attributes":[{"key":"a","value":"x"}])"), request_of(R"(,"flags":4294967296)"),
      request_of(R"(,"events":[1])"),
  };
  for (const std::string& body : bodies) {
    const Decoded decoded(body);
    EXPECT_FALSE(decoded.notes) << body;
    EXPECT_TRUE(decoded.spans.empty()) << body;
  }
}

TEST(JsonDecode, ErrorNamesPathAndPosition) {
  const Decoded decoded(request_of(R"(,"name":5)"));
  ASSERT_FALSE(decoded.notes);
  EXPECT_EQ(decoded.notes.error().what.rfind("OTLP JSON resourceSpans[0].scopeSpans[0].spans[0]: ", 0), 0u)
      << decoded.notes.error().what;
  EXPECT_NE(decoded.notes.error().what.find(" near byte "), std::string::npos);
}

TEST(JsonDecode, TruncationAtEveryOffsetIsRefused) {
  const std::string line = lines_of(capture_path("1.30-1.38-grpc-app-mesh-passthrough"))[0];
  for (size_t size = 1; size < line.size(); ++size) EXPECT_FALSE(Decoded(std::string(line, 0, size)).notes) << size;
}

TEST(JsonDecode, NumbersAsStringsAndNumbers) {
  const Decoded decoded(request_of(
      R"(,"startTimeUnixNano":18446744073709551615,"endTimeUnixNano":"18446744073709551615","kind":"3","flags":1e2,)"
      R"("attributes":[{"key":"i","value":{"intValue":-9223372036854775808}},{"key":"d","value":{"doubleValue":"-1.5"}},)"
      R"({"key":"n","value":{"doubleValue":3}}])"));
  ASSERT_TRUE(decoded.notes) << decoded.notes.error().what;
  const Span& span = decoded.spans.at(0);
  EXPECT_EQ(span.start_unix_nanos, UINT64_MAX);
  EXPECT_EQ(span.end_unix_nanos, UINT64_MAX);
  EXPECT_EQ(span.flags, 100u);
  EXPECT_EQ(span.attributes.find("i")->integer, INT64_MIN);
  EXPECT_EQ(span.attributes.find("d")->real, -1.5);
  EXPECT_EQ(span.attributes.find("n")->real, 3.0);
}

TEST(JsonDecode, NullIsTheDefault) {
  const Decoded decoded(request_of(
      R"(,"name":null,"kind":null,"startTimeUnixNano":null,"parentSpanId":null,"attributes":null,"status":null,"flags":null,)"
      R"("events":null,"traceState":null)"));
  ASSERT_TRUE(decoded.notes) << decoded.notes.error().what;
  EXPECT_EQ(decoded.notes->note_count, 0u);
  EXPECT_EQ(decoded.spans.at(0).name, "");
  const Decoded values(
      request_of(R"(,"attributes":[null,{"key":null,"value":null},{"key":"a","value":{"stringValue":null}}])"));
  ASSERT_TRUE(values.notes) << values.notes.error().what;
  EXPECT_EQ(values.spans.at(0).attributes.size, 3u);
}

TEST(JsonDecode, DuplicateNamesLastWinsWithANote) {
  const std::string twice = R"({"resourceSpans":[{"scopeSpans":[{"spans":[{},{}]}]}],"resourceSpans":[{"scopeSpans":[)"
                            R"({"spans":[{"name":"lost"}],"spans":[{)" + std::string(kIds) +
                            R"(,"name":"a","name":"b"}]}]}]})";
  const Decoded decoded(twice);
  ASSERT_TRUE(decoded.notes) << decoded.notes.error().what;
  ASSERT_EQ(decoded.spans.size(), 1u);
  EXPECT_EQ(decoded.spans[0].name, "b");
  EXPECT_EQ(decoded.notes->resource_spans, 1u);
  size_t duplicates = 0;
  for (const std::string& note : decoded.notes->notes) duplicates += note.find("duplicate field") != std::string::npos;
  EXPECT_EQ(duplicates, 3u);
}

TEST(JsonDecode, EnumNamesAndSnakeCaseAreNoted) {
  const Decoded names(request_of(R"(,"kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"})"));
  ASSERT_TRUE(names.notes);
  EXPECT_EQ(names.spans.at(0).kind, SpanKind::kServer);
  EXPECT_EQ(names.spans.at(0).status, StatusCode::kError);
  EXPECT_EQ(names.notes->note_count, 2u);
  const Decoded snake(R"({"resource_spans":[{"scope_spans":[]}]})");
  ASSERT_TRUE(snake.notes);
  EXPECT_TRUE(snake.spans.empty());
  ASSERT_EQ(snake.notes->note_count, 1u);
  EXPECT_EQ(snake.notes->notes[0], "request: field in snake_case is ignored: resource_spans");
}

TEST(JsonDecode, IdsInAnyCaseAndInvalidOnes) {
  const Decoded upper(R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"ABCDEF00000000000000000000000001",)"
                      R"("spanId":"ABCDEF0000000001"}]}]}]})");
  ASSERT_TRUE(upper.notes);
  EXPECT_TRUE(upper.spans.at(0).ids_valid);
  EXPECT_EQ(to_hex(upper.spans[0].trace_id), "abcdef00000000000000000000000001");
  for (const char* id : {"", "0", "q83vAAAAAAAAAAAAAAAAAQ==", "00000000000000000000000000000000",
                         "g1111111111111111111111111111111"}) {
    const Decoded bad(
        std::string(R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"ABCDEF0000000001","traceId":")") + id +
        R"("}]}]}]})");
    ASSERT_TRUE(bad.notes) << id;
    EXPECT_FALSE(bad.spans.at(0).ids_valid) << id;
    EXPECT_EQ(bad.notes->note_count, 1u) << id;
  }
}

TEST(JsonDecode, DepthIsBounded) {
  const auto nested = [](int levels) {
    std::string value = R"({"stringValue":"x"})";
    for (int i = 0; i < levels; ++i) value = R"({"kvlistValue":{"values":[{"key":"k","value":)" + value + "}]}}";
    return request_of(R"(,"attributes":[{"key":"a","value":)" + value + "}]");
  };
  const Decoded allowed(nested(kMaxDepth));
  EXPECT_TRUE(allowed.notes) << allowed.notes.error().what;
  const Decoded deeper(nested(kMaxDepth + 1));
  ASSERT_FALSE(deeper.notes);
  EXPECT_NE(deeper.notes.error().what.find("too deep"), std::string::npos) << deeper.notes.error().what;
  const std::string brackets = R"({"unknown":)" + std::string(200000, '[') + std::string(200000, ']') + "}";
  EXPECT_FALSE(Decoded(brackets).notes);
}

TEST(JsonDecode, UnknownFieldsAreIgnored) {
  const Decoded decoded(
      request_of(R"(,"new":{"a":[1,"\u0041",null,true,{"b":-1.5e3}]},"other":"x","droppedLinksCount":3)"));
  ASSERT_TRUE(decoded.notes) << decoded.notes.error().what;
  EXPECT_EQ(decoded.notes->note_count, 0u);
  EXPECT_EQ(decoded.spans.size(), 1u);
}

TEST(JsonDecode, AProtobufBodyIsRefused) {
  Arena arena;
  std::vector<Span> spans;
  ASSERT_TRUE(decode_json(lines_of(capture_path("1.30-1.38-grpc-app-gateway-plain"))[0], arena, spans));
  EXPECT_FALSE(Decoded(encode_protobuf(spans)).notes);
}

TEST(JsonDecode, ALargeBodyThenASmallOne) {
  std::string spans;
  for (int i = 0; i < 60000; ++i) {
    spans += (i > 0 ? ",{" : "{") + std::string(kIds) +
             R"(,"name":"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"})";
  }
  const Decoded large(R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + spans + "]}]}]}");
  ASSERT_TRUE(large.notes);
  EXPECT_EQ(large.spans.size(), 60000u);
  const Decoded small(request_of(""));
  ASSERT_TRUE(small.notes);
  EXPECT_EQ(small.spans.size(), 1u);
  EXPECT_EQ(large.spans.back().name.size(), 72u);
}

}  // namespace
}  // namespace hopcheck::otlp
