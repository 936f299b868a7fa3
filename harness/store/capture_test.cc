#include "store/capture.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/rng.h"
#include "otlp/encode.h"
#include "store/capture_crc32c.h"
#include "store/capture_format.h"
#include "store/capture_writer.h"

namespace hopcheck::store {
namespace {

namespace fs = std::filesystem;

class CaptureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hopcheck-capture-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    path_ = dir_ + "/capture.hcl";
    std::ifstream lines(std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/captures/1.30-1.38-grpc-app-gateway-plain.jsonl");
    for (std::string line; std::getline(lines, line);) lines_.push_back(line);
    ASSERT_EQ(lines_.size(), 35u);
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::string protobuf(size_t line) {
    Arena arena;
    std::vector<Span> spans;
    EXPECT_TRUE(otlp::decode_json(lines_[line], arena, spans));
    return otlp::encode_protobuf(spans);
  }
  Frame frame(std::string_view body, otlp::Encoding encoding = otlp::Encoding::kProtobuf) {
    Frame out;
    out.arrival_unix_nanos = 1000 + ++arrivals_;
    out.encoding = encoding;
    out.peer = "10.0.0.1";
    out.headers = {{"content-type", "application/x-protobuf"}, {"user-agent", "test"}};
    out.body = body;
    return out;
  }
  // The whole recording, every third export as JSON, and one refused export.
  void write_capture(bool seal = true) {
    auto writer = CaptureWriter::create(path_, "run1", 7);
    ASSERT_TRUE(writer) << writer.error().what;
    for (size_t i = 0; i < lines_.size(); ++i) {
      const bool json = i % 3 == 0;
      const std::string body = json ? lines_[i] : protobuf(i);
      ASSERT_TRUE((*writer)->append(frame(body, json ? otlp::Encoding::kJson : otlp::Encoding::kProtobuf)));
    }
    Frame refused = frame({});
    refused.status = 400;
    ASSERT_TRUE((*writer)->append(refused));
    if (seal) {
      ASSERT_TRUE((*writer)->seal());
    }
    EXPECT_EQ((*writer)->bytes(), fs::file_size(path_));
  }
  std::string read() {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes, const std::string& name = "capture.hcl") {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << bytes;
  }
  LoadedCapture load(const std::string& name = "capture.hcl") {
    auto loaded = load_capture(dir_ + "/" + name);
    EXPECT_TRUE(loaded) << loaded.error().what;
    return loaded ? std::move(*loaded) : LoadedCapture{};
  }

  std::string dir_, path_;
  std::vector<std::string> lines_;
  uint64_t arrivals_ = 0;
};

TEST(Crc32c, KnownValuesAndBothWays) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  Rng rng(1);
  for (size_t size = 0; size < 70; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(rng.next());
    EXPECT_EQ(crc32c(bytes), crc32c_by_table(bytes));
    EXPECT_EQ(crc32c(bytes.substr(size / 2), crc32c(bytes.substr(0, size / 2))), crc32c(bytes));
  }
}

TEST_F(CaptureTest, WriteAndLoad) {
  write_capture();
  const LoadedCapture loaded = load();
  EXPECT_TRUE(loaded.complete) << loaded.problem;
  EXPECT_EQ(loaded.spans.size(), 147u);
  EXPECT_EQ(loaded.bodies.received, 36u);
  EXPECT_EQ(loaded.bodies.accepted, 35u);
  EXPECT_EQ(loaded.bodies.refused, 1u);
  EXPECT_EQ(loaded.spans.front().frame_sequence, 0u);
  EXPECT_EQ(loaded.spans.front().arrival_unix_nanos, 1001u);
  EXPECT_EQ(loaded.spans.back().frame_sequence, 34u);
  std::vector<Span> direct;
  Arena arena;
  for (const std::string& line : lines_) ASSERT_TRUE(otlp::decode_json(line, arena, direct));
  EXPECT_EQ(otlp::encode_json(loaded.spans), otlp::encode_json(direct));
}

TEST_F(CaptureTest, SplitAnywhereTheParserSeesTheSame) {
  write_capture();
  const std::string bytes = read();
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}, bytes.size()}) {
    CaptureParser parser;
    uint64_t body_bytes = 0, frames = 0;
    for (size_t at = 0; at < bytes.size(); at += step) {
      const std::string piece = bytes.substr(at, step);
      const auto fed = parser.feed(piece, [&](const Frame& frame) {
        EXPECT_EQ(frame.sequence, frames++);
        EXPECT_EQ(frame.peer, "10.0.0.1");
        EXPECT_EQ(frame.headers.at(1).second, "test");
        body_bytes += frame.body.size();
      });
      ASSERT_TRUE(fed) << fed.error().what;
    }
    EXPECT_TRUE(parser.sealed());
    EXPECT_EQ(parser.frames(), 36u);
    EXPECT_EQ(parser.consumed(), bytes.size());
    EXPECT_EQ(parser.pending(), 0u);
    EXPECT_GT(body_bytes, 50000u);
  }
}

TEST_F(CaptureTest, TornAtEveryOffsetIsNeverComplete) {
  write_capture();
  const std::string bytes = read();
  for (size_t size = 0; size < bytes.size(); size += size < 200 || size + 200 > bytes.size() ? 1 : 997) {
    write(bytes.substr(0, size));
    const LoadedCapture loaded = load();
    EXPECT_FALSE(loaded.complete) << size;
    EXPECT_FALSE(loaded.problem.empty());
  }
  write(bytes.substr(0, bytes.size() - 41));
  EXPECT_EQ(load().problem.rfind("torn tail: ", 0), 0u);
  EXPECT_NE(load().problem.find("after frame 34"), std::string::npos) << load().problem;
  write(bytes.substr(0, bytes.size() - 40));
  EXPECT_EQ(load().problem, "not sealed");
  EXPECT_EQ(load().spans.size(), 147u);
  write(bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(load().problem, "torn tail: 39 bytes after frame 35");
  write(bytes.substr(0, 3));
  EXPECT_EQ(load().problem, "torn tail: 3 bytes of the header");
}

TEST_F(CaptureTest, DamageIsNamedWithItsBytes) {
  write_capture();
  const std::string good = read();
  Rng rng(3);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = good;
    bytes[rng.below(bytes.size())] ^= static_cast<char>(1u << rng.below(8));
    write(bytes);
    const LoadedCapture loaded = load();
    EXPECT_FALSE(loaded.complete);
    EXPECT_NE(loaded.problem.find("capture damaged: "), std::string::npos) << loaded.problem;
    EXPECT_NE(loaded.problem.find("bytes "), std::string::npos) << loaded.problem;
  }
  std::string zeroed = good;  // a page that never reached the disk
  zeroed.replace(8192, 4096, 4096, '\0');
  write(zeroed);
  EXPECT_NE(load().problem.find("capture damaged"), std::string::npos);
  write(good + "x");
  EXPECT_NE(load().problem.find("bytes after the footer"), std::string::npos);
}

TEST_F(CaptureTest, AGapInTheSequenceIsDamage) {
  std::string bytes = encode_capture_header("run", 1);
  const std::string body = protobuf(1);
  for (const uint64_t sequence : {0u, 1u, 3u}) {
    Frame one = frame(body);
    one.sequence = sequence;
    bytes += encode_frame_head(one) + body;
  }
  write(bytes);
  EXPECT_NE(load().problem.find("gap in the sequence"), std::string::npos) << load().problem;
}

TEST_F(CaptureTest, AnotherVersionIsRefused) {
  write_capture();
  std::string bytes = read();
  bytes[6] = 2;
  write(bytes);
  EXPECT_NE(load().problem.find("another version"), std::string::npos);
}

TEST_F(CaptureTest, AnInterruptedCaptureIsContinued) {
  write_capture(false);
  const std::string whole = read();
  write(whole.substr(0, whole.size() - 5));
  uint64_t seen = 0;
  auto opened = open_capture(path_, "run2", 9, [&](const Frame&) { ++seen; });
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_EQ(opened->recovered_frames, 35u);
  EXPECT_EQ(seen, 35u);
  EXPECT_GT(opened->cut_bytes, 0u);
  const std::string body = protobuf(2);
  ASSERT_TRUE(opened->writer->append(frame(body)));
  ASSERT_TRUE(opened->writer->seal());
  ASSERT_TRUE(opened->writer->seal());
  EXPECT_FALSE(opened->writer->append(frame(body)));
  const LoadedCapture loaded = load();
  EXPECT_TRUE(loaded.complete) << loaded.problem;
  EXPECT_EQ(loaded.bodies.received, 36u);
  EXPECT_EQ(loaded.bodies.refused, 0u);
}

TEST_F(CaptureTest, SealedLockedAndDamagedCapturesAreNotWritten) {
  {
    auto first = CaptureWriter::create(path_, "run", 1);
    ASSERT_TRUE(first);
    const auto second = CaptureWriter::create(path_, "run", 1);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kEnvironment);
    ASSERT_TRUE((*first)->append(frame("")));
    ASSERT_TRUE((*first)->seal());
  }
  const auto sealed = CaptureWriter::create(path_, "run", 1);
  ASSERT_FALSE(sealed);
  EXPECT_NE(sealed.error().what.find("is sealed"), std::string::npos);
  write("some other file that is long enough to be checked for a capture header, which it has not");
  EXPECT_FALSE(CaptureWriter::create(path_, "run", 1));
  EXPECT_FALSE(CaptureWriter::create(dir_ + "/no/such/dir/capture.hcl", "run", 1));
  EXPECT_FALSE(CaptureWriter::create(dir_, "run", 1));
}

TEST_F(CaptureTest, AFullDiskLeavesWholeFramesOnly) {
  auto writer = CaptureWriter::create(path_, "run", 1);
  ASSERT_TRUE(writer);
  const std::string body(100000, 'x');
  ASSERT_TRUE((*writer)->append(frame(body)));
  const uint64_t good = (*writer)->bytes();
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit small{good + 5000, old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto failed = (*writer)->append(frame(body));
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, old_action);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ((*writer)->bytes(), good);
  EXPECT_EQ(fs::file_size(path_), good);
  ASSERT_TRUE((*writer)->append(frame(protobuf(0))));
  ASSERT_TRUE((*writer)->seal());
  EXPECT_EQ(load().bodies.received, 2u);
}

TEST_F(CaptureTest, ThreadsMayAppendTogether) {
  {
    auto writer = CaptureWriter::create(path_, "run", 1);
    ASSERT_TRUE(writer);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 250; ++i) EXPECT_TRUE((*writer)->append(Frame{}));
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE((*writer)->seal());
  }
  const LoadedCapture loaded = load();
  EXPECT_TRUE(loaded.complete) << loaded.problem;
  EXPECT_EQ(loaded.bodies.received, 1000u);
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}
std::string prefixed(const std::string& body) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(body.size() >> shift & 255);
  return out + body;
}

TEST_F(CaptureTest, ForeignForms) {
  std::string jsonl, messages, packed_messages;
  for (size_t i = 0; i < lines_.size(); ++i) {
    jsonl += lines_[i] + (i % 2 == 0 ? "\n" : "\r\n\n");
    messages += prefixed(protobuf(i));
    packed_messages += prefixed(zstd(i % 2 == 0 ? lines_[i] : protobuf(i)));
  }
  for (const std::string& bytes : {jsonl, zstd(jsonl), messages, zstd(messages), packed_messages}) {
    write(bytes, "foreign");
    const LoadedCapture loaded = load("foreign");
    EXPECT_TRUE(loaded.complete) << loaded.problem;
    EXPECT_EQ(loaded.spans.size(), 147u);
    EXPECT_EQ(loaded.bodies.accepted, 35u);
  }
  write(jsonl.substr(0, jsonl.size() - 100), "foreign");
  EXPECT_FALSE(load("foreign").complete);
  EXPECT_EQ(load("foreign").problem.rfind("line ", 0), 0u);
  write(messages.substr(0, messages.size() - 100), "foreign");
  EXPECT_EQ(load("foreign").problem.rfind("torn tail: ", 0), 0u);
  write(zstd(jsonl).substr(0, 3000), "foreign");
  EXPECT_NE(load("foreign").problem.find("torn tail: zstd"), std::string::npos);
  write("garbage that is no capture", "foreign");
  EXPECT_EQ(load("foreign").problem.rfind("not a capture", 0), 0u);
  write("", "foreign");
  EXPECT_TRUE(load("foreign").complete);
  EXPECT_FALSE(load_capture(dir_ + "/missing"));
  EXPECT_FALSE(load_capture(dir_));
}

TEST_F(CaptureTest, FramesDecodeOnTheirOwn) {
  std::string body = protobuf(3);
  Arena arena;
  std::vector<Span> spans;
  Frame one = frame(body);
  one.sequence = 12;
  ASSERT_TRUE(decode_frame(one, arena, spans));
  body.assign(body.size(), '\0');  // the spans must not point into it
  EXPECT_EQ(spans.at(0).frame_sequence, 12u);
  EXPECT_EQ(spans[0].arrival_unix_nanos, one.arrival_unix_nanos);
  EXPECT_FALSE(spans[0].resource->service_name.empty());
  EXPECT_EQ(spans[0].resource->service_name.find('\0'), std::string_view::npos);
}

}  // namespace
}  // namespace hopcheck::store
