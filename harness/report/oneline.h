// The verdict in one line, for chat messages, commit statuses and logs. Pure; ends with a newline.
#pragma once

#include <string>

#include "model/run_result.h"

namespace hopcheck::report {

std::string to_oneline(const RunResult& result);

}  // namespace hopcheck::report
