// A sink on free loopback ports in a directory of its own, and recorded exports to send to it.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "otlp/decode.h"
#include "otlp/encode.h"
#include "sink/sink.h"
#include "sink/test_client.h"
#include "store/capture.h"

namespace hopcheck::sink {

inline std::string fixture(const std::string& name) {
  return std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/captures/" + name;
}

inline std::vector<std::string> recorded_json() {
  std::ifstream file(fixture("1.30-1.38-grpc-app-gateway-plain.jsonl"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

inline std::string recorded_protobuf(size_t line) {
  Arena arena;
  std::vector<Span> spans;
  EXPECT_TRUE(otlp::decode_json(recorded_json().at(line), arena, spans));
  return otlp::encode_protobuf(spans);
}

inline std::string gzipped(const std::string& text, int window_bits = 31) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
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

class SinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "hopcheck-sink-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    options_.http = options_.control = "127.0.0.1:0";
    options_.out = dir_;
    options_.control_token = Secret("control-token");
  }
  void TearDown() override {
    sink_.reset();
    std::filesystem::remove_all(dir_);
  }
  void start() {
    auto started = Sink::start(options_);
    ASSERT_TRUE(started) << started.error().what << ": " << started.error().why;
    sink_ = std::move(*started);
  }
  uint16_t port() const { return sink_->http_port(); }
  Answer ask(const std::string& bytes) { return TestClient(port()).ask(bytes); }
  Answer control(const std::string& request, const std::string& token = "X-Hopcheck-Token: control-token\r\n") {
    return TestClient(sink_->control_port()).ask(request + " HTTP/1.1\r\nHost: sink\r\n" + token + "\r\n");
  }
  TallyCounts stop() {
    const auto counts = sink_->stop();
    EXPECT_TRUE(counts) << counts.error().what;
    return counts ? *counts : TallyCounts{};
  }
  std::string capture_bytes() const {
    std::ifstream file(dir_ + "/capture.hcl", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  store::LoadedCapture load() const {
    auto loaded = store::load_capture(dir_ + "/capture.hcl");
    EXPECT_TRUE(loaded);
    return loaded ? std::move(*loaded) : store::LoadedCapture{};
  }
  // Statuses of the stored frames and how often.
  std::map<int, int> frame_statuses() const {
    std::map<int, int> out;
    store::CaptureParser parser;
    EXPECT_TRUE(parser.feed(capture_bytes(), [&](const store::Frame& frame) {
      ++out[frame.status];
      EXPECT_TRUE(frame.status == 200 || frame.body.empty());
    }));
    return out;
  }

  std::string dir_;
  SinkOptions options_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace hopcheck::sink
