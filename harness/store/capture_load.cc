// Stored captures of every form we read → spans. The file is held in memory; spans point into it where nothing had to
// be unpacked.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "store/capture_format.h"

namespace hopcheck::store {

namespace {

constexpr uint64_t kMaxFileBytes = 8ull << 30;  // plain, or after decompression
constexpr size_t kMaxNotes = 64;
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

// Bytes in huge pages where the kernel grants them: touching a large capture page by page costs more than reading it.
class Buffer {
 public:
  bool resize(size_t size) {
    constexpr size_t kHugePage = 2u << 20;
    const size_t rounded = (size / kHugePage + 1) * kHugePage;
    void* made = std::aligned_alloc(kHugePage, rounded);
    if (made == nullptr) return false;
    madvise(made, rounded, MADV_HUGEPAGE);
    if (size_ > 0) std::memcpy(made, data_.get(), std::min(size, size_));
    data_.reset(static_cast<char*>(made));
    size_ = size;
    return true;
  }
  void shrink(size_t size) { size_ = size; }
  char* data() { return data_.get(); }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
};

// Owns the bytes that spans point into, beside the arena that callers see.
struct Held {
  Buffer file;
  Arena arena;
};

Result<void> read_file(const std::string& path, Buffer& out) {
  const auto unreadable = [&](int number) {
    return fail(ErrorKind::kUsage, "cannot read capture " + path, std::strerror(number));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return unreadable(errno);
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  struct stat status {};
  if (fstat(fd, &status) != 0) return unreadable(errno);
  if (S_ISDIR(status.st_mode)) return unreadable(EISDIR);
  if (static_cast<uint64_t>(status.st_size) > kMaxFileBytes) return unreadable(EFBIG);
  if (!out.resize(static_cast<size_t>(status.st_size) + 1)) return unreadable(ENOMEM);  // one more, to see the end
  size_t done = 0;
  while (true) {
    if (done == out.size() && !out.resize(out.size() * 2)) return unreadable(ENOMEM);  // it grew, or is a pipe
    if (out.size() > 2 * kMaxFileBytes) return unreadable(EFBIG);
    const ssize_t size = read(fd, out.data() + done, out.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return unreadable(errno);
    if (size == 0) break;
    done += static_cast<size_t>(size);
  }
  out.shrink(done);
  return {};
}

// Unpacks as far as it goes; `problem` says why it stopped before the end.
Buffer unzstd(std::string_view packed, std::string& problem) {
  struct Free {
    void operator()(ZSTD_DCtx* d) const { ZSTD_freeDCtx(d); }
  };
  const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  Buffer out;
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  ZSTD_outBuffer to{nullptr, 0, 0};
  size_t left = 1;
  while (in.pos < in.size || left != 0) {
    if (to.pos == to.size) {
      const size_t larger = std::max(to.size * 2, packed.size() * 4 + 4096);
      if (to.size > kMaxFileBytes || !out.resize(larger)) {
        problem = "larger than can be held after decompression";
        break;
      }
      to.dst = out.data();
      to.size = out.size();
    }
    const size_t in_before = in.pos, out_before = to.pos;
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left)) {
      problem = fmt::format("not valid zstd near byte {}: {}", in.pos, ZSTD_getErrorName(left));
      break;
    }
    if (to.pos == out_before && in.pos == in_before) {
      problem = fmt::format("torn tail: zstd data ends at byte {} inside a frame", in.size);
      break;
    }
  }
  out.shrink(to.pos);
  return out;
}

class Loader {
 public:
  Loader(Held& held, LoadedCapture& out) : held_(held), out_(out) {}

  void native(std::string_view file);
  void json_lines(std::string_view file);
  void length_prefixed(std::string_view file);
  void problem(std::string text) {
    out_.complete = false;
    if (out_.problem.empty()) out_.problem = std::move(text);
  }

 private:
  template <class Decode>
  void decode(uint64_t sequence, uint64_t arrival, const char* unit, uint64_t number, Decode decode_body);
  void message(std::string_view body, uint64_t number);

  Held& held_;
  LoadedCapture& out_;
};

template <class Decode>
void Loader::decode(uint64_t sequence, uint64_t arrival, const char* unit, uint64_t number, Decode decode_body) {
  const size_t first = out_.spans.size();
  const Result<otlp::DecodeNotes> notes = decode_body(out_.spans);
  if (!notes) {
    problem(fmt::format("{} {} does not decode: {}", unit, number, notes.error().what));
    return;
  }
  for (size_t i = first; i < out_.spans.size(); ++i) {
    out_.spans[i].frame_sequence = sequence;
    out_.spans[i].arrival_unix_nanos = arrival;
  }
  for (const std::string& note : notes->notes) {
    if (out_.notes.size() < kMaxNotes) out_.notes.push_back(fmt::format("{} {}: {}", unit, number, note));
  }
}

Result<otlp::DecodeNotes> decode_body(std::string_view body, otlp::Encoding encoding, Arena& arena,
                                      std::vector<Span>& out) {
  return encoding == otlp::Encoding::kJson ? otlp::decode_json_in_place(body, arena, out)
                                           : otlp::decode_protobuf(body, arena, out);
}

// Of the spans from `first` on; how many.
uint64_t leave_out_rejected(const Frame& frame, size_t first, std::vector<Span>& spans) {
  const size_t rejected = std::min<uint64_t>(rejected_spans(frame), spans.size() - first);
  spans.resize(spans.size() - rejected);
  return rejected;
}

void Loader::native(std::string_view file) {
  CaptureParser parser;
  const auto on_frame = [&](const Frame& frame) {
    ++out_.bodies.received;
    if (frame.status == kStatusAborted) {
      ++out_.bodies.aborted;
    } else if (frame.status != 200) {
      ++out_.bodies.refused;
    } else {
      ++out_.bodies.accepted;
      decode(frame.sequence, frame.arrival_unix_nanos, "frame", frame.sequence,
             [&](std::vector<Span>& spans) -> Result<otlp::DecodeNotes> {
               const size_t first = spans.size();
               const auto body = otlp::decompress(frame.body, frame.content_encoding, otlp::kMaxBodyBytes, held_.arena);
               if (!body) return tl::unexpected<Error>(body.error());
               auto notes = decode_body(*body, frame.encoding, held_.arena, spans);
               if (notes) out_.rejected_spans += leave_out_rejected(frame, first, spans);
               return notes;
             });
    }
  };
  if (const auto fed = parser.feed(file, on_frame); !fed) {
    problem(fed.error().what);
    return;
  }
  if (parser.pending() == 0) {
    if (!parser.sealed()) problem("not sealed");
    return;
  }
  const std::string_view tail = file.substr(parser.consumed());
  const size_t later = parser.consumed() == 0 ? std::string_view::npos : find_later_record(tail, parser.frames());
  if (later != std::string_view::npos) {
    problem(
        fmt::format("capture damaged: bytes {} to {} are no frame", parser.consumed(), parser.consumed() + later - 1));
  } else if (parser.frames() == 0) {
    problem(fmt::format("torn tail: {} bytes {}", tail.size(),
                        parser.consumed() == 0 ? "of the header" : "after the header"));
  } else {
    problem(fmt::format("torn tail: {} bytes after frame {}", tail.size(), parser.frames() - 1));
  }
}

void Loader::json_lines(std::string_view file) {
  uint64_t number = 0, sequence = 0;
  while (!file.empty()) {
    const size_t end = std::min(file.find('\n'), file.size());
    std::string_view line = file.substr(0, end);
    file.remove_prefix(std::min(end + 1, file.size()));
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    ++out_.bodies.received;
    ++out_.bodies.accepted;
    decode(sequence++, 0, "line", number,
           [&](std::vector<Span>& spans) { return otlp::decode_json_in_place(line, held_.arena, spans); });
  }
}

// The Collector's file exporter compresses each message by itself, and then writes JSON with a length prefix too.
void Loader::message(std::string_view body, uint64_t number) {
  ++out_.bodies.received;
  ++out_.bodies.accepted;
  decode(number, 0, "message", number, [&](std::vector<Span>& spans) -> Result<otlp::DecodeNotes> {
    std::string_view plain = body;
    if (body.substr(0, 4) == kZstdMagic) {
      const auto unpacked = otlp::decompress(body, otlp::ContentEncoding::kZstd, otlp::kMaxBodyBytes, held_.arena);
      if (!unpacked) return tl::unexpected<Error>(unpacked.error());
      plain = *unpacked;
    }
    const bool json = !plain.empty() && plain[0] == '{';
    return decode_body(plain, json ? otlp::Encoding::kJson : otlp::Encoding::kProtobuf, held_.arena, spans);
  });
}

void Loader::length_prefixed(std::string_view file) {
  uint64_t number = 0, offset = 0;
  while (offset < file.size()) {
    const std::string_view rest = file.substr(offset);
    size_t length = 0;
    for (size_t i = 0; i < 4 && i < rest.size(); ++i) length = length << 8 | static_cast<uint8_t>(rest[i]);
    if (rest.size() < 4 || length > rest.size() - 4) {
      problem(number == 0
                  ? std::string("not a capture: neither hopcheck's, nor OTLP JSON lines, nor length-prefixed protobuf")
                  : fmt::format("torn tail: {} bytes after message {}", rest.size(), number - 1));
      return;
    }
    message(rest.substr(4, length), number++);
    offset += 4 + length;
  }
}

bool starts_with_json(std::string_view file) {
  const size_t at = file.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && file[at] == '{';
}

}  // namespace

Result<otlp::DecodeNotes> decode_frame(const Frame& frame, Arena& arena, std::vector<Span>& out) {
  auto body = otlp::decompress(frame.body, frame.content_encoding, otlp::kMaxBodyBytes, arena);
  if (!body) return tl::unexpected<Error>(body.error());
  const bool borrowed = body->data() == frame.body.data();
  const std::string_view kept = borrowed ? arena.copy(*body) : *body;
  const size_t first = out.size();
  auto notes = decode_body(kept, frame.encoding, arena, out);
  if (!notes) return notes;
  leave_out_rejected(frame, first, out);
  for (size_t i = first; i < out.size(); ++i) {
    out[i].frame_sequence = frame.sequence;
    out[i].arrival_unix_nanos = frame.arrival_unix_nanos;
  }
  return notes;
}

Result<LoadedCapture> load_capture(const std::string& path) {
  auto held = std::make_shared<Held>();
  if (const auto read = read_file(path, held->file); !read) return tl::unexpected<Error>(read.error());
  LoadedCapture out;
  out.arena = std::shared_ptr<Arena>(held, &held->arena);
  Loader loader(*held, out);
  if (held->file.view().substr(0, 4) == kZstdMagic) {
    std::string problem;
    held->file = unzstd(held->file.view(), problem);
    if (!problem.empty()) loader.problem(problem);
  }
  const std::string_view bytes = held->file.view();
  const bool named_native = path.size() >= 4 && path.compare(path.size() - 4, 4, ".hcl") == 0;
  const std::string_view magic(kCaptureMagic, 6);
  if (bytes.empty() && named_native) {
    loader.problem("empty: a capture has a header at least");
  } else if (bytes.substr(0, 6) == magic ||
             (!bytes.empty() && bytes.size() < 6 && magic.substr(0, bytes.size()) == bytes)) {
    loader.native(bytes);
  } else if (starts_with_json(bytes)) {
    loader.json_lines(bytes);
  } else {
    loader.length_prefixed(bytes);
  }
  return out;
}

}  // namespace hopcheck::store
