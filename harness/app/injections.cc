#include "app/injections.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/injection_trials.h"
#include "app/injections_junit.h"
#include "config/load.h"
#include "store/run_dir.h"

namespace hopcheck::app {
namespace {

using doctor::Trial;

Result<InjectionSuite> load(const InjectionOptions& options, const Context& context) {
  auto suite = config::load_injection_suite(options.run.paths.front(), {context.share});
  if (!suite) return fail(ErrorKind::kUsage, "the suite is not valid\n" + config::to_text(suite.error()));
  if (const std::string wrong = doctor::unknown_cause(*suite); !wrong.empty())
    return fail(ErrorKind::kUsage, wrong, "spec.injections of " + options.run.paths.front());
  for (const std::string& name : options.only) {
    const auto& all = suite->injections;
    if (std::none_of(all.begin(), all.end(), [&](const Injection& one) { return one.cause == name; }))
      return fail(ErrorKind::kUsage, "--only " + name + ": the suite injects no such cause");
  }
  return std::move(*suite);
}

Result<std::vector<Trial>> perform_all(const InjectionSuite& suite, const InjectionOptions& options,
                                       Performer& performer, const Context& context) {
  std::vector<Trial> trials;
  if (auto healthy = performer.check_healthy(); !healthy) return tl::unexpected(healthy.error());
  for (const Injection& one : suite.injections) {
    const auto& only = options.only;
    if (*context.stop || (!only.empty() && std::find(only.begin(), only.end(), one.cause) == only.end())) continue;
    trials.push_back(performer.perform({&one}));
    if (!*context.stop) performer.record(one.rows, "injection " + one.cause, {trials.back()});
  }
  if (!options.only.empty()) return trials;
  for (const auto& [first, second] : doctor::draw_pairs(suite, *options.run.seed)) {
    if (!*context.stop) trials.push_back(performer.perform({&suite.injections[first], &suite.injections[second]}));
  }
  if (!*context.stop) performer.record(suite.rows, "injections " + suite.name, trials);
  return trials;
}

}  // namespace

Result<int> run_injections(const InjectionOptions& given, Context& context) {
  InjectionOptions options = given;
  const Result<InjectionSuite> suite = load(options, context);
  if (!suite) return tl::unexpected(suite.error());
  if (options.run.out.empty()) options.run.out = fmt::format("reports/runs/{}-{}", suite->name, *options.run.seed);
  const auto directory = store::RunDirectory::create(options.run.out);
  if (!directory) return tl::unexpected(directory.error());
  Performer performer(*suite, options, context);
  Result<void> opened = performer.open_environment();
  auto trials = opened ? perform_all(*suite, options, performer, context)
                       : Result<std::vector<Trial>>(tl::unexpected(opened.error()));
  const Result<void> closed = performer.close_environment();
  if (!trials) {
    if (!closed) report_error(closed.error());
    return tl::unexpected(trials.error());
  }
  const std::string json = doctor::to_json(*trials);
  const std::string junit = injections_junit(suite->name, *trials);
  if (auto written = directory->write("injections.json", json); !written) return tl::unexpected(written.error());
  if (auto written = directory->write("reports/junit.xml", junit); !written) return tl::unexpected(written.error());
  std::fputs(options.output == "json" ? json.c_str() : doctor::to_text(*trials).c_str(), stdout);
  fmt::print(stderr, "seed {}; each run and diagnosis is in {}\n", *options.run.seed, directory->path());
  if (!closed) return tl::unexpected(closed.error());
  if (const int signal = context.stop_signal(); signal != 0) return 128 + signal;
  return doctor::all_right(*trials) ? 0 : 1;
}

}  // namespace hopcheck::app
