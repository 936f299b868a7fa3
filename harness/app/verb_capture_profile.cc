// capture profile: a profile drafted from a capture over a base, as a file that extends the base, and what to review.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/profile_flags.h"
#include "app/verbs.h"
#include "config/load.h"
#include "preview/draft.h"
#include "preview/facts.h"
#include "store/capture.h"

namespace hopcheck::app {
namespace {

struct Flags {
  std::string capture, base, istio, out;
};

Result<void> write_new(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wbx");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int why = errno;
  if (file != nullptr && std::fclose(file) == 0 && written) return {};
  return fail(ErrorKind::kUsage, "cannot write " + path, std::strerror(why), "choose a name that is not in use");
}

Result<std::string> draft(const Flags& flags, const Context& context) {
  const auto profiles = read_profiles(context);
  if (!profiles) return tl::unexpected(profiles.error());
  const auto base = flags.base.empty() ? Result<const MeshProfile*>(preview::by_version(*profiles).back())
                                       : pick_profile(*profiles, flags.base);
  if (!base) return tl::unexpected(base.error());
  const auto capture = store::load_capture(flags.capture);
  if (!capture) return tl::unexpected(capture.error());
  if (!capture->complete)
    return fail(ErrorKind::kEvidence, flags.capture + " is not complete", capture->problem,
                "a draft from half a capture would call absent what was lost");
  const preview::DraftOptions options{std::filesystem::path(flags.capture).stem().string(), flags.istio};
  const auto drafted = preview::draft_profile(capture->spans, **base, options);
  if (!drafted) return tl::unexpected(drafted.error());
  // What is handed out must load: everything in it comes from outside.
  const std::string name = flags.out.empty() ? "draft" : flags.out;
  const auto loaded =
      config::parse_profile(drafted->yaml, name, [&](const std::string& of) -> std::optional<std::string> {
        std::ifstream in(context.share + "/fixtures/profiles/" + of + ".yaml");
        if (!in) return std::nullopt;
        return std::string(std::istreambuf_iterator<char>(in), {});
      });
  if (!loaded)
    return fail(ErrorKind::kUsage, "the capture gives no valid profile\n" + config::to_text(loaded.error()), "",
                "write it by hand");
  if (!flags.out.empty()) {
    if (auto written = write_new(flags.out, drafted->yaml); !written) return tl::unexpected(written.error());
  }
  return preview::review_text(*drafted, **base, options) + (flags.out.empty() ? "\n" + drafted->yaml : "");
}

}  // namespace

void add_capture_profile(CLI::App& verb, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* sub = verb.add_subcommand("profile", "Draft a mesh profile from a capture, to review against a base");
  sub->add_option("file", flags->capture, "capture.hcl, OTLP JSON lines, or length-prefixed OTLP protobuf")->required();
  sub->add_option("--base", flags->base, "the profile it is compared with, e.g. istio-1.31; the newest by default");
  sub->add_option("--istio", flags->istio, "Istio minor of the draft, e.g. 1.32; the base's by default");
  sub->add_option("--out", flags->out, "file to write the draft to; left out, it follows the review on stdout");
  sub->callback([flags, &context] {
    const auto text = draft(*flags, context);
    if (text) std::fputs(text->c_str(), stdout);
    else context.exit_code = report_error(text.error());
  });
}

}  // namespace hopcheck::app
