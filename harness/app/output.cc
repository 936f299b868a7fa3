#include "app/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "report/html.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/oneline.h"
#include "report/terminal.h"
#include "ui/progress.h"

namespace hopcheck::app {
namespace {

const std::vector<std::string>& formats() {
  static const std::vector<std::string> kFormats = {"terminal", "json", "junit", "markdown", "html", "oneline"};
  return kFormats;
}

std::string render(const std::string& format, const RunResult& result) {
  if (format == "json") return report::to_json(result);
  if (format == "junit") return report::to_junit(result);
  if (format == "markdown") return report::to_markdown(result);
  if (format == "html") return report::to_html(result);
  if (format == "oneline") return report::to_oneline(result);
  return report::to_terminal(result, {});
}

report::TerminalOptions terminal_options(const OutputOptions& options, const std::string& run_directory) {
  report::TerminalOptions out;
  const char* no_color = std::getenv("NO_COLOR");
  const auto mode = ui::parse_color_mode(options.color).value_or(ui::ColorMode::kAuto);
  out.color = ui::use_color(mode, {isatty(STDOUT_FILENO) == 1, no_color != nullptr && *no_color != '\0'});
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) out.width = size.ws_col;
  out.run_directory = run_directory;
  if (!run_directory.empty()) out.html_path = run_directory + "/reports/report.html";
  return out;
}

}  // namespace

void add_output_options(CLI::App& verb, OutputOptions& options) {
  verb.add_option("--report", options.reports,
                  "FORMAT[=PATH]: terminal, json, junit, markdown, html, oneline; repeatable");
  verb.add_option("-o,--output", options.output, "json: run.json on stdout")->check(CLI::IsMember({"json"}));
  verb.add_option("--color", options.color, "auto, always, never")->check(CLI::IsMember({"auto", "always", "never"}));
}

Result<void> emit(const OutputOptions& options, const RunResult& result, const std::string& run_directory) {
  const RunResult capped = report::capped(result);
  bool stdout_taken = options.output == "json";
  if (stdout_taken) std::fputs(report::to_json(capped).c_str(), stdout);
  for (const std::string& item : options.reports) {
    const size_t equals = item.find('=');
    const std::string format = item.substr(0, equals);
    if (std::find(formats().begin(), formats().end(), format) == formats().end()) {
      const auto near = nearest(format, formats());
      return fail(ErrorKind::kUsage, fmt::format("--report {}: no such format", printable(format)), "",
                  near ? fmt::format("did you mean {}?", *near) : "terminal, json, junit, markdown, html or oneline");
    }
    const std::string text = render(format, capped);
    if (equals == std::string::npos) {
      std::fputs(text.c_str(), stdout);
      stdout_taken = true;
      continue;
    }
    const std::string path = item.substr(equals + 1);
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    if (!file)
      return fail(ErrorKind::kUsage, fmt::format("--report: {} cannot be written", path), std::strerror(errno),
                  "name a writable path");
  }
  if (!stdout_taken) std::fputs(report::to_terminal(capped, terminal_options(options, run_directory)).c_str(), stdout);
  std::fflush(stdout);
  return {};
}

}  // namespace hopcheck::app
