#include "store/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace hopcheck::store {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close() {
    const int result = fd_ < 0 ? 0 : ::close(fd_);
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

int open_file(const std::string& path, int flags) {
  int fd = -1;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  while (fd < 0 && errno == EINTR);
  return fd;
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t done = ::write(fd, content.data(), content.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    content.remove_prefix(static_cast<size_t>(done));
  }
  return true;
}

tl::unexpected<Error> refused(const std::string& path, const char* doing, int error) {
  return fail(ErrorKind::kEnvironment, fmt::format("{} cannot be {}", path, doing), std::strerror(error),
              error == ENOSPC ? "free space on this disk" : "check the path, its permissions and the disk");
}

Result<std::string> read_all(int fd, const std::string& path, size_t limit) {
  std::string out;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorKind::kEvidence, path + " cannot be read", std::strerror(errno));
    if (got == 0) return out;
    out.append(buffer, static_cast<size_t>(got));
    if (out.size() > limit) return fail(ErrorKind::kEvidence, fmt::format("{} is larger than {} bytes", path, limit));
  }
}

}  // namespace

Result<void> replace_file(const std::string& path, std::string_view content) {
  static std::atomic<unsigned> counter{0};  // several threads may replace the same file
  const std::string temporary = fmt::format("{}.{}-{}.part", path, getpid(), counter++);
  Descriptor file(open_file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
  if (file.get() < 0) return refused(path, "written", errno);
  int error = 0;
  if (!write_all(file.get(), content) || ::fsync(file.get()) != 0) error = errno;
  if (file.close() != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  ::unlink(temporary.c_str());
  return refused(path, "written", error);
}

Result<void> append_file(const std::string& path, std::string_view content) {
  const Descriptor file(open_file(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW));
  if (file.get() < 0 || !write_all(file.get(), content)) return refused(path, "written", errno);
  return {};
}

Result<std::string> read_whole(const std::string& path, size_t limit) {
  const Descriptor file(open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));  // a pipe must not block here
  if (file.get() < 0) return fail(ErrorKind::kEvidence, path + " cannot be read", std::strerror(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorKind::kEvidence, path + " cannot be read", "not a regular file");
  }
  return read_all(file.get(), path, limit);
}

Result<std::string> read_named(const std::string& path, size_t limit) {
  const Descriptor file(open_file(path, O_RDONLY));
  if (file.get() >= 0) return read_all(file.get(), path, limit);
  return fail(ErrorKind::kUsage, path + " cannot be read", std::strerror(errno), "name a file that exists");
}

}  // namespace hopcheck::store
