#include "store/capture_exports.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "otlp/encode.h"
#include "store/capture_format.h"

namespace hopcheck::store {

namespace {

// What the exports' frames point into.
struct Held {
  std::string file;
  Arena arena;
};

Result<void> split_native(std::string_view file, CaptureExports& out) {
  CaptureParser parser;
  const auto fed = parser.feed(file, [&](const Frame& frame) { out.frames.push_back(frame); });
  if (!fed) return fed;
  if (parser.pending() > 0) return fail(ErrorKind::kEvidence, fmt::format("torn tail of {} bytes", parser.pending()));
  out.native = true;
  out.header = file.substr(0, kCaptureHeaderBytes);
  return {};
}

void split_lines(std::string_view file, CaptureExports& out) {
  while (!file.empty()) {
    const size_t end = std::min(file.find('\n'), file.size());
    Frame line;
    line.body = file.substr(0, end);
    line.encoding = otlp::Encoding::kJson;
    line.sequence = out.frames.size();
    file.remove_prefix(std::min(end + 1, file.size()));
    if (!line.body.empty()) out.frames.push_back(line);
  }
}

}  // namespace

Result<CaptureExports> read_exports(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail(ErrorKind::kUsage, "cannot read capture " + path);
  auto held = std::make_shared<Held>();
  held->file.assign(std::istreambuf_iterator<char>(stream), {});
  CaptureExports out;
  out.arena = std::shared_ptr<Arena>(held, &held->arena);
  const std::string_view file = held->file;
  if (file.substr(0, 6) == kCaptureMagic) {
    if (const auto split = split_native(file, out); !split) return with_context(split.error(), path);
  } else if (const size_t first = file.find_first_not_of(" \t\r\n");
             first != std::string_view::npos && file[first] == '{') {
    split_lines(file, out);
  } else {
    return fail(ErrorKind::kUsage, path + " is neither a hopcheck capture nor OTLP JSON lines");
  }
  return out;
}

bool write_exports(const CaptureExports& exports, const WritePiece& write) {
  if (!exports.native) {
    for (const Frame& line : exports.frames) {
      if (!write(line.body) || !write("\n")) return false;
    }
    return true;
  }
  CaptureTotals totals;
  uint64_t bytes = exports.header.size();
  if (!write(exports.header)) return false;
  for (const Frame& frame : exports.frames) {
    const std::string head = encode_frame_head(frame);
    if (!write(head) || !write(frame.body)) return false;
    bytes += head.size() + frame.body.size();
    ++totals.frames;
    totals.accepted += frame.status == 200;
    totals.body_bytes += frame.body.size();
  }
  return write(encode_capture_footer(totals, bytes));
}

Result<otlp::DecodeNotes> decode_export(const CaptureExports& exports, size_t index, std::vector<Span>& out) {
  const Frame& frame = exports.frames[index];
  if (frame.status != 200) return otlp::DecodeNotes{};
  return decode_frame(frame, *exports.arena, out);
}

void encode_export(CaptureExports& exports, size_t index, const std::vector<Span>& spans) {
  Frame& frame = exports.frames[index];
  exports.bodies.push_back(exports.native ? otlp::encode_protobuf(spans) : otlp::encode_json(spans));
  frame.body = exports.bodies.back();
  frame.encoding = exports.native ? otlp::Encoding::kProtobuf : otlp::Encoding::kJson;
  frame.content_encoding = otlp::ContentEncoding::kIdentity;
}

}  // namespace hopcheck::store
