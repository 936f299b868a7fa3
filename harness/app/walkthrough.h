// `run` of a file of kind Walkthrough: an environment of its own (kind), the steps really performed by /bin/sh, each
// judged (run/walkthrough.h), the results as walkthrough.json, reports/junit.xml and a table on stdout.
#pragma once

#include <string>
#include <vector>

#include "app/mesh_environment.h"
#include "app/output.h"
#include "base/result.h"

namespace hopcheck::app {

// One path, to a file of that kind.
bool is_walkthrough(const std::vector<std::string>& paths);

struct WalkthroughRequest {
  RunOptions options;
  OutputOptions output;
  ProviderChoice choice;
};
// The exit code: 0 every step held, 1 one did not, 2 some were not tried.
Result<int> run_walkthrough(const WalkthroughRequest& request, Context& context);

}  // namespace hopcheck::app
