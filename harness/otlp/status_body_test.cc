// The answers of an OTLP server, byte for byte as protobuf's own encoder writes them.
#include "otlp/status_body.h"

#include <gtest/gtest.h>

#include "otlp/json_text.h"

namespace hopcheck::otlp {
namespace {

TEST(StatusBody, PartialSuccessSaysHowManyAndWhy) {
  EXPECT_EQ(partial_body(Encoding::kProtobuf, 2, "old"), std::string("\x0a\x07\x08\x02\x12\x03old"));
  EXPECT_EQ(partial_body(Encoding::kProtobuf, 0, "slow"), std::string("\x0a\x06\x12\x04slow"));
  EXPECT_EQ(partial_body(Encoding::kJson, 2, "a \"b\""),
            R"({"partialSuccess":{"rejectedSpans":"2","errorMessage":"a \"b\""}})");
}

TEST(StatusBody, RetryInfoStandsInTheDetails) {
  const std::string details = grpc_status_details(14, "later", 1'500'000'000);
  EXPECT_EQ(details.find('='), std::string::npos) << "gRPC sends it without padding";
  const std::string duration("\x08\x01\x10\x80\xca\xb5\xee\x01", 8);  // 1 s and 500 000 000 ns
  const std::string info = std::string("\x0a\x08") + duration;
  const std::string type = "type.googleapis.com/google.rpc.RetryInfo";
  const std::string any = std::string("\x0a") + static_cast<char>(type.size()) + type + "\x12\x0a" + info;
  const std::string expected =
      std::string("\x08\x0e\x12\x05later\x1a") + static_cast<char>(any.size()) + any;
  EXPECT_EQ(parse_base64(details).value(), expected);
}

TEST(StatusBody, MessagesAreCutAtACharacter) {
  const std::string long_one(kMaxStatusMessage - 1, 'x');
  const std::string body = partial_body(Encoding::kJson, 1, long_one + "\xc3\xa4");
  EXPECT_NE(body.find(long_one + "\""), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::otlp
