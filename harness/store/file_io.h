// Files of a run directory: whole-file replacement, appends, bounded reads. No symbolic link is followed at the last component.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hopcheck::store {

// Temporary file beside it, fsync, rename. Mode 0600.
Result<void> replace_file(const std::string& path, std::string_view content);
// One write(2) at the end of the file, made when absent. Mode 0600.
Result<void> append_file(const std::string& path, std::string_view content);
// Error kEvidence when it is larger than `limit` bytes.
Result<std::string> read_whole(const std::string& path, size_t limit);

}  // namespace hopcheck::store
