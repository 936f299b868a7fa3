#include "app/cli.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "base/text.h"

namespace hopcheck::app {
namespace {

std::atomic<bool> stop_requested{false};
std::atomic<int> stop_signal_number{0};

// First signal: ask every phase to stop. Second: leave at once; the reaper removes what is left (otlp-and-faults L5).
void on_signal(int number) {
  if (stop_signal_number.exchange(number) != 0) _exit(128 + number);
  stop_requested = true;
}

void install_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

std::string own_path() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "" : path.string();
}

// The root that holds scenarios/, fixtures/ and kind/: $HOPCHECK_SHARE, else beside the binary's folder, else the
// source tree.
std::string find_share(const std::string& executable) {
  if (const char* named = std::getenv("HOPCHECK_SHARE"); named != nullptr && *named != '\0') return named;
  const std::filesystem::path folder = std::filesystem::path(executable).parent_path();
  for (const auto& candidate :
       {folder.parent_path(), folder / "../share/hopcheck", std::filesystem::path(HOPCHECK_SOURCE_DIR)}) {
    std::error_code error;
    if (std::filesystem::is_directory(candidate / "fixtures/profiles", error))
      return std::filesystem::weakly_canonical(candidate, error).string();
  }
  return HOPCHECK_SOURCE_DIR;
}

int usage_error(const CLI::App& cli, const std::string& what, int argc, char** argv) {
  std::string fix = "see hopcheck --help";
  std::vector<std::string> verbs;
  const std::string first = argc > 1 ? argv[1] : "";
  const CLI::App* verb = nullptr;
  for (const CLI::App* known : cli.get_subcommands([](const CLI::App*) { return true; })) {
    verbs.push_back(known->get_name());
    if (known->get_name() == first) verb = known;
  }
  if (verb == nullptr && !first.empty()) {
    if (const auto near = nearest(first, verbs)) fix = fmt::format("did you mean `hopcheck {}`?", *near);
  } else if (verb != nullptr) {
    fix = fmt::format("see hopcheck {} --help", first);
    std::vector<std::string> flags;
    for (const CLI::Option* option : verb->get_options()) flags.push_back("--" + option->get_single_name());
    for (int i = 2; i < argc; ++i) {
      const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
      if (word.rfind("--", 0) != 0 || std::find(flags.begin(), flags.end(), word) != flags.end()) continue;
      if (const auto near = nearest(word, flags)) fix = fmt::format("did you mean {}?", *near);
    }
  }
  return report_error(Error{ErrorKind::kUsage, what, "", fix});
}

}  // namespace

int Context::stop_signal() const { return stop_signal_number; }

int exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage: return 4;
    case ErrorKind::kEnvironment: return 3;
    case ErrorKind::kEvidence: return 2;
    case ErrorKind::kNothing: return 5;
    case ErrorKind::kInternal: return 70;
    case ErrorKind::kInterrupted: return 128 + (stop_signal_number != 0 ? stop_signal_number.load() : SIGINT);
  }
  return 70;
}

int report_error(const Error& error) {
  std::fputs(to_text(error).c_str(), stderr);
  return exit_code_of(error.kind);
}

int run_cli(int argc, char** argv) {
  install_signals();
  Context context;
  context.stop = &stop_requested;
  context.executable = own_path();
  context.share = find_share(context.executable);

  CLI::App cli{"hopcheck: does every request that crosses the mesh leave exactly the trace it should?", "hopcheck"};
  cli.require_subcommand(1);
  add_run(cli, context);
  add_check(cli, context);
  add_report(cli, context);
  add_environment(cli, context);
  add_doctor(cli, context);
  add_explain(cli, context);
  add_rows(cli, context);
  add_compare(cli, context);
  add_capture(cli, context);
  add_sink(cli, context);
  add_load(cli, context);
  add_agent(cli, context);
  add_selftest(cli, context);
  add_collector(cli, context);
  add_mesh_config(cli, context);
  add_version(cli, context);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return cli.exit(help, std::cout, std::cerr);
  } catch (const CLI::CallForAllHelp& help) {
    return cli.exit(help, std::cout, std::cerr);
  } catch (const CLI::ParseError& error) {
    return usage_error(cli, error.what(), argc, argv);
  } catch (const std::exception& error) {
    const auto* system = dynamic_cast<const std::system_error*>(&error);
    if (system != nullptr && system->code() == std::errc::broken_pipe) return 128 + SIGPIPE;  // as in `| head`
    return report_error(
        Error{ErrorKind::kInternal, "unexpected exception", error.what(), "report it with the command line"});
  }
  return context.exit_code;
}

}  // namespace hopcheck::app
