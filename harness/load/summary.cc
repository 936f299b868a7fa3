#include "load/summary.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace hopcheck::load {
namespace {

using nlohmann::ordered_json;

ordered_json distribution_json(const stats::Histogram& histogram) {
  const Distribution distribution = histogram.distribution();
  ordered_json buckets = ordered_json::array();
  for (const Distribution::Bucket& bucket : distribution.buckets) {
    buckets.push_back({{"upper", bucket.upper}, {"count", bucket.count}});
  }
  return {{"count", distribution.count}, {"p50", distribution.p50}, {"p90", distribution.p90},
          {"p99", distribution.p99},     {"p999", histogram.quantile(0.999)}, {"max", distribution.max},
          {"buckets", std::move(buckets)}};
}

uint64_t count_of(const Summary& summary, OutcomeKind kind) {
  return summary.latency.outcomes()[static_cast<size_t>(kind)];
}

constexpr OutcomeKind kKinds[] = {OutcomeKind::kOk, OutcomeKind::kFailed, OutcomeKind::kIndeterminate,
                                  OutcomeKind::kUnsent};

std::string latency_line(const char* name, const stats::Histogram& histogram) {
  return fmt::format("  {:<14} p50 {:>8}  p90 {:>8}  p99 {:>8}  p99.9 {:>8}  max {:>8}\n", name,
                     format_nanos(histogram.quantile(0.5)), format_nanos(histogram.quantile(0.9)),
                     format_nanos(histogram.quantile(0.99)), format_nanos(histogram.quantile(0.999)),
                     format_nanos(histogram.max()));
}

}  // namespace

void Summary::add(const Outcome& outcome) {
  latency.add(outcome);
  if (outcome.status != 0) ++statuses[outcome.status];
}

bool kept_schedule(const Summary& summary) { return summary.latency.share_later_than(kLateLimitNanos) <= kLateShare; }

std::string to_json(const Summary& summary) {
  ordered_json outcomes = ordered_json::object();
  for (const OutcomeKind kind : kKinds) outcomes[to_string(kind)] = count_of(summary, kind);
  ordered_json statuses = ordered_json::object();
  for (const auto& item : summary.statuses) statuses[std::to_string(item.first)] = item.second;
  const ordered_json document = {
      {"schemaVersion", 1},
      {"baseUrl", summary.plan.base_url},
      {"runNonce", fmt::format("{:016x}", summary.plan.tag.nonce)},
      {"runKey", to_hex(summary.plan.tag.key.data(), summary.plan.tag.key.size())},
      {"traceparent", to_string(summary.plan.traceparent)},
      {"planned", summary.plan.count},
      {"sent", summary.latency.sent()},
      {"rate", summary.plan.rate},
      {"achievedRate", summary.latency.achieved_rate()},
      {"interrupted", summary.interrupted},
      {"outcomes", std::move(outcomes)},
      {"statuses", std::move(statuses)},
      {"latency",
       {{"corrected", distribution_json(summary.latency.corrected())},
        {"uncorrected", distribution_json(summary.latency.uncorrected())},
        {"sendLateness", distribution_json(summary.latency.lateness())}}},
      {"keptSchedule", kept_schedule(summary)},
      {"overflowed", summary.drive.overflowed},
      {"connections",
       {{"opened", summary.drive.connections},
        {"failed", summary.drive.connect_failures},
        {"error", summary.drive.connect_error},
        {"idleClosed", summary.drive.idle_closed}}}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string to_text(const Summary& summary) {
  std::string text = fmt::format("planned {} at {:g}/s, sent {} at {:.4g}/s{}\n", summary.plan.count, summary.plan.rate,
                                 summary.latency.sent(), summary.latency.achieved_rate(),
                                 summary.interrupted ? ", interrupted" : "");
  text += "outcomes:";
  for (const OutcomeKind kind : kKinds) text += fmt::format(" {} {}", to_string(kind), count_of(summary, kind));
  if (!summary.statuses.empty()) text += "; statuses:";
  for (const auto& item : summary.statuses) text += fmt::format(" {}×{}", item.first, item.second);
  text += "\nlatency:\n";
  text += latency_line("from due time", summary.latency.corrected());
  text += latency_line("from sending", summary.latency.uncorrected());
  text += latency_line("send lateness", summary.latency.lateness());
  if (!kept_schedule(summary)) {
    text += fmt::format("warning: {:.1f} % of the requests were sent more than {} late; ",
                        100 * summary.latency.share_later_than(kLateLimitNanos), format_nanos(kLateLimitNanos));
    text += "latencies are not the server's alone\n";
  }
  if (summary.drive.overflowed > 0) {
    text += fmt::format("warning: {} requests waited because {} were already out (--max-in-flight)\n",
                        summary.drive.overflowed, summary.plan.max_in_flight);
  }
  if (summary.drive.connect_failures > 0) {
    text += fmt::format("warning: {} connection attempts failed: {}\n", summary.drive.connect_failures,
                        printable(summary.drive.connect_error));
  }
  return text;
}

}  // namespace hopcheck::load
