// explain CODE: the rule's page in the terminal. explain --profile NAME: what a version means for a topology. explain
// --profiles: what every version exports, the page docs/what-istio-exports.md.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/profile_flags.h"
#include "app/verbs.h"
#include "base/text.h"
#include "check/catalogue.h"
#include "preview/exports.h"

namespace hopcheck::app {
namespace {

struct Flags {
  std::string code, format = "markdown";
  bool all = false;
  ProfileFlags question;
};

Result<std::string> rule_page(const std::string& code, const Context& context) {
  std::vector<std::string> codes;
  for (const check::RuleInfo& rule : check::catalogue()) {
    codes.emplace_back(rule.code);
    if (code != rule.code) continue;
    std::ifstream page(context.share + "/docs/rules/" + code + ".md");
    std::string text((std::istreambuf_iterator<char>(page)), {});
    if (text.empty()) text = fmt::format("# {}: {}\n\n{}\n", rule.code, rule.title, rule.hint);
    return text;
  }
  const auto near = nearest(code, codes);
  return fail(ErrorKind::kUsage, fmt::format("no rule has the code {}", printable(code)), "",
              near ? fmt::format("did you mean {}?", *near) : "codes have the form HOPffnn");
}

Result<std::string> one_profile(const ProfileFlags& flags, const Context& context) {
  if (flags.profiles.size() != 1)
    return fail(ErrorKind::kUsage, "explain takes one profile", "", "two of them: hopcheck compare");
  const auto profiles = read_profiles(context);
  if (!profiles) return tl::unexpected(profiles.error());
  const auto profile = pick_profile(*profiles, flags.profiles[0]);
  if (!profile) return tl::unexpected(profile.error());
  const auto question = question_of(flags, context);
  if (!question) return tl::unexpected(question.error());
  plan::ProfileBinding binding;
  binding.fallback = *profile;
  const auto outlines = preview::outline(*question, binding);
  if (!outlines) return tl::unexpected(outlines.error());
  return flags.output == "json" ? preview::explain_json(**profile, *question, *outlines)
                                : preview::explain_text(**profile, *question, *outlines);
}

Result<std::string> answer(const Flags& flags, const Context& context) {
  const int asked = (flags.code.empty() ? 0 : 1) + (flags.question.profiles.empty() ? 0 : 1) + (flags.all ? 1 : 0);
  if (asked != 1)
    return fail(ErrorKind::kUsage, "explain needs a rule code, --profile or --profiles, and one of them", "",
                "hopcheck explain HOP0601, or hopcheck explain --profile istio-1.30");
  if (!flags.code.empty()) return rule_page(flags.code, context);
  if (!flags.all) return one_profile(flags.question, context);
  const auto profiles = read_profiles(context);
  if (!profiles) return tl::unexpected(profiles.error());
  return preview::exports_markdown(*profiles);
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("explain", "Explain a rule code, or what a profile means for a topology");
  verb->add_option("code", flags->code, "rule code, e.g. HOP0601: what it asks, usual causes, fix");
  verb->add_option("--profile", flags->question.profiles, "mesh profile, e.g. istio-1.30: which spans a request leaves")
      ->take_all();
  verb->add_flag("--profiles", flags->all, "what every version exports, as a page");
  verb->add_option("--format", flags->format, "of --profiles: markdown")
      ->check(CLI::IsMember({"markdown"}))
      ->capture_default_str();
  add_profile_flags(*verb, flags->question);
  verb->callback([flags, &context] {
    const auto text = answer(*flags, context);
    if (text) std::fputs(text->c_str(), stdout);
    else context.exit_code = report_error(text.error());
  });
}

}  // namespace hopcheck::app
