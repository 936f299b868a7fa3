// compare RUN RUN: two runs by their signatures. compare --profile A --profile B: what an upgrade changes in traces,
// without a cluster.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/profile_flags.h"
#include "app/verbs.h"
#include "preview/compare.h"
#include "preview/compare_runs.h"
#include "report/json.h"
#include "store/run_dir.h"

namespace hopcheck::app {
namespace {

struct Flags {
  ProfileFlags question;
  std::vector<std::string> runs;
  std::string order = "gateway-first";
};

Result<std::string> compare_profiles(const Flags& flags, const Context& context) {
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

// A run directory, or a run.json by itself.
Result<RunResult> read_run(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    const auto directory = store::RunDirectory::open(path);
    if (!directory) return tl::unexpected(directory.error());
    const auto text = directory->read_run_json();
    if (!text) return tl::unexpected(text.error());
    return report::from_json(*text);
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::kUsage, path + " cannot be read", "", "name a run directory or a run.json");
  return report::from_json(std::string(std::istreambuf_iterator<char>(file), {}));
}

constexpr int kExitDifferent = 1, kExitNothingCompared = 5;

Result<int> compare_two_runs(const Flags& flags) {
  if (flags.runs.size() != 2 || !flags.question.profiles.empty()) {
    return fail(ErrorKind::kUsage, "compare needs two runs, or two profiles", "",
                "hopcheck compare reports/runs/FIRST reports/runs/SECOND");
  }
  const auto first = read_run(flags.runs[0]);
  if (!first) return tl::unexpected(first.error());
  const auto second = read_run(flags.runs[1]);
  if (!second) return tl::unexpected(second.error());
  const preview::RunComparison comparison = preview::compare_runs(*first, *second);
  const preview::RunNames names{flags.runs[0], flags.runs[1]};
  if (comparison.scenarios.empty()) {
    std::fputs("no scenario was judged in both runs: nothing is compared\n", stderr);
    return kExitNothingCompared;
  }
  const std::string text = flags.question.output == "json" ? preview::to_json(comparison, names)
                                                           : preview::to_text(comparison, *first, *second, names);
  std::fputs(text.c_str(), stdout);
  return comparison.unpredicted == 0 ? 0 : kExitDifferent;
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb =
      app.add_subcommand("compare", "Two runs by what their spans say; or what an upgrade changes, from two profiles");
  verb->add_option("--profile", flags->question.profiles, "given twice: the old and the new one, e.g. istio-1.27")
      ->take_all();
  verb->add_option("runs", flags->runs, "two runs: directories, or run.json files");
  verb->add_option("--order", flags->order, "which proxies are restarted first: gateway-first, gateway-last")
      ->check(CLI::IsMember({"gateway-first", "gateway-last"}))
      ->capture_default_str();
  add_profile_flags(*verb, flags->question);
  verb->callback([flags, &context] {
    if (!flags->runs.empty()) {
      const auto code = compare_two_runs(*flags);
      context.exit_code = code ? *code : report_error(code.error());
      return;
    }
    const auto text = compare_profiles(*flags, context);
    if (text) std::fputs(text->c_str(), stdout);
    else context.exit_code = report_error(text.error());
  });
}

}  // namespace hopcheck::app
