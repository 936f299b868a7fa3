#include "report/walkthrough.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/table.h"
#include "report/xml_text.h"

namespace hopcheck::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kCellBytes = 70;

double seconds(int64_t nanos) { return static_cast<double>(nanos) / 1e9; }

std::string outcome_of(const WalkStep& step, const StepResult& result) {
  if (result.outcome == StepOutcome::kHeld && step.is_counter_test()) return "noticed";
  return to_string(result.outcome);
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

// The end of it: what a tool says last is what came of it. Cut between bytes of one character, printable() shows the
// rest of that as an escape.
std::string cut(const std::string& text) {
  if (text.size() <= kCellBytes) return printable(text);
  return "…" + printable(text.substr(text.size() - kCellBytes + 1));
}

int64_t total_nanos(const WalkthroughResult& result) {
  int64_t sum = 0;
  for (const StepResult& step : result.steps) sum += step.took_nanos;
  return sum;
}

size_t count_of(const WalkthroughResult& result, StepOutcome outcome) {
  return static_cast<size_t>(std::count_if(result.steps.begin(), result.steps.end(),
                                           [outcome](const StepResult& step) { return step.outcome == outcome; }));
}

std::string failure_text(const WalkStep& step, const StepResult& result) {
  std::string out = fmt::format("\nstep {} failed: {}\n  expected: {}\n  seen: {}\n", printable(step.name),
                                printable(step.does), printable(result.expected), printable(result.seen));
  if (step.fix.empty()) return out;
  out += "  fix: ";
  for (const char c : step.fix) out += c == '\n' ? std::string("\n       ") : std::string(1, c);
  while (!out.empty() && (out.back() == ' ' || out.back() == '\n')) out.pop_back();
  return out + "\n";
}

}  // namespace

std::string walkthrough_text(const Walkthrough& walkthrough, const WalkthroughResult& result, Verdict verdict) {
  Table table({{"step", Table::Align::kLeft},
               {"outcome", Table::Align::kLeft},
               {"time", Table::Align::kRight},
               {"rows", Table::Align::kLeft},
               {"seen", Table::Align::kLeft}});
  std::string failures;
  for (size_t i = 0; i < walkthrough.steps.size() && i < result.steps.size(); ++i) {
    const WalkStep& step = walkthrough.steps[i];
    const StepResult& came = result.steps[i];
    const bool skipped = came.outcome == StepOutcome::kSkipped;
    table.add({{step.name},
               {outcome_of(step, came)},
               {skipped ? "-" : fmt::format("{:.1f} s", seconds(came.took_nanos))},
               {joined(step.rows, " ")},
               {cut(skipped ? came.reason : came.seen)}});
    if (came.outcome == StepOutcome::kFailed) failures += failure_text(step, came);
  }
  Table::Style style;
  style.width = 160;
  std::string out = fmt::format("walkthrough {}", walkthrough.name);
  if (!result.istio.empty()) out += fmt::format(", Istio {}", printable(result.istio));
  if (!result.kubernetes.empty()) out += fmt::format(", Kubernetes {}", printable(result.kubernetes));
  out += "\n" + table.render(style) + failures;
  for (const std::string& note : result.notes) out += fmt::format("note: {}\n", printable(note));
  out += fmt::format("{}: {} of {} steps held, {} failed, {} skipped, {:.1f} s\n", to_string(verdict),
                     count_of(result, StepOutcome::kHeld), walkthrough.steps.size(),
                     count_of(result, StepOutcome::kFailed), count_of(result, StepOutcome::kSkipped),
                     seconds(total_nanos(result)));
  return out;
}

std::string walkthrough_json(const Walkthrough& walkthrough, const WalkthroughResult& result, Verdict verdict) {
  Json out{{"schemaVersion", 1},
           {"walkthrough", walkthrough.name},
           {"file", walkthrough.file},
           {"provider", result.provider},
           {"istio", result.istio},
           {"envoy", result.envoy},
           {"kubernetes", result.kubernetes},
           {"verdict", to_string(verdict)},
           {"interrupted", result.interrupted},
           {"seconds", seconds(total_nanos(result))},
           {"notes", result.notes}};
  out["steps"] = Json::array();
  for (size_t i = 0; i < walkthrough.steps.size() && i < result.steps.size(); ++i) {
    const WalkStep& step = walkthrough.steps[i];
    const StepResult& came = result.steps[i];
    Json one{{"name", step.name},
             {"does", step.does},
             {"outcome", to_string(came.outcome)},
             {"counterTest", step.is_counter_test()},
             {"seconds", seconds(came.took_nanos)},
             {"tries", came.tries},
             {"rows", step.rows}};
    if (came.outcome == StepOutcome::kSkipped) one["reason"] = came.reason;
    if (came.outcome == StepOutcome::kFailed) one["expected"] = came.expected;
    if (came.outcome != StepOutcome::kSkipped) one["seen"] = came.seen;
    if (came.outcome == StepOutcome::kFailed && !step.fix.empty()) one["fix"] = step.fix;
    out["steps"].push_back(std::move(one));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string walkthrough_junit(const Walkthrough& walkthrough, const WalkthroughResult& result) {
  std::string cases;
  for (size_t i = 0; i < walkthrough.steps.size() && i < result.steps.size(); ++i) {
    const WalkStep& step = walkthrough.steps[i];
    const StepResult& came = result.steps[i];
    cases += fmt::format("    <testcase classname=\"hopcheck.{}\" name=\"{}\" time=\"{:.3f}\"",
                         xml_text(walkthrough.name), xml_text(step.name), seconds(came.took_nanos));
    if (came.outcome == StepOutcome::kHeld) {
      cases += fmt::format("><system-out>{}</system-out></testcase>\n", xml_text(came.seen));
    } else if (came.outcome == StepOutcome::kSkipped) {
      cases += fmt::format("><skipped message=\"{}\"/></testcase>\n", xml_text(came.reason));
    } else {
      cases +=
          fmt::format(">\n      <failure message=\"{}\">expected: {}\nseen: {}\nfix: {}</failure>\n    </testcase>\n",
                      xml_text(step.does), xml_text(came.expected), xml_text(came.seen), xml_text(step.fix));
    }
  }
  const std::string counts =
      fmt::format("name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3f}\"",
                  xml_text(walkthrough.name), result.steps.size(), count_of(result, StepOutcome::kFailed),
                  count_of(result, StepOutcome::kSkipped), seconds(total_nanos(result)));
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {0}>\n  <testsuite {0}>\n{1}"
                     "  </testsuite>\n</testsuites>\n",
                     counts, cases);
}

}  // namespace hopcheck::report
