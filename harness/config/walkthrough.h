// Files of kind Walkthrough: a guide as ordered steps (docs/reference/files.md).
#pragma once

#include <string>

#include "config/load.h"
#include "model/walkthrough.h"

namespace hopcheck::config {

// Text in, value out. At most 200 steps. References are left as they stand in the file.
Loaded<Walkthrough> parse_walkthrough(const std::string& text, const std::string& file);
// At most 1 MiB.
Loaded<Walkthrough> load_walkthrough(const std::string& path);

}  // namespace hopcheck::config
