// Which sources this program was built from.
#pragma once

#include <string>

namespace hopcheck::store {

// First 12 hex digits of the commit, "-dirty" behind it when the tree differed from that commit at the build, or
// "unknown" for sources without git.
std::string source_commit();

}  // namespace hopcheck::store
