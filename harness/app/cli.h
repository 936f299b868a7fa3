// The command line as a function, so that tests can call it.
#pragma once

namespace hopcheck::app {

// Parses, runs one verb, returns the process's exit code (verdict.md section 3).
int run_cli(int argc, char** argv);

}  // namespace hopcheck::app
