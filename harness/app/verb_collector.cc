// collector check, collector rewrite: a Collector's configuration or manifest against a Collector version, before it is
// rolled out (docs/how-to/upgrade-the-collector.md). No token of the file is ever printed.
#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/verbs.h"
#include "base/text.h"
#include "otelcol/breakages.h"
#include "otelcol/claims.h"
#include "otelcol/objects.h"
#include "otelcol/rewrite.h"
#include "store/file_io.h"

namespace hopcheck::app {
namespace {

struct Flags {
  std::string file, version, claims, name_space = "observability", token_header = "Authentication", output, out;
  bool diff = false;
};

tl::unexpected<Error> unusable(const std::vector<config::Problem>& problems, const std::string& file) {
  std::string lines = config::to_text(problems);
  while (!lines.empty() && lines.back() == '\n') lines.pop_back();
  return fail(ErrorKind::kUsage, file + " cannot be used as it stands\n" + lines);
}

// The version named, else the one of the image in the file.
Result<otelcol::Version> version_of(const Flags& flags, const otelcol::Manifest& manifest) {
  if (!flags.version.empty()) {
    if (const auto version = otelcol::parse_version(flags.version)) return *version;
    return fail(ErrorKind::kUsage, "--collector " + printable(flags.version) + " is no version", "",
                "three numbers, as in --collector 0.161.0");
  }
  const auto* container = otelcol::collector_container(otelcol::workload(manifest));
  const auto tag = otelcol::image_tag(otelcol::text(container, "image"));
  if (tag) return tag->version;
  return fail(ErrorKind::kUsage, "which Collector is this file for?",
              "it has no image whose tag is a Collector version", "name it: --collector 0.161.0");
}

Result<otelcol::Manifest> read_input(const Flags& flags) {
  const auto text = store::read_named(flags.file == "-" ? "/dev/stdin" : flags.file, config::kMaxBytes);
  if (!text) return tl::unexpected(text.error());
  auto manifest = otelcol::read_manifest(*text, flags.file);
  if (!manifest) return unusable(manifest.error(), flags.file);
  return std::move(*manifest);
}

std::string to_json(const std::vector<otelcol::Finding>& findings, const Flags& flags, const std::string& version) {
  nlohmann::ordered_json out = {{"file", flags.file}, {"collector", version}, {"usable", is_usable(findings)}};
  out["findings"] = nlohmann::ordered_json::array();
  for (const otelcol::Finding& finding : findings)
    out["findings"].push_back({{"id", finding.id},
                               {"effect", to_string(finding.effect)},
                               {"line", finding.line},
                               {"column", finding.column},
                               {"what", finding.what},
                               {"fix", finding.fix},
                               {"since", finding.since},
                               {"source", finding.source},
                               {"row", finding.row}});
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<int> check(const Flags& flags) {
  const auto manifest = read_input(flags);
  if (!manifest) return tl::unexpected(manifest.error());
  const auto version = version_of(flags, *manifest);
  if (!version) return tl::unexpected(version.error());
  std::vector<otelcol::Finding> findings = find_breakages(*manifest, *version);
  for (auto& finding : find_object_problems(*manifest, *version)) findings.push_back(std::move(finding));
  if (flags.claims == "walkthrough") {
    const otelcol::ClaimContext context{*version, flags.name_space, flags.token_header};
    for (auto& finding : find_broken_claims(*manifest, context)) findings.push_back(std::move(finding));
  }
  sort_findings(findings);
  const std::string text = flags.output == "json" ? to_json(findings, flags, to_string(*version))
                                                  : to_text(findings, flags.file, to_string(*version));
  std::fputs(text.c_str(), stdout);
  return is_usable(findings) ? 0 : 1;
}

// A token may be inside: for its owner alone, and nothing that exists is overwritten.
Result<void> write_new(const std::string& path, const std::string& text) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  std::FILE* file = descriptor < 0 ? nullptr : fdopen(descriptor, "wb");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int why = errno;
  if (file != nullptr && std::fclose(file) == 0 && written) return {};
  return fail(ErrorKind::kUsage, "cannot write " + path, std::strerror(why), "choose a name that is not in use");
}

Result<int> rewrite(const Flags& flags) {
  const auto manifest = read_input(flags);
  if (!manifest) return tl::unexpected(manifest.error());
  if (flags.version.empty())
    return fail(ErrorKind::kUsage, "for which Collector is it to be rewritten?", "", "name it: --collector 0.161.0");
  const auto version = version_of(flags, *manifest);
  if (!version) return tl::unexpected(version.error());
  const auto out = otelcol::rewrite(manifest->text, flags.file, *version);
  if (!out) return unusable(out.error(), flags.file);
  if (!flags.out.empty()) {
    if (auto written = write_new(flags.out, out->text); !written) return tl::unexpected(written.error());
  }
  if (flags.diff) {
    std::fputs(out->diff.c_str(), stdout);
  } else if (flags.out.empty()) {
    if (holds_token(*manifest))
      return fail(ErrorKind::kUsage, flags.file + " holds a token, which is not printed", "",
                  "--out FILE writes the new file for you alone, --diff shows what changes");
    std::fputs(out->text.c_str(), stdout);
  }
  if (out->diff.empty())
    fmt::print(stderr, "nothing to change: {} has the form of Collector {}\n", flags.file, to_string(*version));
  return 0;
}

}  // namespace

void add_collector(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("collector", "A Collector's file against a Collector version, before roll-out");
  verb->require_subcommand(1);
  const auto run = [&context](const Result<int>& code) {
    context.exit_code = code ? *code : report_error(code.error());
  };
  auto checked = std::make_shared<Flags>();
  CLI::App* check_verb = verb->add_subcommand("check", "Which parts of the file that Collector refuses or changes");
  check_verb
      ->add_option("file", checked->file,
                   "the Collector's configuration, or Kubernetes objects that hold it; - is standard input")
      ->required();
  check_verb->add_option("--collector", checked->version, "its version, e.g. 0.161.0; the image's tag by default");
  check_verb->add_option("--claims", checked->claims, "hold the file to what a guide says of it: walkthrough")
      ->check(CLI::IsMember({"walkthrough"}));
  check_verb->add_option("-n,--namespace", checked->name_space, "where it is applied; with --claims")
      ->capture_default_str();
  check_verb->add_option("--token-header", checked->token_header, "header of the backend's token; with --claims")
      ->capture_default_str();
  check_verb->add_option("-o", checked->output, "json")->check(CLI::IsMember({"json"}));
  check_verb->callback([checked, run] { run(check(*checked)); });

  auto rewritten = std::make_shared<Flags>();
  CLI::App* rewrite_verb = verb->add_subcommand("rewrite", "The file in the form which that Collector takes");
  rewrite_verb->add_option("file", rewritten->file, "as for check")->required();
  rewrite_verb->add_option("--collector", rewritten->version, "the version to rewrite it for, e.g. 0.161.0");
  rewrite_verb->add_flag("--diff", rewritten->diff, "print what changes, values of headers hidden");
  rewrite_verb->add_option("--out", rewritten->out, "write it to a new file, mode 0600, instead of stdout");
  rewrite_verb->callback([rewritten, run] { run(rewrite(*rewritten)); });
}

}  // namespace hopcheck::app
