// One file per verb (verb_<name>.cc) adds itself to the command line here. The only place that wires edges.
#pragma once

#include <atomic>
#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace hopcheck::app {

struct Context {
  int exit_code = 0;            // set by the verb that ran
  std::string share;  // root that holds scenarios/, fixtures/, kind/: $HOPCHECK_SHARE, else beside the binary, else the
                      // source tree
  std::string executable;       // absolute path of this binary
  std::atomic<bool>* stop = nullptr;  // set by SIGINT/SIGTERM
  int stop_signal() const;      // 0, SIGINT or SIGTERM
};

// Prints the error to stderr and returns its exit code (verdict.md section 3).
int report_error(const Error& error);
int exit_code_of(ErrorKind kind);

void add_run(CLI::App& app, Context& context);
void add_check(CLI::App& app, Context& context);
void add_report(CLI::App& app, Context& context);
void add_capture(CLI::App& app, Context& context);  // capture dump | edit | grow | profile
void add_capture_profile(CLI::App& capture, Context& context);
void add_sink(CLI::App& app, Context& context);
void add_load(CLI::App& app, Context& context);
void add_agent(CLI::App& app, Context& context);    // in-cluster load agent
void add_environment(CLI::App& app, Context& context);  // up | down | gc
void add_doctor(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_rows(CLI::App& app, Context& context);
void add_compare(CLI::App& app, Context& context);
void add_selftest(CLI::App& app, Context& context);
void add_collector(CLI::App& app, Context& context);  // collector check | rewrite
void add_mesh_config(CLI::App& app, Context& context);  // mesh-config fields | helm-values
void add_version(CLI::App& app, Context& context);

}  // namespace hopcheck::app
