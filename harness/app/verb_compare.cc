// compare --profile A --profile B: what an upgrade changes in traces, without a cluster.
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/profile_flags.h"
#include "app/verbs.h"
#include "preview/compare.h"

namespace hopcheck::app {
namespace {

struct Flags {
  ProfileFlags question;
  std::vector<std::string> runs;
  std::string order = "gateway-first";
};

Result<std::string> compare_profiles(const Flags& flags, const Context& context) {
  if (!flags.runs.empty())
    return fail(ErrorKind::kUsage, "comparing two runs is not there yet", "this version compares two profiles",
                "hopcheck compare --profile istio-1.27 --profile istio-1.31");
  if (flags.question.profiles.size() != 2)
    return fail(ErrorKind::kUsage, "compare needs two profiles, the old and the new one", "",
                "hopcheck compare --profile istio-1.27 --profile istio-1.31");
  const auto profiles = read_profiles(context);
  if (!profiles) return tl::unexpected(profiles.error());
  const auto before = pick_profile(*profiles, flags.question.profiles[0]);
  if (!before) return tl::unexpected(before.error());
  const auto after = pick_profile(*profiles, flags.question.profiles[1]);
  if (!after) return tl::unexpected(after.error());
  const auto question = question_of(flags.question, context);
  if (!question) return tl::unexpected(question.error());
  const auto order = flags.order == "gateway-last" ? preview::Order::kGatewayLast : preview::Order::kGatewayFirst;
  const auto comparison = preview::compare({*before, *after, &*profiles}, *question, order);
  if (!comparison) return tl::unexpected(comparison.error());
  return flags.question.output == "json" ? preview::compare_json(*comparison, *question)
                                         : preview::compare_text(*comparison, *question);
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("compare", "Preview what an upgrade changes in traces, from two profiles");
  verb->add_option("--profile", flags->question.profiles, "given twice: the old and the new one, e.g. istio-1.27")
      ->take_all();
  verb->add_option("runs", flags->runs, "not yet: two run directories");
  verb->add_option("--order", flags->order, "which proxies are restarted first: gateway-first, gateway-last")
      ->check(CLI::IsMember({"gateway-first", "gateway-last"}))
      ->capture_default_str();
  add_profile_flags(*verb, flags->question);
  verb->callback([flags, &context] {
    const auto text = compare_profiles(*flags, context);
    if (text) std::fputs(text->c_str(), stdout);
    else context.exit_code = report_error(text.error());
  });
}

}  // namespace hopcheck::app
