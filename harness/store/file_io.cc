#include "store/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace hopcheck::store {
namespace {

tl::unexpected<Error> refused(const std::string& path, const char* doing) {
  return fail(ErrorKind::kEnvironment, fmt::format("{} cannot be {}", path, doing), std::strerror(errno), "check the path, its permissions and the disk");
}

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t done = ::write(fd, content.data(), content.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return refused(path, "written");
    content.remove_prefix(static_cast<size_t>(done));
  }
  return {};
}

}  // namespace

Result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".part";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return refused(temporary, "made");
  Result<void> written = write_all(fd, content, temporary);
  if (written && ::fsync(fd) != 0) written = refused(temporary, "flushed");
  ::close(fd);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = refused(path, "replaced");
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> append_file(const std::string& path, std::string_view content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return refused(path, "opened");
  Result<void> written = write_all(fd, content, path);
  ::close(fd);
  return written;
}

Result<std::string> read_whole(const std::string& path, size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(ErrorKind::kUsage, path + " cannot be read", std::strerror(errno), "name a run directory or file that exists");
  std::string out;
  char buffer[64 * 1024];
  while (out.size() <= limit) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      ::close(fd);
      return refused(path, "read");
    }
    if (got == 0) break;
    out.append(buffer, static_cast<size_t>(got));
  }
  ::close(fd);
  if (out.size() > limit) return fail(ErrorKind::kEvidence, fmt::format("{} is larger than {} bytes", path, limit));
  return out;
}

}  // namespace hopcheck::store
