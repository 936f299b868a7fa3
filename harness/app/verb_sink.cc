// sink: the mock backend alone (cli-and-reports.md section 1; files.md, "Sink").
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "config/answers.h"
#include "sink/sink.h"

namespace hopcheck::app {
namespace {

struct SinkFlags {
  std::string http = "127.0.0.1:4318", grpc = "none", control = "127.0.0.1:8080", out = ".", run_id, expect_header,
              control_token_file, answers, tls_cert, tls_key;
  uint64_t max_body = otlp::kMaxBodyBytes;
  int threads = 1;
};

// NAME=@FILE or NAME=env:VAR.
Result<void> set_expected_header(const std::string& flag, sink::SinkOptions& options) {
  const size_t equals = flag.find('=');
  if (equals == 0 || equals == std::string::npos) {
    return fail(ErrorKind::kUsage, "--expect-header has no value", "", "write NAME=@FILE or NAME=env:VARIABLE");
  }
  const auto value = sink::read_secret(flag.substr(equals + 1));
  if (!value) return tl::unexpected<Error>(value.error());
  options.expect_header = flag.substr(0, equals);
  options.expect_value = sink::Secret(*value);
  return {};
}

Result<void> set_control_token(const std::string& file, sink::SinkOptions& options) {
  std::string source = file.empty() ? "" : "@" + file;
  const char* variable = std::getenv("HOPCHECK_CONTROL_TOKEN");
  if (source.empty() && variable != nullptr && *variable != '\0') source = "env:HOPCHECK_CONTROL_TOKEN";
  if (source.empty()) return {};
  const auto value = sink::read_secret(source);
  if (!value) return tl::unexpected<Error>(value.error());
  options.control_token = sink::Secret(*value);
  return {};
}

Result<void> set_answers(const std::string& path, sink::SinkOptions& options) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorKind::kUsage, "cannot read " + path, std::strerror(errno));
  auto plan = config::parse_answers(text.str(), path);
  if (!plan) return fail(ErrorKind::kUsage, "the answers are not valid", config::to_text(plan.error()));
  options.answers = std::move(*plan);
  return {};
}

int serve(const SinkFlags& flags, Context& context) {
  sink::SinkOptions options;
  options.http = flags.http;
  options.grpc = flags.grpc == "none" ? "" : flags.grpc;
  options.tls = {flags.tls_cert, flags.tls_key};
  options.control = flags.control == "none" ? "" : flags.control;
  options.out = flags.out;
  options.run_id = flags.run_id;
  options.max_body_bytes = flags.max_body;
  options.limits.threads = flags.threads;
  options.log = [](const std::string& line) { std::fputs(("sink: " + line + "\n").c_str(), stderr); };
  if (!flags.expect_header.empty()) {
    if (const auto set = set_expected_header(flags.expect_header, options); !set) return report_error(set.error());
  }
  if (!flags.answers.empty()) {
    if (const auto set = set_answers(flags.answers, options); !set) return report_error(set.error());
  }
  if (const auto set = set_control_token(flags.control_token_file, options); !set) return report_error(set.error());
  signal(SIGXFSZ, SIG_IGN);  // a full quota is an error of write(2), which is answered with 503
  const auto counts = sink::run_sink(std::move(options), *context.stop);
  if (!counts) return report_error(counts.error());
  const std::string line = sink::summary_json(*counts) + "\n";
  return std::fputs(line.c_str(), stdout) >= 0 && std::fflush(stdout) == 0 ? 0 : 3;
}

}  // namespace

void add_sink(CLI::App& app, Context& context) {
  auto flags = std::make_shared<SinkFlags>();
  CLI::App* verb =
      app.add_subcommand("sink", "Receive OTLP over HTTP and gRPC as a backend would, and keep every byte");
  verb->add_option("--http", flags->http, "ADDRESS:PORT for OTLP/HTTP; port 0: any free one")->capture_default_str();
  verb->add_option("--grpc", flags->grpc, "ADDRESS:PORT for OTLP/gRPC, or none")->capture_default_str();
  verb->add_option("--control", flags->control, "ADDRESS:PORT of the control API, or none")->capture_default_str();
  verb->add_option("--out", flags->out, "directory for capture.hcl and sink.json")->capture_default_str();
  verb->add_option("--run-id", flags->run_id, "written into the capture's header");
  verb->add_option("--expect-header", flags->expect_header, "NAME=@FILE or NAME=env:VAR; exports without it get 401");
  verb->add_option("--control-token-file", flags->control_token_file,
                   "file with the control API's token ($HOPCHECK_CONTROL_TOKEN)");
  CLI::Option* certificate = verb->add_option("--tls-cert", flags->tls_cert,
                                              "PEM file: the certificate chain; both transports then speak TLS");
  CLI::Option* key = verb->add_option("--tls-key", flags->tls_key, "PEM file: its private key");
  certificate->needs(key);
  key->needs(certificate);
  verb->add_option("--answers", flags->answers, "file of kind Answers: what exports are answered over time");
  verb->add_option("--max-body", flags->max_body, "bytes, before and after decompression")
      ->check(CLI::Range(uint64_t{1}, uint64_t{otlp::kMaxBodyBytes}))
      ->capture_default_str();
  verb->add_option("--threads", flags->threads, "threads that serve exports")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb->callback([flags, &context] { context.exit_code = serve(*flags, context); });
}

}  // namespace hopcheck::app
