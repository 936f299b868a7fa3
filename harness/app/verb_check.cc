// check: judge stored evidence again, no cluster.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/output.h"
#include "app/record_rows.h"
#include "app/stored_run.h"
#include "app/verbs.h"

namespace hopcheck::app {
namespace {

struct CheckOptions {
  std::string run_directory;
  BareCapture bare;
  bool without_ledger = false;
  JudgeOptions judge;
  OutputOptions output;
};

Result<RunResult> judge_directory(const CheckOptions& options, const config::SearchPath& search) {
  auto directory = store::RunDirectory::open(options.run_directory);
  if (!directory) return tl::unexpected(directory.error());
  auto result = judge_stored(*directory, search, options.judge);
  if (!result) return result;
  if (auto written = write_reports(*directory, *result); !written) return tl::unexpected(written.error());
  return result;
}

// Without a ledger arrival per request is not judged: the result is unknown unless --without-ledger takes those rules
// out.
Result<RunResult> judge_capture(const CheckOptions& options, const config::SearchPath& search) {
  auto result = judge_bare(options.bare, search, options.judge);
  if (!result || !options.bare.ledger.empty() || options.without_ledger) return result;
  result->verdict = worst(result->verdict, Verdict::kUnknown);
  if (result->verdict == Verdict::kUnknown) result->exit_code = 2;
  for (ScenarioResult& scenario : result->scenarios) {
    scenario.verdict = worst(scenario.verdict.value_or(Verdict::kUnknown), Verdict::kUnknown);
    scenario.notes.push_back(
        "unknown: no ledger was given, and --without-ledger does not take arrival out of the selection");
  }
  return result;
}

void run_check(const CheckOptions& options, Context& context) {
  const config::SearchPath search{context.share};
  const bool bare = !options.bare.capture.empty();
  if (bare == !options.run_directory.empty() || bare != !options.bare.scenario.empty()) {
    context.exit_code =
        report_error(Error{ErrorKind::kUsage, "check needs a run directory, or --capture with --scenario", "",
                           "hopcheck check reports/runs/latest"});
    return;
  }
  const auto result = bare ? judge_capture(options, search) : judge_directory(options, search);
  if (!result) {
    context.exit_code = report_error(result.error());
    return;
  }
  if (auto emitted = emit(options.output, *result, bare ? "" : options.run_directory); !emitted) {
    context.exit_code = report_error(emitted.error());
    return;
  }
  context.exit_code = result->exit_code;
  const bool all = options.judge.without_rules.empty();
  record_rows(*result, run::ProofSource::kCheck, all ? run::RuleSelection::kAll : run::RuleSelection::kSome);
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* verb = app.add_subcommand("check", "Judge a stored run or a capture again, without a mesh");
  verb->add_option("rundir", options->run_directory, "run directory");
  verb->add_option("--capture", options->bare.capture,
                   "capture.hcl, OTLP JSON lines or length-prefixed OTLP protobuf, plain or zstd");
  verb->add_option("--scenario", options->bare.scenario, "scenario file the capture is judged against");
  verb->add_option("--ledger", options->bare.ledger, "ledger.jsonl, or one traceparent per line");
  verb->add_flag("--without-ledger", options->without_ledger, "take arrival per request out of the selection");
  verb->add_option("--without-rule", options->judge.without_rules,
                   "leave out a code or family, e.g. HOP0504; repeatable");
  add_output_options(*verb, options->output);
  verb->callback([options, &context] { run_check(*options, context); });
}

}  // namespace hopcheck::app
