// load: the load engine alone (cli-and-reports.md section 1). Not a verdict: it exits 0 when requests were sent.
#include <sys/random.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/verbs.h"
#include "base/text.h"
#include "load/engine.h"
#include "load/summary.h"

namespace hopcheck::app {
namespace {

constexpr double kMaxRequests = 1e9;

struct LoadFlags {
  std::string url, host, method = "GET", duration, timeout = "15s", output;
  std::string traceparent = "sampled", trace_state, tag = "none";
  double rate = 0;
  uint64_t requests = 0;
  int max_in_flight = 256;
};

TraceparentMode traceparent_of(const std::string& text) {
  if (text == "none") return TraceparentMode::kNone;
  return text == "unsampled" ? TraceparentMode::kUnsampled : TraceparentMode::kSampled;
}

TagMode tag_of(const std::string& text) {
  if (text == "query") return TagMode::kQuery;
  return text == "user-agent" ? TagMode::kUserAgent : TagMode::kNone;
}

// A tag of its own for every call, so that ids never repeat (otlp-and-faults.md, L6).
RunTag new_tag() {
  RunTag tag;
  if (getrandom(tag.key.data(), tag.key.size(), 0) != static_cast<ssize_t>(tag.key.size()) ||
      getrandom(&tag.nonce, sizeof tag.nonce, 0) != static_cast<ssize_t>(sizeof tag.nonce)) {
    std::abort();
  }
  return tag;
}

// "http://host:port/path?query" is a base URL and one journey.
void set_url(const std::string& url, LoadPlan& plan, Journey& journey) {
  const size_t scheme = url.find("://");
  const size_t end = std::min(url.find_first_of("/?#", scheme == std::string::npos ? 0 : scheme + 3), url.size());
  plan.base_url = url.substr(0, end);
  journey.path = url.substr(end);
  if (journey.path.empty() || journey.path.front() != '/') journey.path.insert(0, "/");
}

tl::unexpected<Error> not_a_duration(const std::string& flag) {
  return fail(ErrorKind::kUsage, flag + " is not a duration", "", "write 500ms, 15s or 1m");
}

Result<LoadPlan> plan_from(const LoadFlags& flags) {
  LoadPlan plan;
  plan.tag = new_tag();
  plan.rate = flags.rate;
  plan.traceparent = traceparent_of(flags.traceparent);
  plan.tag_mode = tag_of(flags.tag);
  plan.trace_state = flags.trace_state;
  plan.host_header = flags.host;
  plan.max_in_flight = flags.max_in_flight;
  Journey journey;
  journey.name = "load";
  journey.method = flags.method;
  set_url(flags.url, plan, journey);
  plan.journeys.push_back(journey);
  const std::optional<int64_t> timeout = parse_duration_nanos(flags.timeout);
  if (!timeout || *timeout == 0) return not_a_duration("--timeout");
  plan.timeout_nanos = *timeout;
  plan.count = flags.requests;
  if (!flags.duration.empty()) {
    const std::optional<int64_t> duration = parse_duration_nanos(flags.duration);
    if (!duration || *duration == 0) return not_a_duration("--duration");
    const double requests = static_cast<double>(*duration) / 1e9 * flags.rate;
    plan.count = requests > 0 && requests <= kMaxRequests ? static_cast<uint64_t>(requests + 1e-6) : 0;
    if (plan.count == 0) {
      return fail(ErrorKind::kUsage, fmt::format("--duration {} at --rate {:g} gives no usable number of requests",
                                                 printable(flags.duration), flags.rate));
    }
  }
  return plan;
}

int drive(const LoadFlags& flags, Context& context) {
  const Result<LoadPlan> plan = plan_from(flags);
  if (!plan) return report_error(plan.error());
  load::Summary summary;
  summary.plan = *plan;
  const Result<load::DriveStats> stats =
      load::run_with_stats(*plan, [&summary](const Outcome& outcome) { summary.add(outcome); }, *context.stop);
  if (!stats) return report_error(stats.error());
  summary.drive = *stats;
  summary.interrupted = *context.stop;
  const std::string text = flags.output == "json" ? load::to_json(summary) : load::to_text(summary);
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return report_error(Error{ErrorKind::kEnvironment, "cannot write the summary to standard output", "", ""});
  }
  if (summary.interrupted) return exit_code_of(ErrorKind::kInterrupted);
  if (summary.latency.sent() > 0) return 0;
  return report_error(Error{ErrorKind::kNothing, "no request was sent to " + printable(plan->base_url),
                            summary.drive.connect_error, "check that the target listens there"});
}

}  // namespace

void add_load(CLI::App& app, Context& context) {
  auto flags = std::make_shared<LoadFlags>();
  CLI::App* verb = app.add_subcommand("load", "Send requests at a fixed rate, measured from when each was due");
  verb->add_option("--url", flags->url, "http://host[:port][/path]")->required();
  verb->add_option("--rate", flags->rate, "requests per second")->required()->check(CLI::Range(1e-6, 1e6));
  CLI::Option* duration = verb->add_option("--duration", flags->duration, "how long, e.g. 30s");
  CLI::Option* requests = verb->add_option("--requests", flags->requests, "how many");
  requests->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
  duration->excludes(requests);
  verb->add_option("--traceparent", flags->traceparent, "sampled, unsampled, or none: send nothing that curl would not")
      ->check(CLI::IsMember({"sampled", "unsampled", "none"}))
      ->capture_default_str();
  verb->add_option("--tracestate", flags->trace_state, "sent beside traceparent; {n} is the request number");
  verb->add_option("--tag", flags->tag, "where the request number goes: query (hop=...), user-agent, none")
      ->check(CLI::IsMember({"query", "user-agent", "none"}))
      ->capture_default_str();
  verb->add_option("--method", flags->method, "HTTP method")
      ->check(CLI::IsMember({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}))
      ->capture_default_str();
  verb->add_option("--host", flags->host, "Host header, when it is not the URL's");
  verb->add_option("--max-in-flight", flags->max_in_flight, "requests out at once; more wait, their due time kept")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  verb->add_option("--timeout", flags->timeout, "for a connection, and for each answer")->capture_default_str();
  verb->add_option("-o,--output", flags->output, "json")->check(CLI::IsMember({"json"}));
  verb->callback([flags, duration, requests, &context] {
    if (duration->count() + requests->count() == 0) {
      context.exit_code = report_error(
          Error{ErrorKind::kUsage, "hopcheck load does not know when to end", "", "give --duration or --requests"});
      return;
    }
    context.exit_code = drive(*flags, context);
  });
}

}  // namespace hopcheck::app
