#include "store/capture_edit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "otlp/encode.h"
#include "store/capture_format.h"
#include "store/capture_grow.h"

namespace hopcheck::store {
namespace {

namespace fs = std::filesystem;

class CaptureEditTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hopcheck-edit-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    jsonl_ = std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/captures/1.30-1.38-grpc-app-gateway-plain.jsonl";
    native_ = dir_ + "/capture.hcl";
    auto writer = CaptureWriter::create(native_, "run", 5);
    ASSERT_TRUE(writer);
    std::ifstream lines(jsonl_);
    for (std::string line; std::getline(lines, line);) {
      Arena arena;
      std::vector<Span> spans;
      ASSERT_TRUE(otlp::decode_json(line, arena, spans));
      const std::string body = otlp::encode_protobuf(spans);
      Frame frame;
      frame.body = body;
      frame.arrival_unix_nanos = 77;
      ASSERT_TRUE((*writer)->append(frame));
    }
    Frame refused;
    refused.status = 400;
    ASSERT_TRUE((*writer)->append(refused));
    ASSERT_TRUE((*writer)->seal());
  }
  void TearDown() override { fs::remove_all(dir_); }

  LoadedCapture load(const std::string& path) {
    auto loaded = load_capture(path);
    EXPECT_TRUE(loaded);
    return loaded ? std::move(*loaded) : LoadedCapture{};
  }
  // The capture after the edit, written and read again.
  LoadedCapture edited(const std::string& path, const CaptureEdit& edit) {
    auto exports = read_exports(path);
    EXPECT_TRUE(exports) << exports.error().what;
    const auto done = edit_capture(*exports, edit);
    EXPECT_TRUE(done) << done.error().what;
    std::string bytes;
    EXPECT_TRUE(write_exports(*exports, [&](std::string_view piece) { return !bytes.append(piece).empty(); }));
    bytes.resize(bytes.size() - done->cut_bytes);
    const std::string out = dir_ + "/edited" + fs::path(path).extension().string();
    std::ofstream(out, std::ios::binary) << bytes;
    return load(out);
  }
  // What differs between the original and the edited capture, span by span in order.
  std::vector<std::pair<Span, Span>> differences(const LoadedCapture& a, const LoadedCapture& b) {
    EXPECT_EQ(a.spans.size(), b.spans.size());
    std::vector<std::pair<Span, Span>> out;
    for (size_t i = 0; i < std::min(a.spans.size(), b.spans.size()); ++i) {
      if (otlp::encode_json({a.spans[i]}) != otlp::encode_json({b.spans[i]})) out.emplace_back(a.spans[i], b.spans[i]);
    }
    return out;
  }

  std::string dir_, jsonl_, native_;
};

TEST_F(CaptureEditTest, UneditedCapturesAreWrittenByteForByte) {
  for (const std::string& path : {jsonl_, native_}) {
    const auto exports = read_exports(path);
    ASSERT_TRUE(exports);
    std::string bytes;
    ASSERT_TRUE(write_exports(*exports, [&](std::string_view piece) { return !bytes.append(piece).empty(); }));
    std::ifstream file(path, std::ios::binary);
    EXPECT_EQ(bytes, std::string(std::istreambuf_iterator<char>(file), {}));
  }
}

TEST_F(CaptureEditTest, OneFieldOfOneSpan) {
  for (const std::string& path : {jsonl_, native_}) {
    const LoadedCapture before = load(path);
    CaptureEdit edit;
    ASSERT_TRUE(parse_match("service=checkout-app.shop,kind=client", edit.choice));
    edit.choice.nth = 3;
    edit.new_name = "renamed";
    edit.parent = id_from_hex<SpanId>("00000000000000ff");
    edit.new_kind = SpanKind::kProducer;
    edit.shift_nanos = -1000;
    for (const char* name : {"zero-parent", "rename-span", "reparent", "set-service-name", "set-kind", "shift-time"}) {
      edit.edit = name;
      const LoadedCapture after = edited(path, edit);
      EXPECT_TRUE(after.complete) << after.problem;
      const auto changed = differences(before, after);
      ASSERT_EQ(changed.size(), 1u) << name;
      const auto& [a, b] = changed[0];
      EXPECT_EQ(a.resource->service_name, "checkout-app.shop");
      EXPECT_EQ(a.kind, SpanKind::kClient);
      EXPECT_EQ(b.parent_id.is_zero(), edit.edit == "zero-parent");
      EXPECT_EQ(b.parent_id == *edit.parent, edit.edit == "reparent");
      EXPECT_EQ(b.name == "renamed", edit.edit == "rename-span");
      EXPECT_EQ(b.resource->service_name == "renamed", edit.edit == "set-service-name");
      EXPECT_EQ(b.kind == SpanKind::kProducer, edit.edit == "set-kind");
      EXPECT_EQ(b.start_unix_nanos + 1000 == a.start_unix_nanos, edit.edit == "shift-time");
    }
  }
}

TEST_F(CaptureEditTest, SpansRemovedAndAdded) {
  for (const std::string& path : {jsonl_, native_}) {
    const LoadedCapture before = load(path);
    CaptureEdit edit;
    edit.choice.span = before.spans[20].span_id;
    edit.choice.trace = before.spans[20].trace_id;
    edit.edit = "remove-span";
    const LoadedCapture without = edited(path, edit);
    EXPECT_EQ(without.spans.size(), 146u);
    for (const Span& span : without.spans) EXPECT_NE(span.span_id, before.spans[20].span_id);
    edit.edit = "duplicate-span";
    EXPECT_EQ(edited(path, edit).spans.size(), 148u);
    edit.edit = "conflict-span";
    const LoadedCapture conflict = edited(path, edit);
    std::set<std::string> names;
    for (const Span& span : conflict.spans) {
      if (span.span_id == before.spans[20].span_id) names.emplace(span.name);
    }
    EXPECT_EQ(names.size(), 2u);
  }
}

TEST_F(CaptureEditTest, AllMatchingSpans) {
  CaptureEdit edit;
  edit.edit = "remove-span";
  edit.choice.all = true;
  ASSERT_TRUE(parse_match("service=payments-app.shop", edit.choice));
  const LoadedCapture after = edited(native_, edit);
  EXPECT_EQ(after.spans.size(), 126u);
  EXPECT_TRUE(after.complete) << after.problem;
}

TEST_F(CaptureEditTest, TruncateAndDropFrame) {
  CaptureEdit edit;
  edit.edit = "truncate";
  EXPECT_NE(edited(native_, edit).problem.find("torn tail"), std::string::npos);
  EXPECT_FALSE(edited(jsonl_, edit).complete);
  edit.edit = "drop-frame";
  edit.frame = 4;
  EXPECT_NE(edited(native_, edit).problem.find("gap in the sequence"), std::string::npos);
  const LoadedCapture lines = edited(jsonl_, edit);
  EXPECT_TRUE(lines.complete);
  EXPECT_EQ(lines.bodies.received, 34u);
}

TEST_F(CaptureEditTest, MistakesAreNamed) {
  auto exports = read_exports(native_);
  ASSERT_TRUE(exports);
  CaptureEdit edit;
  edit.edit = "zero-parents";
  EXPECT_EQ(edit_capture(*exports, edit).error().fix, "did you mean zero-parent?");
  edit.edit = "rename-span";
  EXPECT_EQ(edit_capture(*exports, edit).error().what, "rename-span needs --name NEW");
  edit.edit = "zero-parent";
  edit.choice.nth = 1000;
  EXPECT_EQ(edit_capture(*exports, edit).error().what, "no span matches");
  EXPECT_FALSE(parse_match("kind=nothing", edit.choice));
  EXPECT_FALSE(parse_match("colour=red", edit.choice));
  EXPECT_FALSE(read_exports(dir_ + "/missing"));
}

TEST_F(CaptureEditTest, GrownTracesAreFreshAndHaveTheSameShape) {
  for (const std::string& path : {jsonl_, native_}) {
    const auto exports = read_exports(path);
    ASSERT_TRUE(exports);
    const std::string out = dir_ + "/grown" + fs::path(path).extension().string();
    std::ofstream file(out, std::ios::binary);
    const auto grown = grow_capture(*exports, 100, [&](std::string_view piece) {
      return file.write(piece.data(), static_cast<std::streamsize>(piece.size())).good();
    });
    file.close();
    ASSERT_TRUE(grown) << grown.error().what;
    EXPECT_EQ(grown->traces, 100u);
    EXPECT_EQ(grown->spans, 700u);
    const LoadedCapture loaded = load(out);
    EXPECT_TRUE(loaded.complete) << loaded.problem;
    ASSERT_EQ(loaded.spans.size(), 700u);
    std::map<TraceId, std::vector<Span>> traces;
    std::set<SpanId> ids;
    std::set<std::string> requests;
    for (const Span& span : loaded.spans) {
      traces[span.trace_id].push_back(span);
      ids.insert(span.span_id);
      requests.emplace(span.attributes.text("guid:x-request-id"));
    }
    EXPECT_EQ(traces.size(), 100u);
    EXPECT_EQ(ids.size(), 700u);
    EXPECT_EQ(requests.size(), 101u);  // the gateway's CLIENT spans carry none
    for (const auto& [id, spans] : traces) {
      ASSERT_EQ(spans.size(), 7u);
      std::set<SpanId> own;
      size_t roots = 0, joined = 0;
      for (const Span& span : spans) own.insert(span.span_id);
      for (const Span& span : spans) span.parent_id.is_zero() ? ++roots : joined += own.count(span.parent_id);
      EXPECT_EQ(roots, 1u);
      EXPECT_EQ(joined, 6u);
    }
  }
}

TEST_F(CaptureEditTest, GrowingToFewerTracesThanThereAre) {
  const auto exports = read_exports(jsonl_);
  std::string bytes;
  const auto grown = grow_capture(*exports, 3, [&](std::string_view piece) { return !bytes.append(piece).empty(); });
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->traces, 3u);
  EXPECT_EQ(grown->spans, 21u);
}

}  // namespace
}  // namespace hopcheck::store
