// --report FORMAT[=PATH] and -o: what leaves through stdout and files; stdout carries the requested result alone.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/run_result.h"

namespace CLI {
class App;
}

namespace hopcheck::app {

struct OutputOptions {
  std::vector<std::string> reports;  // "html=PATH", "junit=PATH", "json" (stdout) …
  std::string output;                // "json": run.json on stdout instead of the terminal report
  std::string color = "auto";
};
void add_output_options(CLI::App& verb, OutputOptions& options);

// Renders; the terminal report goes to stdout unless -o json or a --report without a path took it.
Result<void> emit(const OutputOptions& options, const RunResult& result, const std::string& run_directory);

}  // namespace hopcheck::app
