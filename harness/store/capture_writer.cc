#include "store/capture_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

#include "store/capture_format.h"

namespace hopcheck::store {

namespace {

constexpr size_t kReadChunk = 1u << 20;

tl::unexpected<Error> system_error(const std::string& what, int number) {
  const char* fix = number == ENOSPC || number == EDQUOT ? "free some space" : "";
  return fail(ErrorKind::kEnvironment, what, std::strerror(number), fix);
}

class FileCaptureWriter : public CaptureWriter {
 public:
  FileCaptureWriter(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~FileCaptureWriter() override { close(fd_); }
  FileCaptureWriter(const FileCaptureWriter&) = delete;
  FileCaptureWriter& operator=(const FileCaptureWriter&) = delete;

  Result<void> start(std::string_view run_id, uint64_t created) {
    const std::string header = encode_capture_header(run_id, created);
    return write_all(header, {});
  }
  Result<uint64_t> recover(const std::function<void(const Frame&)>& on_frame);

  Result<void> append(const Frame& frame) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sealed_) return fail(ErrorKind::kEvidence, "capture " + path_ + " is sealed");
    Frame numbered = frame;
    numbered.sequence = totals_.frames;
    const std::string head = encode_frame_head(numbered);
    if (head.size() + frame.body.size() > kMaxFrameRest)
      return fail(ErrorKind::kUsage, "frame too large for a capture");
    if (auto written = write_all(head, frame.body); !written) return written;
    count(frame);
    return {};
  }

  Result<void> seal() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sealed_) return {};
    if (auto written = write_all(encode_capture_footer(totals_, bytes_), {}); !written) return written;
    sealed_ = true;
    // The one place that waits for the disk: a sealed capture is evidence, it should survive the machine.
    if (fsync(fd_) != 0 && errno != EINVAL) return system_error("sync " + path_, errno);
    return {};
  }

  uint64_t bytes() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return bytes_;
  }

 private:
  void count(const Frame& frame) {
    ++totals_.frames;
    if (frame.status == 200) ++totals_.accepted;
    totals_.body_bytes += frame.body.size();
  }
  Result<void> write_all(std::string_view head, std::string_view body);

  mutable std::mutex mutex_;
  int fd_;
  std::string path_;
  CaptureTotals totals_;
  uint64_t bytes_ = 0;
  bool sealed_ = false;
  bool unusable_ = false;  // a half-written frame could not be taken back
};

// All of both parts, or none: what was written of a frame that did not fit is cut off again.
Result<void> FileCaptureWriter::write_all(std::string_view head, std::string_view body) {
  if (unusable_) return fail(ErrorKind::kEnvironment, "capture " + path_ + " cannot be written any more");
  size_t done = 0;
  const size_t total = head.size() + body.size();
  while (done < total) {
    const std::string_view first = done < head.size() ? head.substr(done) : std::string_view{};
    const std::string_view second = done < head.size() ? body : body.substr(done - head.size());
    const iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                            {const_cast<char*>(second.data()), second.size()}};
    const ssize_t wrote = writev(fd_, parts, 2);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const int number = wrote < 0 ? errno : ENOSPC;
      if (done > 0 && ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) unusable_ = true;
      return system_error("write " + path_, number);
    }
    done += static_cast<size_t>(wrote);
  }
  bytes_ += total;
  return {};
}

// Reads what is there; the bytes of a torn tail that were cut off.
Result<uint64_t> FileCaptureWriter::recover(const std::function<void(const Frame&)>& on_frame) {
  CaptureParser parser;
  std::vector<char> chunk(kReadChunk);
  uint64_t offset = 0;
  while (true) {
    const ssize_t size = pread(fd_, chunk.data(), chunk.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error("read " + path_, errno);
    if (size == 0) break;
    offset += static_cast<uint64_t>(size);
    const auto fed = parser.feed({chunk.data(), static_cast<size_t>(size)}, [&](const Frame& frame) {
      count(frame);
      on_frame(frame);
    });
    if (!fed) return with_context(fed.error(), "continue " + path_);
  }
  if (parser.sealed()) {
    return fail(ErrorKind::kUsage, "capture " + path_ + " is sealed", "its sink ended in good order",
                "choose another --out directory, or move the file away");
  }
  bytes_ = parser.consumed();
  if (parser.pending() > 0 && ftruncate(fd_, static_cast<off_t>(bytes_)) != 0)
    return system_error("truncate " + path_, errno);
  return parser.pending();
}

}  // namespace

Result<OpenedCapture> open_capture(const std::string& path, std::string_view run_id, uint64_t created_unix_nanos,
                                   const std::function<void(const Frame&)>& on_recovered) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return system_error("open " + path, errno);
  OpenedCapture opened;
  auto writer = std::make_unique<FileCaptureWriter>(fd, path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorKind::kEnvironment, "capture " + path + " is being written by another process",
                std::strerror(errno), "stop the other sink, or choose another --out directory");
  }
  struct stat status {};
  if (fstat(fd, &status) != 0) return system_error("stat " + path, errno);
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::kUsage, path + " is not a regular file");
  if (status.st_size > 0) {
    const auto cut = writer->recover([&](const Frame& frame) {
      ++opened.recovered_frames;
      on_recovered(frame);
    });
    if (!cut) return tl::unexpected<Error>(cut.error());
    opened.cut_bytes = *cut;
  }
  if (writer->bytes() == 0) {  // new, or torn inside its header
    if (auto started = writer->start(run_id, created_unix_nanos); !started)
      return tl::unexpected<Error>(started.error());
  }
  opened.writer = std::move(writer);
  return opened;
}

Result<std::unique_ptr<CaptureWriter>> CaptureWriter::create(const std::string& path, std::string_view run_id,
                                                             uint64_t created_unix_nanos) {
  auto opened = open_capture(path, run_id, created_unix_nanos, [](const Frame&) {});
  if (!opened) return tl::unexpected<Error>(opened.error());
  return std::move(opened->writer);
}

}  // namespace hopcheck::store
