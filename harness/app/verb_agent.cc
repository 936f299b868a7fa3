// agent: the in-cluster load agent. Started by a provider inside a pod; its token comes from the environment alone.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/verbs.h"
#include "load/engine.h"

namespace hopcheck::app {

void add_agent(CLI::App& app, Context& context) {
  auto options = std::make_shared<load::AgentOptions>();
  CLI::App* verb = app.add_subcommand("agent", "Send requests from where this runs, as told over a control port");
  verb->add_option("--control", options->control_address, "IP:PORT of the control API; port 0: any free one")
      ->capture_default_str();
  verb->footer("The token that callers send as X-Hopcheck-Token is read from $HOPCHECK_CONTROL_TOKEN.");
  verb->callback([options, &context] {
    const char* token = std::getenv("HOPCHECK_CONTROL_TOKEN");
    options->token = token == nullptr ? "" : token;
    options->on_listening = [](const std::string& address) {
      std::fputs(("agent: listening on " + address + "\n").c_str(), stderr);
    };
    const Result<void> result = load::run_agent(*options, *context.stop);
    context.exit_code = result ? 0 : report_error(result.error());
  });
}

}  // namespace hopcheck::app
