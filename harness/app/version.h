// Version as the build knows it (harness/CMakeLists.txt). The commit is store::source_commit().
#pragma once

namespace hopcheck::app {

#ifndef HOPCHECK_VERSION
#define HOPCHECK_VERSION "0.0.0"
#endif
inline constexpr const char* kVersion = HOPCHECK_VERSION;

}  // namespace hopcheck::app
