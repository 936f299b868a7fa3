// Both encodings against each other on everything that was recorded.
#include <gtest/gtest.h>

#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/test_data.h"

namespace hopcheck::otlp {
namespace {

TEST(Codec, EveryRecordedExportSurvivesBothEncodings) {
  size_t lines = 0, spans = 0;
  for (const std::string& path : all_captures()) {
    for (const std::string& line : lines_of(path)) {
      Arena arena;
      std::vector<Span> from_json, from_protobuf;
      const auto notes = decode_json(line, arena, from_json);
      ASSERT_TRUE(notes) << path << notes.error().what;
      EXPECT_EQ(notes->note_count, 0u) << notes->notes[0];
      const std::string wire = encode_protobuf(from_json);
      const auto again = decode_protobuf(wire, arena, from_protobuf);
      ASSERT_TRUE(again) << path << again.error().what;
      EXPECT_EQ(again->note_count, 0u);
      ASSERT_EQ(encode_json(from_json), encode_json(from_protobuf)) << path;
      ++lines;
      spans += from_json.size();
    }
  }
  EXPECT_GE(lines, 834u);
  EXPECT_GE(spans, 3823u);
}

size_t span_count(const char* name) {
  Arena arena;
  std::vector<Span> spans;
  for (const std::string& line : lines_of(capture_path(name))) {
    EXPECT_TRUE(decode_json(line, arena, spans));
  }
  return spans.size();
}

TEST(Codec, CountsAreThoseOfTheRecording) {
  EXPECT_EQ(span_count("1.30-1.38-grpc-app-gateway-plain"), 147u);
  EXPECT_EQ(span_count("1.30-1.38-grpc-app-gateway-sdk-plain"), 450u);
  EXPECT_EQ(span_count("1.30-1.38-grpc-app-gateway-sampling50-plain"), 711u);
  EXPECT_EQ(span_count("1.30-1.38-grpc-app-mesh-passthrough"), 1u);
}

TEST(Codec, FieldsOfARecordedSpan) {
  Arena arena;
  std::vector<Span> spans;
  ASSERT_TRUE(decode_json(lines_of(capture_path("1.30-1.38-grpc-app-gateway-sdk-plain"))[0], arena, spans));
  const Span& span = spans.at(0);
  EXPECT_EQ(to_hex(span.trace_id), "e2e911e0415f107a59b10e5e05c90b46");
  EXPECT_EQ(to_hex(span.span_id), "e30cbfa66f118af2");
  EXPECT_EQ(to_hex(span.parent_id), "e40b3dbda028676b");
  EXPECT_EQ(span.name, "checkout.shop.svc.cluster.local:8080/*");
  EXPECT_EQ(span.kind, SpanKind::kServer);
  EXPECT_EQ(span.start_unix_nanos, 1795235659732208000u);
  EXPECT_EQ(span.end_unix_nanos, 1795235659745234000u);
  EXPECT_EQ(span.attributes.text("http.url"), "http://checkout:8080/checkout");
  EXPECT_EQ(span.resource->service_name, "checkout.shop");
  EXPECT_TRUE(span.scope->present);
  EXPECT_EQ(span.scope->name, "envoy");
  EXPECT_TRUE(span.ids_valid);
}

// One span with every kind of value; its JSON, and the same from protobuf.
TEST(Codec, NestedValuesReadTheSameFromBothEncodings) {
  const std::string json =
      R"({"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{"traceId":"000000000000000000000000000000AB",)"
      R"("spanId":"00000000000000cd","parentSpanId":"","name":"n\u00e9\n","kind":5,"startTimeUnixNano":7,"endTimeUnixNano":"8",)"
      R"("attributes":[{"key":"l","value":{"arrayValue":{"values":[{"intValue":5},{"stringValue":"a\"b"},{},{"arrayValue":{}},)"
      R"({"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}},{"key":"e"}]}}]}}},)"
      R"({"key":"d","value":{"doubleValue":-0.5}},{"key":"b","value":{"bytesValue":"AAEC/w=="}},)"
      R"({"key":"inf","value":{"doubleValue":"Infinity"}},{"key":"none","value":{}}],)"
      R"("events":[{"name":"e","timeUnixNano":"1"},{}],"links":[{}],"status":{"message":"no","code":2},"flags":257}]}]}]})";
  Arena arena;
  std::vector<Span> one, two;
  const auto notes = decode_json(json, arena, one);
  ASSERT_TRUE(notes) << notes.error().what;
  const std::string wire = encode_protobuf(one);
  const auto again = decode_protobuf(wire, arena, two);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(encode_json(one), encode_json(two));
  ASSERT_EQ(two.size(), 1u);
  const Span& span = two[0];
  EXPECT_EQ(span.attributes.find("l")->text,
            R"({"arrayValue":{"values":[{"intValue":"5"},{"stringValue":"a\"b"},{},{"arrayValue":{"values":[]}},)"
            R"({"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}},{"key":"e","value":{}}]}}]}})");
  EXPECT_EQ(span.attributes.find("d")->real, -0.5);
  EXPECT_EQ(span.attributes.find("b")->text, std::string_view("\0\1\2\xff", 4));
  EXPECT_EQ(span.attributes.find("none")->type, AnyValue::Type::kEmpty);
  EXPECT_EQ(span.event_count, 2u);
  EXPECT_EQ(span.link_count, 1u);
  EXPECT_EQ(span.status, StatusCode::kError);
  EXPECT_EQ(span.status_message, "no");
  EXPECT_EQ(span.flags, 257u);
  EXPECT_EQ(span.kind, SpanKind::kConsumer);
  EXPECT_EQ(span.name, "n\xc3\xa9\n");
  EXPECT_FALSE(span.scope->present);
}

TEST(JsonEscape, InvalidUtf8AndControlCharacters) {
  EXPECT_EQ(json_escape("a\"\\\n\x01\x7f"), "a\\\"\\\\\\n\\u0001\x7f");
  EXPECT_EQ(json_escape("\xc3\xa9\xff\xed\xa0\x80"), "\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(json_escape("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
}

}  // namespace
}  // namespace hopcheck::otlp
