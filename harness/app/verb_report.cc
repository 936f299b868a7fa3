// report: another form of a stored run.
#include <cstdio>
#include <fstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/output.h"
#include "app/verbs.h"
#include "base/text.h"
#include "otlp/encode.h"
#include "report/json.h"
#include "store/capture.h"
#include "store/run_dir.h"

namespace hopcheck::app {
namespace {

struct ReportOptions {
  std::string directory, format = "terminal", out;
};

Result<std::string> captured_traces(const store::RunDirectory& directory) {
  const auto capture = store::load_capture(directory.file("capture.hcl"));
  if (!capture) return tl::unexpected(capture.error());
  if (!capture->complete) fmt::print(stderr, "warning: the capture is incomplete: {}\n", printable(capture->problem));
  // One line per frame, as the Collector's file exporter writes exports.
  std::string text;
  std::vector<Span> frame;
  for (size_t i = 0; i < capture->spans.size(); ++i) {
    frame.push_back(capture->spans[i]);
    const bool last =
        i + 1 == capture->spans.size() || capture->spans[i + 1].frame_sequence != capture->spans[i].frame_sequence;
    if (!last) continue;
    text += otlp::encode_json(frame);
    if (text.back() != '\n') text += '\n';
    frame.clear();
  }
  return text;
}

Result<void> report_run(const ReportOptions& options) {
  const auto directory = store::RunDirectory::open(options.directory);
  if (!directory) return tl::unexpected(directory.error());
  if (options.format == "otlp") {
    const auto text = captured_traces(*directory);
    if (!text) return tl::unexpected(text.error());
    if (options.out.empty()) {
      std::fwrite(text->data(), 1, text->size(), stdout);
      return {};
    }
    std::ofstream file(options.out, std::ios::binary);
    file << *text;
    file.close();
    return file ? Result<void>{}
                : fail(ErrorKind::kUsage, options.out + " cannot be written", "", "name a writable path");
  }
  const auto text = directory->read_run_json();
  if (!text) return tl::unexpected(text.error());
  const auto result = report::from_json(*text);
  if (!result) return tl::unexpected(result.error());
  OutputOptions output;
  // The terminal report on stdout is what emit() prints when nothing else is asked, in the terminal's width and colour.
  const bool plain_terminal = options.format == "terminal" && options.out.empty();
  if (!plain_terminal) output.reports.push_back(options.format + (options.out.empty() ? "" : "=" + options.out));
  if (options.out.empty()) return emit(output, *result, options.directory);
  output.reports.push_back("oneline");
  return emit(output, *result, options.directory);
}

}  // namespace

void add_report(CLI::App& app, Context& context) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* verb = app.add_subcommand("report", "Another form of a stored run's verdict");
  verb->add_option("rundir", options->directory, "run directory")->required();
  verb->add_option("--format", options->format, "terminal, json, junit, markdown, html, oneline, otlp")
      ->check(CLI::IsMember({"terminal", "json", "junit", "markdown", "html", "oneline", "otlp"}));
  verb->add_option("--out", options->out, "file to write instead of stdout");
  verb->callback([options, &context] {
    if (const auto done = report_run(*options); !done) context.exit_code = report_error(done.error());
  });
}

}  // namespace hopcheck::app
