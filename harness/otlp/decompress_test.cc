#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "otlp/decode.h"
#include "otlp/status_body.h"

namespace hopcheck::otlp {
namespace {

std::string deflated(const std::string& text, bool gzip) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, gzip ? 31 : 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log > 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  if (window_log > 0) {  // streamed, so that the size is unknown and the window stands in the header
    ZSTD_inBuffer in{text.data(), text.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    while (in.pos < in.size) ZSTD_compressStream2(context, &to, &in, ZSTD_e_continue);
    EXPECT_EQ(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0u);
    out.resize(to.pos);
  } else {
    out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  }
  ZSTD_freeCCtx(context);
  return out;
}

Result<std::string> unpack(const std::string& body, ContentEncoding encoding, size_t limit = kMaxBodyBytes) {
  Arena arena;
  const auto result = decompress(body, encoding, limit, arena);
  if (!result) return tl::unexpected<Error>(result.error());
  return std::string(*result);
}

const std::string kText = std::string(300000, 'a') + "hello";

TEST(Decompress, RoundTrips) {
  EXPECT_EQ(unpack(kText, ContentEncoding::kIdentity).value(), kText);
  EXPECT_EQ(unpack(deflated(kText, true), ContentEncoding::kGzip).value(), kText);
  EXPECT_EQ(unpack(deflated(kText, false), ContentEncoding::kDeflate).value(), kText);
  EXPECT_EQ(unpack(zstd(kText), ContentEncoding::kZstd).value(), kText);
  EXPECT_EQ(unpack(deflated("", true), ContentEncoding::kGzip).value(), "");
  EXPECT_EQ(unpack(zstd(""), ContentEncoding::kZstd).value(), "");
}

TEST(Decompress, SeveralMembersAndFrames) {
  EXPECT_EQ(
      unpack(deflated("one", true) + deflated(kText, true) + deflated("two", true), ContentEncoding::kGzip).value(),
      "one" + kText + "two");
  EXPECT_EQ(unpack(zstd("one") + zstd(kText), ContentEncoding::kZstd).value(), "one" + kText);
}

TEST(Decompress, DamageIsRefused) {
  for (const ContentEncoding encoding : {ContentEncoding::kGzip, ContentEncoding::kDeflate, ContentEncoding::kZstd}) {
    const std::string good = encoding == ContentEncoding::kZstd ? zstd(kText)
                                                                : deflated(kText, encoding == ContentEncoding::kGzip);
    std::vector<std::string> bad{"", "x", "plain text, not compressed", good + "x", good + std::string("\0", 1)};
    for (size_t size = 0; size < good.size(); size += 3) bad.push_back(good.substr(0, size));
    for (const std::string& body : bad) {
      const auto result = unpack(body, encoding);
      ASSERT_FALSE(result) << static_cast<int>(encoding) << " " << body.size();
      EXPECT_EQ(result.error().why, "damaged");
    }
  }
  std::string flipped = deflated(kText, true);
  flipped[flipped.size() - 6] ^= 1;  // CRC
  EXPECT_FALSE(unpack(flipped, ContentEncoding::kGzip));
}

TEST(Decompress, TheLimitIsExact) {
  for (const ContentEncoding encoding :
       {ContentEncoding::kIdentity, ContentEncoding::kGzip, ContentEncoding::kDeflate, ContentEncoding::kZstd}) {
    const std::string body = encoding == ContentEncoding::kIdentity ? kText
                             : encoding == ContentEncoding::kZstd
                                 ? zstd(kText)
                                 : deflated(kText, encoding == ContentEncoding::kGzip);
    EXPECT_TRUE(unpack(body, encoding, kText.size()));
    const auto larger = unpack(body, encoding, kText.size() - 1);
    ASSERT_FALSE(larger) << static_cast<int>(encoding);
    EXPECT_EQ(larger.error().why, "too large");
  }
}

TEST(Decompress, BombsStopAtTheLimit) {
  const std::string zeros(80u << 20, '\0');
  for (const std::string& bomb : {deflated(zeros, true), deflated(zeros, true) + deflated("x", true)}) {
    const auto result = unpack(bomb, ContentEncoding::kGzip);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().why, "too large");
  }
  EXPECT_EQ(unpack(zstd(zeros), ContentEncoding::kZstd).error().why, "too large");
}

TEST(Decompress, LargeZstdWindowsAreRefused) {
  EXPECT_TRUE(unpack(zstd(kText, 23), ContentEncoding::kZstd));
  const auto result = unpack(zstd(kText, 24), ContentEncoding::kZstd);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().why, "damaged");
}

TEST(StatusBody, BothEncodings) {
  EXPECT_EQ(status_body(400, "bad \"x\"", Encoding::kJson), R"({"code":3,"message":"bad \"x\""})");
  EXPECT_EQ(status_body(401, "no", Encoding::kProtobuf), std::string("\x08\x10\x12\x02no"));
  EXPECT_EQ(status_body(413, std::string(5000, 'm'), Encoding::kProtobuf).size(), 1024u + 5u);
  EXPECT_EQ(success_body(Encoding::kJson), "{}");
  EXPECT_EQ(success_body(Encoding::kProtobuf), "");
}

}  // namespace
}  // namespace hopcheck::otlp
