#include <fmt/format.h>

#include "store/capture_format.h"

namespace hopcheck::store {

Result<void> CaptureParser::damage(const char* why, uint64_t first, uint64_t size) {
  broken_ = true;
  return fail(ErrorKind::kEvidence, fmt::format("capture damaged: {}, bytes {} to {}", why, first, first + size - 1),
              "", "keep the file; nothing after that byte is judged");
}

Result<void> CaptureParser::feed(std::string_view bytes, const std::function<void(const Frame&)>& on_frame) {
  if (broken_) return fail(ErrorKind::kEvidence, "capture damaged: reading has stopped before");
  const bool buffered = !buffer_.empty();
  if (buffered) buffer_ += bytes;
  const std::string_view input = buffered ? std::string_view(buffer_) : bytes;
  size_t used = 0;
  if (!header_seen_ && input.size() >= kCaptureHeaderBytes) {
    if (const char* why = check_capture_header(input)) return damage(why, 0, kCaptureHeaderBytes);
    header_seen_ = true;
    used = kCaptureHeaderBytes;
    consumed_ = used;
  }
  while (header_seen_ && used < input.size()) {
    if (sealed_) return damage("bytes after the footer", consumed_, input.size() - used);
    const CaptureRecord record = read_capture_record(input.substr(used));
    if (record.kind == CaptureRecord::Kind::kIncomplete) break;
    if (record.kind == CaptureRecord::Kind::kDamaged) return damage(record.why, consumed_, record.size);
    if (record.kind == CaptureRecord::Kind::kFooter) {
      if (record.totals.frames != next_sequence_ || record.bytes_before != consumed_) {
        return damage("the footer counts other frames than there are", consumed_, record.size);
      }
      sealed_ = true;
    } else {
      if (record.frame.sequence != next_sequence_)
        return damage("gap in the sequence of frames", consumed_, record.size);
      ++next_sequence_;
      on_frame(record.frame);
    }
    used += record.size;
    consumed_ += record.size;
  }
  if (!buffered) {
    buffer_ = input.substr(used);
  } else if (used > 0) {
    std::string rest(input.substr(used));
    spent_ = std::move(buffer_);
    buffer_ = std::move(rest);
  }
  return {};
}

}  // namespace hopcheck::store
