// libFuzzer: readers of stored captures on arbitrary bytes. The first byte says whether checksums of a native capture
// are made right first, so that fuzzing gets past them, and how the bytes are cut for the incremental parser.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fuzz/round_trip.h"
#include "store/capture.h"
#include "store/capture_crc32c.h"
#include "store/capture_format.h"

namespace {

using namespace hopcheck;

void put_crc(std::string& bytes, size_t at, uint32_t crc) { std::memcpy(bytes.data() + at, &crc, sizeof crc); }

void repair_checksums(std::string& bytes) {
  if (bytes.size() < store::kCaptureHeaderBytes) return;
  put_crc(bytes, 60, store::crc32c(std::string_view(bytes).substr(0, 60)));
  for (size_t at = store::kCaptureHeaderBytes; at + store::kFramePrefixBytes <= bytes.size();) {
    uint32_t length;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    if (length == 0xffffffff) length = store::kCaptureFooterBytes - store::kFramePrefixBytes;
    if (length > bytes.size() - at - store::kFramePrefixBytes) return;
    put_crc(bytes, at + 4, store::crc32c(std::string_view(bytes).substr(at + store::kFramePrefixBytes, length)));
    at += store::kFramePrefixBytes + length;
  }
}

struct Seen {
  uint64_t frames = 0, body_bytes = 0;
  bool sound = true, sealed = false;
  bool operator==(const Seen&) const = default;
};

Seen parse(const std::string& bytes, size_t step) {
  Seen seen;
  store::CaptureParser parser;
  for (size_t at = 0; at < bytes.size() && seen.sound; at += step) {
    const std::string piece = bytes.substr(at, step);
    seen.sound = parser
                     .feed(piece,
                           [&](const store::Frame& frame) {
                             fuzz::require(frame.sequence == seen.frames++, "frames out of sequence");
                             seen.body_bytes += frame.body.size();
                             Arena arena;
                             std::vector<Span> spans;
                             if (store::decode_frame(frame, arena, spans)) fuzz::check_round_trip(spans);
                           })
                     .has_value();
  }
  seen.sealed = parser.sealed();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] & 0x80) repair_checksums(bytes);
  const Seen whole = parse(bytes, bytes.size() + 1);
  const Seen cut = parse(bytes, 1 + (data[0] & 0x7f));
  // Cut into pieces the parser may notice damage behind a whole frame only later; the frames before it are the same.
  fuzz::require(whole == cut, "cutting the bytes changed what was read");

  const int file = memfd_create("capture", MFD_CLOEXEC);
  fuzz::require(file >= 0 && write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
                "no memory file");
  const auto loaded = store::load_capture("/proc/self/fd/" + std::to_string(file));
  close(file);
  fuzz::require(loaded.has_value(), "a readable file was an error");
  fuzz::require(loaded->complete == loaded->problem.empty(), "incomplete without a problem, or the reverse");
  if (bytes.rfind("HOPCAP", 0) == 0) {
    fuzz::require(!loaded->complete || whole.sealed, "complete, but not sealed");
    fuzz::require(loaded->bodies.received == whole.frames, "the loader saw other frames than the parser");
  }
  return 0;
}
