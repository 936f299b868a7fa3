// rows: every conformance row with what proves it at this commit.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "config/load.h"
#include "report/rows.h"
#include "store/file_io.h"
#include "store/proofs.h"
#include "store/source_commit.h"

namespace hopcheck::app {
namespace {

constexpr size_t kMaxListBytes = 1u << 20;

struct RowsOptions {
  std::vector<std::string> sections;
  bool unclaimed = false;
  std::string output, proofs, commit, live_list;
};

Result<report::RowsReport> gather(const RowsOptions& options, const Context& context) {
  const auto rows = config::load_rows({context.share});
  if (!rows) return fail(ErrorKind::kUsage, "the file is not valid\n" + config::to_text(rows.error()));
  for (const std::string& section : options.sections) {
    const bool known = std::any_of(rows->sections.begin(), rows->sections.end(),
                                   [&](const ConformanceSection& one) { return one.number == section; });
    if (!known)
      return fail(ErrorKind::kUsage, "--section " + section + ": there is no such section", "",
                  fmt::format("sections are 1 to {}", rows->sections.size()));
  }
  const std::string path = options.proofs.empty() ? store::proofs_path() : options.proofs;
  if (!options.proofs.empty() && !std::filesystem::exists(path))
    return fail(ErrorKind::kUsage, path + " does not exist", "", "name a file of proofs, as runs and tests make it");
  const auto read = store::read_proofs(path);
  if (!read) return tl::unexpected(read.error());
  for (const std::string& damage : read->damaged) fmt::print(stderr, "warning: left out: {}\n", damage);
  if (read->proofs.empty()) {
    fmt::print(stderr, "no proofs in {}: runs and tests record them there\n",
               path.empty() ? "reports/proofs.jsonl, since there is no folder reports/ here" : path);
  }
  auto out = report::judge_rows(*rows, read->proofs, options.commit.empty() ? store::source_commit() : options.commit,
                                options.sections);
  for (const std::string& id : out.strangers) fmt::print(stderr, "warning: {} has proofs and is no row\n", id);
  return out;
}

// The committed list is asked for when it is named, or when it is there and live results of this commit are.
Result<bool> live_list_holds(const RowsOptions& options, const report::RowsReport& report, const Context& context) {
  std::string path = options.live_list;
  if (path.empty()) {
    path = context.share + "/reports/rows-live.txt";
    if (!report.any_live || !options.sections.empty() || !std::filesystem::exists(path)) return true;
  }
  const auto list = store::read_named(path, kMaxListBytes);
  if (!list) return tl::unexpected(list.error());
  const std::vector<std::string> missing = report::missing_live(report, *list);
  for (const std::string& id : missing)
    fmt::print(stderr, "{} is in {} and was not proven live at {}\n", id, path, report.commit);
  return missing.empty();
}

Result<int> show_rows(const RowsOptions& options, const Context& context) {
  const auto report = gather(options, context);
  if (!report) return tl::unexpected(report.error());
  const auto listed = live_list_holds(options, *report, context);
  if (!listed) return tl::unexpected(listed.error());
  if (options.output == "json") {
    std::fputs(report::rows_to_json(*report).c_str(), stdout);
  } else {
    report::RowsStyle style;
    style.color = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    style.width = 160;
    style.only_unclaimed = options.unclaimed;
    std::fputs(report::rows_to_text(*report, style).c_str(), stdout);
  }
  return report::all_proven(*report) && *listed ? 0 : 1;
}

}  // namespace

void add_rows(CLI::App& app, Context& context) {
  auto options = std::make_shared<RowsOptions>();
  CLI::App* verb = app.add_subcommand("rows", "Conformance rows with what proves them at this commit");
  verb->add_option("--section", options->sections, "only these sections, e.g. 3,6,7; repeatable")->delimiter(',');
  verb->add_flag("--unclaimed", options->unclaimed, "only what is not proven, and the count");
  verb->add_option("-o,--output", options->output, "json")->check(CLI::IsMember({"json"}));
  verb->add_option("--proofs", options->proofs, "file of proofs (HOPCHECK_PROOFS, else reports/proofs.jsonl)");
  verb->add_option("--commit", options->commit, "proofs of this commit (default: the one this program was built from)");
  verb->add_option("--live-list", options->live_list, "ids that must be proven live (default reports/rows-live.txt)");
  verb->callback([options, &context] {
    const auto code = show_rows(*options, context);
    context.exit_code = code ? *code : report_error(code.error());
  });
}

}  // namespace hopcheck::app
