// hopcheck-demo: plays one service of a Topology file. Exit codes: 0 stopped by a signal, 3 environment, 4 usage.
#include <pthread.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "config/load.h"
#include "demo/fetch.h"
#include "demo/service.h"

namespace {

using hopcheck::Result;
using hopcheck::Topology;
using namespace hopcheck::demo;

constexpr int kExitUsage = 4;
constexpr int kExitEnvironment = 3;
constexpr std::streamsize kMaxTopologyBytes = 1 << 20;

struct Flags {
  std::string topology;
  std::string listen = "0.0.0.0:8080";
  std::string control = "0.0.0.0:9901";
  std::vector<std::string> resolve;
  DemoOptions options;
};

int report(const hopcheck::Error& error) {
  std::fputs(hopcheck::to_text(error).c_str(), stderr);
  return error.kind == hopcheck::ErrorKind::kUsage ? kExitUsage : kExitEnvironment;
}

void add_options(CLI::App& app, Flags& flags) {
  const auto option = [&](const char* name, auto& value, const char* env, const char* text) {
    return app.add_option(name, value, text)->envname(env);
  };
  option("--topology", flags.topology, "HOPCHECK_DEMO_TOPOLOGY", "Topology file")->required();
  option("--service", flags.options.service, "HOPCHECK_DEMO_SERVICE", "service to play")->required();
  option("--workload", flags.options.workload, "HOPCHECK_DEMO_WORKLOAD", "its workload (default: the first)");
  option("--listen", flags.listen, "HOPCHECK_DEMO_LISTEN", "endpoint")->capture_default_str();
  option("--control", flags.control, "HOPCHECK_DEMO_CONTROL", "control port")->capture_default_str();
  option("--otlp", flags.options.otlp_url, "HOPCHECK_DEMO_OTLP", "URL for app spans (default: not exported)");
  option("--resolve", flags.resolve, "HOPCHECK_DEMO_RESOLVE",
         "base URL of calls, may hold {service} {namespace} {port}; NAME=URL for one service; repeatable");
  option("--connect-to", flags.options.route.connect_to, "HOPCHECK_DEMO_CONNECT_TO",
         "HOST:PORT:TO_HOST:TO_PORT, as curl's; repeatable, the first that matches wins");
  option("--interface", flags.options.route.interface, "HOPCHECK_DEMO_INTERFACE", "address to call from, as curl's");
}

// One template and any number of NAME=URL. A '=' before "://" tells them apart.
void take_resolve(const std::vector<std::string>& values, DemoOptions& options) {
  for (const std::string& value : values) {
    const size_t equals = value.find('=');
    if (equals != std::string::npos && equals < value.find("://")) {
      options.resolve_service[value.substr(0, equals)] = value.substr(equals + 1);
    } else if (!value.empty()) {
      options.resolve = value;
    }
  }
}

Result<Topology> read_topology(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(static_cast<size_t>(kMaxTopologyBytes), '\0');
  file.read(content.data(), kMaxTopologyBytes);
  if (file.bad() || (!file.eof() && file.gcount() < kMaxTopologyBytes)) {
    return hopcheck::fail(hopcheck::ErrorKind::kUsage, "cannot read topology " + path, "", "name an existing file");
  }
  if (!file.eof()) return hopcheck::fail(hopcheck::ErrorKind::kUsage, "topology " + path + " is larger than 1 MiB");
  content.resize(static_cast<size_t>(file.gcount()));
  hopcheck::config::Loaded<Topology> loaded = hopcheck::config::parse_topology(content, path);
  if (!loaded) {
    return hopcheck::fail(hopcheck::ErrorKind::kUsage, "bad topology\n" + hopcheck::config::to_text(loaded.error()));
  }
  return std::move(*loaded);
}

// Blocked before any thread exists, so that only wait_for_signal() sees them; also right for process 1 of a container.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

void wait_for_signal(const sigset_t& set) {
  int number = 0;
  sigwait(&set, &number);
  // A second signal ends the process at once.
  for (const int again : {SIGTERM, SIGINT}) std::signal(again, [](int last) { _exit(128 + last); });
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int run(Flags& flags) {
  const Result<Address> listen = parse_address(flags.listen);
  if (!listen) return report(listen.error());
  const Result<Address> control = parse_address(flags.control);
  if (!control) return report(control.error());
  flags.options.listen = *listen;
  flags.options.control = *control;
  take_resolve(flags.resolve, flags.options);
  const Result<Topology> topology = read_topology(flags.topology);
  if (!topology) return report(topology.error());
  const sigset_t signals = block_signals();
  auto service = DemoService::start(*topology, flags.options);
  if (!service) return report(service.error());
  const nlohmann::ordered_json ready{{"service", flags.options.service},
                                     {"listen", listen->host + ":" + std::to_string((*service)->port())},
                                     {"control", control->host + ":" + std::to_string((*service)->control_port())},
                                     {"pid", getpid()}};
  std::printf("%s\n", ready.dump().c_str());
  std::fflush(stdout);
  wait_for_signal(signals);
  (*service)->stop();
  std::printf("%s\n", (*service)->state_json().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "fetch") return fetch_main(argc - 1, argv + 1);
  CLI::App app{"Plays one service of a hopcheck topology. hopcheck-demo fetch URL prints what a URL answers."};
  app.set_version_flag("--version", std::string("hopcheck-demo ") + kDemoVersion);
  Flags flags;
  add_options(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return run(flags);
}
