#include "report/junit.h"

#include <fmt/format.h>

#include "report/summary.h"
#include "report/xml_text.h"

namespace hopcheck::report {
namespace {

std::string xml(std::string_view text) { return xml_text(text); }

// One test suite: its cases, counted as they are added.
class Suite {
 public:
  explicit Suite(const std::string& name) : name_(xml(name)) {}

  void pass(const std::string& name, const std::string& remark = "") {
    open(name);
    if (remark.empty()) {
      body_ += "/>\n";
    } else {
      body_ += fmt::format("><system-out>{}</system-out></testcase>\n", xml(remark));
    }
  }
  void skip(const std::string& name, const std::string& reason) {
    ++skipped;
    open(name);
    body_ += fmt::format("><skipped message=\"{}\"/></testcase>\n", xml(reason));
  }
  // `details` is already XML text.
  void fail(const std::string& name, const std::string& message, const std::string& details) {
    ++failures;
    problem("failure", name, message, details);
  }
  void error(const std::string& name, const std::string& message, const std::string& details) {
    ++errors;
    problem("error", name, message, details);
  }
  std::string render() const {
    return fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}  </testsuite>\n",
        name_, tests, failures, errors, skipped, body_);
  }
  size_t tests = 0, failures = 0, errors = 0, skipped = 0;

 private:
  void open(const std::string& name) {
    ++tests;
    body_ += fmt::format("    <testcase classname=\"hopcheck.{}\" name=\"{}\"", name_, xml(name));
  }
  void problem(const char* element, const std::string& name, const std::string& message, const std::string& details) {
    open(name);
    body_ += fmt::format(">\n      <{0} message=\"{1}\">{2}</{0}>\n    </testcase>\n", element, xml(message), details);
  }
  std::string name_;
  std::string body_;
};

std::string details_of(const Finding& f) {
  std::string out = "\n";
  const auto add = [&](const char* label, const std::string& text) {
    if (!text.empty()) out += fmt::format("{}: {}\n", label, xml(text));
  };
  add("subject", subject_key(f.subject));
  add("expected", f.expected);
  add("actual", f.actual);
  add("count", std::to_string(f.count));
  constexpr size_t kShown = 8;
  for (size_t i = 0; i < f.witnesses.size() && i < kShown; ++i) {
    add("witness", fmt::format("trace {} span {}", to_hex(f.witnesses[i].trace_id), to_hex(f.witnesses[i].span_id)));
  }
  for (const Consequence& c : f.consequences) add("hence", fmt::format("{} {} ({})", c.code, c.subject, c.count));
  add("fix", f.hint);
  add("page", f.page);
  add("reproduce", f.reproduce);
  return out;
}

void add_finding(Suite& suite, const ScenarioResult* scenario, const Finding& finding) {
  const std::string name = finding_key(finding);
  if (scenario && is_expected(*scenario, finding)) return suite.pass(name, "failed as expected: " + finding.title);
  if (finding.severity == Verdict::kUnknown) return suite.error(name, finding.title, details_of(finding));
  suite.fail(name, finding.title, details_of(finding));
}

// The scenario's own case fails only for what no finding says: a verdict or an absence that deviates.
Suite suite_of(const ScenarioResult& scenario) {
  Suite suite(scenario.name);
  const Standing standing = standing_of(scenario);
  bool explained = false;
  for (const Finding& finding : scenario.findings) explained |= !is_expected(scenario, finding);
  const std::string text = standing_text(scenario);
  if (standing == Standing::kSkipped) {
    suite.skip("verdict", scenario.skipped);
  } else if (standing == Standing::kUnknown && !explained) {
    suite.error("verdict", text, "");
  } else if (standing == Standing::kFail && !explained) {
    suite.fail("verdict", text, "");
  } else {
    suite.pass("verdict", text);
  }
  for (const Finding& finding : scenario.findings) add_finding(suite, &scenario, finding);
  return suite;
}

Suite run_suite(const RunResult& result) {
  Suite suite("run");
  for (const SumCheck& sum : result.sums) {
    if (sum.holds) {
      suite.pass("sum: " + sum.text);
    } else {
      suite.error("sum: " + sum.text, "the sum does not hold", "");
    }
  }
  for (const Finding& finding : result.findings) add_finding(suite, nullptr, finding);
  if (result.interrupted) suite.error("interrupted", "these results are partial", "");
  if (result.exit_code == 3 || result.exit_code == 70)
    suite.error("environment", exit_code_meaning(result.exit_code), "");
  return suite;
}

}  // namespace

std::string to_junit(const RunResult& result) {
  std::vector<Suite> suites{run_suite(result)};
  for (const ScenarioResult& scenario : result.scenarios) suites.push_back(suite_of(scenario));
  size_t tests = 0, failures = 0, errors = 0, skipped = 0;
  std::string body;
  for (const Suite& suite : suites) {
    tests += suite.tests;
    failures += suite.failures;
    errors += suite.errors;
    skipped += suite.skipped;
    body += suite.render();
  }
  const double seconds = static_cast<double>(totals_of(result).wall_nanos) / 1e9;
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
      "time=\"{:.3f}\">\n{}</testsuites>\n",
      xml(run_title(result)), tests, failures, errors, skipped, seconds, body);
}

}  // namespace hopcheck::report
