#include "demo/http_types.h"

#include <gtest/gtest.h>

namespace hopcheck::demo {
namespace {

TEST(Address, ReadsHostAndPort) {
  const Result<Address> address = parse_address("[::1]:8080");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "::1");
  EXPECT_EQ(address->port, 8080);
  EXPECT_EQ(parse_address(":0")->host, "0.0.0.0");
  for (const char* bad : {"", "host", "host:", "host:x", "host:65536", "host:1x", "[::1:80", "host:-1"}) {
    EXPECT_FALSE(parse_address(bad)) << bad;
  }
}

TEST(Target, PathEndsAtTheQuery) {
  EXPECT_EQ(path_of("/a%20b?x=/c"), "/a%20b");
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("*"), "/");
  EXPECT_EQ(path_of(""), "/");
  EXPECT_EQ(path_of("http://elsewhere/x"), "/");
}

TEST(Target, FindsAParameterAnywhereInTheQuery) {
  EXPECT_EQ(raw_parameter("/a?hop=1-2", "hop"), "1-2");
  EXPECT_EQ(raw_parameter("/a?x=1&hop=a%20b&y", "hop"), "a%20b");
  EXPECT_EQ(raw_parameter("/a?hop", "hop"), "");
  EXPECT_EQ(raw_parameter("/a?hops=1&xhop=2", "hop"), std::nullopt);
  EXPECT_EQ(raw_parameter("/hop=1", "hop"), std::nullopt);
}

TEST(Target, ParameterIsMadeSafeAndBounded) {
  EXPECT_EQ(safe_parameter("abcd1234-w7"), "abcd1234-w7");
  EXPECT_EQ(safe_parameter("a%20b"), "a%20b");
  EXPECT_EQ(safe_parameter("a\x01 #\xff"), "a%01%20%23%FF");
  EXPECT_EQ(safe_parameter(std::string(1000, 'x')).size(), 256u);
}

}  // namespace
}  // namespace hopcheck::demo
