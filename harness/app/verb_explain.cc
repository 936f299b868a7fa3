// explain CODE: the rule's page in the terminal.
#include <cstdio>
#include <fstream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "base/text.h"
#include "check/catalogue.h"

namespace hopcheck::app {

void add_explain(CLI::App& app, Context& context) {
  auto code = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("explain", "Explain a rule code: what it asks, usual causes, fix");
  verb->add_option("code", *code, "rule code, e.g. HOP0601")->required();
  verb->callback([code, &context] {
    std::vector<std::string> codes;
    for (const check::RuleInfo& rule : check::catalogue()) {
      codes.emplace_back(rule.code);
      if (*code != rule.code) continue;
      std::ifstream page(context.share + "/docs/rules/" + *code + ".md");
      std::string text((std::istreambuf_iterator<char>(page)), {});
      if (text.empty()) text = fmt::format("# {}: {}\n\n{}\n", rule.code, rule.title, rule.hint);
      std::fputs(text.c_str(), stdout);
      return;
    }
    const auto near = nearest(*code, codes);
    context.exit_code =
        report_error(Error{ErrorKind::kUsage, fmt::format("no rule has the code {}", printable(*code)), "",
                           near ? fmt::format("did you mean {}?", *near) : "codes have the form HOPffnn"});
  });
}

}  // namespace hopcheck::app
