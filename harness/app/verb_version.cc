#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "app/version.h"
#include "store/source_commit.h"

namespace hopcheck::app {

void add_version(CLI::App& app, Context& context) {
  (void)context;
  auto output = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("version", "Print version and commit");
  verb->add_option("-o,--output", *output, "json")->check(CLI::IsMember({"json"}));
  verb->callback([output] {
    if (*output == "json") {
      fmt::print("{{\"version\":\"{}\",\"commit\":\"{}\"}}\n", kVersion, store::source_commit());
    } else {
      fmt::print("hopcheck {} ({})\n", kVersion, store::source_commit());
    }
  });
}

}  // namespace hopcheck::app
