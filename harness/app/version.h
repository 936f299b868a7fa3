// Version and commit as the build knows them (harness/CMakeLists.txt).
#pragma once

namespace hopcheck::app {

#ifndef HOPCHECK_VERSION
#define HOPCHECK_VERSION "0.0.0"
#endif
#ifndef HOPCHECK_COMMIT
#define HOPCHECK_COMMIT "unknown"
#endif
inline constexpr const char* kVersion = HOPCHECK_VERSION;
inline constexpr const char* kCommit = HOPCHECK_COMMIT;

}  // namespace hopcheck::app
