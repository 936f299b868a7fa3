#include "store/capture_grow.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/rng.h"
#include "otlp/encode.h"
#include "store/capture_format.h"

namespace hopcheck::store {

namespace {

// What is added (by exclusive or) to the ids of one copy; all zero for the first.
struct Fresh {
  uint64_t trace_high = 0, trace_low = 0, span = 0, request = 0;
};

Fresh fresh_of(uint64_t copy) {
  if (copy == 0) return {};
  Rng rng(copy * 0x2545f4914f6cdd1dull);
  return {rng.next(), rng.next(), rng.next(), rng.next()};
}

template <size_t N>
void change_id(IdBytes<N>& id, uint64_t first, uint64_t second = 0) {
  if (id.is_zero()) return;
  uint64_t words[N / 8];
  std::memcpy(words, id.bytes.data(), N);
  words[0] ^= first;
  if constexpr (N == 16) words[1] ^= second;
  std::memcpy(id.bytes.data(), words, N);
}

// An x-request-id that is a UUID gets other last twelve digits: the first ones and the fifteenth carry Envoy's
// sampling.
void change_request_id(AttributeList& attributes, uint64_t mask, Arena& arena) {
  for (const Attribute& old : attributes) {
    uint8_t tail[6];
    if (old.key != "guid:x-request-id" || old.value.type != AnyValue::Type::kString || old.value.text.size() != 36)
      continue;
    if (!from_hex(old.value.text.substr(24), tail, sizeof tail)) continue;
    for (size_t i = 0; i < sizeof tail; ++i) tail[i] = static_cast<uint8_t>(tail[i] ^ (mask >> (8 * i) & 0xff));
    Attribute* data = arena.array<Attribute>(attributes.size);
    std::copy(attributes.begin(), attributes.end(), data);
    Attribute& changed = data[&old - attributes.data];
    changed.value.text = arena.copy(std::string(old.value.text.substr(0, 24)) + to_hex(tail, sizeof tail));
    attributes.data = data;
    return;
  }
}

// Everything decoded once.
struct Decoded {
  std::vector<std::vector<Span>> by_export;
  std::unordered_map<TraceId, uint64_t, IdHash> order;  // trace → its place in order of arrival
  uint64_t first_nanos = UINT64_MAX, last_nanos = 0;
};

Result<Decoded> decode_all(const CaptureExports& exports) {
  Decoded out;
  for (size_t i = 0; i < exports.frames.size(); ++i) {
    std::vector<Span> spans;
    if (const auto decoded = decode_export(exports, i, spans); !decoded) return tl::unexpected<Error>(decoded.error());
    for (const Span& span : spans) {
      out.order.emplace(span.trace_id, out.order.size());
      out.first_nanos = std::min(out.first_nanos, span.start_unix_nanos);
      out.last_nanos = std::max(out.last_nanos, span.end_unix_nanos);
    }
    out.by_export.push_back(std::move(spans));
  }
  if (out.order.empty()) return fail(ErrorKind::kUsage, "the capture has no spans to multiply");
  return out;
}

}  // namespace

Result<GrownCapture> grow_capture(const CaptureExports& exports, uint64_t traces, const WritePiece& write) {
  const auto decoded = decode_all(exports);
  if (!decoded) return tl::unexpected<Error>(decoded.error());
  const uint64_t step_nanos = decoded->last_nanos - std::min(decoded->first_nanos, decoded->last_nanos) + 1'000'000;
  const auto not_written = [] { return fail(ErrorKind::kEnvironment, "the grown capture could not be written"); };
  GrownCapture out;
  CaptureTotals totals;
  uint64_t bytes = exports.header.size();
  if (exports.native && !write(exports.header)) return not_written();
  for (uint64_t copy = 0; out.traces < traces; ++copy) {
    const uint64_t wanted = std::min<uint64_t>(decoded->order.size(), traces - out.traces);
    const Fresh fresh = fresh_of(copy);
    for (size_t i = 0; i < exports.frames.size(); ++i) {
      Arena arena;
      std::vector<Span> spans;
      for (Span span : decoded->by_export[i]) {
        if (decoded->order.at(span.trace_id) >= wanted) continue;
        change_id(span.trace_id, fresh.trace_high, fresh.trace_low);
        change_id(span.span_id, fresh.span);
        change_id(span.parent_id, fresh.span);
        if (copy > 0) change_request_id(span.attributes, fresh.request, arena);
        span.start_unix_nanos += copy * step_nanos;
        span.end_unix_nanos += copy * step_nanos;
        spans.push_back(span);
      }
      if (spans.empty()) continue;
      out.spans += spans.size();
      ++out.exports;
      const std::string body = exports.native ? otlp::encode_protobuf(spans) : otlp::encode_json(spans);
      if (!exports.native) {
        if (!write(body) || !write("\n")) return not_written();
        continue;
      }
      Frame frame = exports.frames[i];
      frame.arrival_unix_nanos += copy * step_nanos;
      frame.sequence = totals.frames;
      frame.encoding = otlp::Encoding::kProtobuf;
      frame.content_encoding = otlp::ContentEncoding::kIdentity;
      frame.body = body;
      const std::string head = encode_frame_head(frame);
      if (!write(head) || !write(body)) return not_written();
      bytes += head.size() + body.size();
      ++totals.frames;
      ++totals.accepted;
      totals.body_bytes += body.size();
    }
    out.traces += wanted;
  }
  if (exports.native && !write(encode_capture_footer(totals, bytes))) return not_written();
  return out;
}

}  // namespace hopcheck::store
