// The trials of a suite of injected causes as JUnit XML: one test case each, the fixes that were run as its output.
#pragma once

#include <string>
#include <vector>

#include "doctor/confusion.h"

namespace hopcheck::app {

std::string injections_junit(const std::string& suite, const std::vector<doctor::Trial>& trials);

}  // namespace hopcheck::app
