// Files by system calls: whole-file replacement, appends, bounded reads. No symbolic link is followed at the last
// component, except by read_named(). Errors: kEnvironment for what the operating system refuses on writing, kEvidence
// for what cannot be read, kUsage for a named file that cannot be opened.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hopcheck::store {

// Temporary file beside it, fsync, rename: a reader sees the old content or the new one. Mode 0600.
Result<void> replace_file(const std::string& path, std::string_view content);
// One write(2) at the end of the file, made when absent, so that lines of several threads do not mix. Mode 0600.
Result<void> append_file(const std::string& path, std::string_view content);
// A regular file of a run directory. Error when it is larger than `limit` bytes.
Result<std::string> read_whole(const std::string& path, size_t limit);
// The same for a file the user named: it may be a link or a pipe.
Result<std::string> read_named(const std::string& path, size_t limit);

}  // namespace hopcheck::store
