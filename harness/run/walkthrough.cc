#include "run/walkthrough.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace hopcheck::run {
namespace {

constexpr size_t kShownBytes = 600;
constexpr const char* kLacksCapability = "needs capability ";

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

// For people: printable, on one line, its end when it is long (errors stand there).
std::string shown(std::string_view text) {
  const std::string whole = trimmed(text);
  std::string out;
  for (const char c : whole.size() > kShownBytes ? whole.substr(whole.size() - kShownBytes) : whole) {
    if (c == '\n') out += " | ";
    else out += c;
  }
  return (whole.size() > kShownBytes ? "… " : "") + printable(out);
}

// What a failed try left to see: its output, else what it said on stderr.
std::string what_came(const StepSeen& seen) {
  const std::string out = shown(seen.out), err = shown(seen.err);
  if (out.empty() && err.empty()) return "nothing was printed";
  if (err.empty()) return out;
  return out.empty() ? err : out + " | " + err;
}

}  // namespace

std::string why_skipped(const WalkStep& step, const std::map<std::string, StepResult>& earlier,
                        const std::set<std::string>& capabilities) {
  for (const std::string& capability : step.requires_capabilities) {
    if (capabilities.count(capability) == 0) return kLacksCapability + capability;
  }
  for (const std::string& need : step.needs) {
    const auto found = earlier.find(need);
    if (found == earlier.end()) return "step " + need + " was not tried";
    if (found->second.outcome == StepOutcome::kFailed) return "step " + need + " failed";
    if (found->second.outcome == StepOutcome::kSkipped) return "step " + need + " was skipped";
  }
  return "";
}

Unmet unmet(const StepExpectation& expect, const StepSeen& seen) {
  if (!seen.problem.empty()) return {"the step can be performed", seen.problem};
  if (seen.timed_out) return {"an end within the step's timeout", "it was still running: " + what_came(seen)};
  if (seen.exit_code != expect.exit_code) {
    return {fmt::format("exit code {}", expect.exit_code),
            fmt::format("exit code {}: {}", seen.exit_code, what_came(seen))};
  }
  if (expect.is && trimmed(seen.out) != trimmed(*expect.is))
    return {fmt::format("\"{}\"", shown(*expect.is)), what_came(seen)};
  for (const std::string& text : expect.contains) {
    if (seen.out.find(text) == std::string::npos)
      return {fmt::format("\"{}\" in the output", shown(text)), what_came(seen)};
  }
  for (const std::string& text : expect.lacks) {
    if (seen.out.find(text) != std::string::npos)
      return {fmt::format("no \"{}\" in the output", shown(text)), what_came(seen)};
  }
  if (expect.something && trimmed(seen.out).empty()) return {"some output", what_came(seen)};
  return {};
}

StepResult judge_step(const WalkStep& step, const StepSeen& seen) {
  StepResult result;
  const Unmet found = unmet(step.expect, seen);
  const bool performed = seen.problem.empty() && !seen.timed_out;
  const bool noticed = found.any() && found.seen.find(step.must_fail) != std::string::npos;
  const bool held = step.is_counter_test() ? performed && noticed : !found.any();
  result.outcome = held ? StepOutcome::kHeld : StepOutcome::kFailed;
  if (held && step.is_counter_test()) {
    result.seen = found.seen;
  } else if (held) {
    result.seen = shown(seen.out);
  } else if (step.is_counter_test() && performed) {
    result.expected = fmt::format("the counter-test fails, with \"{}\"", shown(step.must_fail));
    result.seen = found.any() ? "it failed otherwise: " + found.seen : "it held: " + what_came(seen);
  } else {
    result.expected = found.expected;
    result.seen = found.seen;
  }
  return result;
}

namespace {

StepResult try_step(const WalkStep& step, const Variables& variables, const WalkActions& actions, std::string& out) {
  const int64_t start = actions.now_nanos();
  StepResult result;
  for (int tries = 1;; ++tries) {
    const StepSeen seen = actions.perform(step, variables);
    result = judge_step(step, seen);
    result.tries = tries;
    result.took_nanos = actions.now_nanos() - start;
    out = trimmed(seen.out);
    const bool over = result.took_nanos + kPauseNanos > step.within_nanos;
    if (result.outcome == StepOutcome::kHeld || over || actions.stopped()) return result;
    actions.wait(kPauseNanos);
  }
}

}  // namespace

std::vector<StepResult> walk(const Walkthrough& walkthrough, const std::set<std::string>& capabilities,
                             const WalkActions& actions) {
  std::vector<StepResult> out;
  std::map<std::string, StepResult> earlier;
  Variables variables;
  for (const WalkStep& step : walkthrough.steps) {
    StepResult result;
    result.reason = actions.stopped() ? "interrupted" : why_skipped(step, earlier, capabilities);
    if (result.reason.empty()) {
      if (actions.began) actions.began(step);
      std::string printed;
      result = try_step(step, variables, actions, printed);
      if (actions.stopped() && result.outcome == StepOutcome::kFailed) {
        result.outcome = StepOutcome::kSkipped;  // it was cut short, which is nobody's fault
        result.reason = "interrupted";
      }
      if (result.outcome == StepOutcome::kHeld && !step.keep_as.empty()) variables[step.keep_as] = printed;
    }
    if (actions.ended) actions.ended(step, result);
    earlier[step.name] = result;
    out.push_back(std::move(result));
  }
  return out;
}

Verdict verdict_of(const Walkthrough& walkthrough, const WalkthroughResult& result) {
  size_t held = 0, left_out = 0;
  for (size_t i = 0; i < walkthrough.steps.size() && i < result.steps.size(); ++i) {
    const StepResult& step = result.steps[i];
    if (step.outcome == StepOutcome::kFailed) return Verdict::kFail;
    if (step.outcome == StepOutcome::kHeld) ++held;
    if (step.outcome == StepOutcome::kSkipped && step.reason == "interrupted") ++left_out;
  }
  return held == 0 || left_out > 0 || result.interrupted ? Verdict::kUnknown : Verdict::kPass;
}

std::vector<Proof> walkthrough_proofs(const Walkthrough& walkthrough, const WalkthroughResult& result) {
  std::vector<Proof> out;
  if (result.interrupted) return out;
  for (size_t i = 0; i < walkthrough.steps.size() && i < result.steps.size(); ++i) {
    const WalkStep& step = walkthrough.steps[i];
    const StepResult& came = result.steps[i];
    if (came.outcome == StepOutcome::kSkipped) continue;
    Proof proof;
    proof.polarity = step.is_counter_test() ? Polarity::kNegative : Polarity::kPositive;
    proof.result = fmt::format("walkthrough {}/{}", walkthrough.name, step.name);
    proof.kind = ProofKind::kLive;
    proof.provider = result.provider;
    proof.istio = result.istio;
    proof.envoy = result.envoy;
    proof.held = came.outcome == StepOutcome::kHeld;
    proof.verdict = proof.held != step.is_counter_test() ? "pass" : "fail";
    for (const std::string& row : step.rows) {
      proof.row = row;
      out.push_back(proof);
    }
  }
  return out;
}

uint64_t count_traces(const std::vector<Span>& spans, const TraceSearch& search, uint64_t since_unix_nanos) {
  std::set<TraceId> traces;
  for (const Span& span : spans) {
    if (span.start_unix_nanos < since_unix_nanos || span.resource == nullptr) continue;
    if (span.kind != SpanKind::kServer || span.resource->service_name != search.service) continue;
    bool has_all = true;
    for (const auto& [key, value] : search.resource)
      has_all = has_all && span.resource->attributes.text(key) == value;
    if (!has_all) continue;
    std::string_view url = span.attributes.text("http.url");
    url = url.substr(0, url.find('?'));
    if (url.size() >= search.path.size() && url.substr(url.size() - search.path.size()) == search.path)
      traces.insert(span.trace_id);
  }
  return traces.size();
}

}  // namespace hopcheck::run
