// Terminal, one line, JUnit and Markdown: golden files, hostile names, limits, and what counts as expected.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "report/golden_test.h"
#include "report/hostile_run.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/oneline.h"
#include "report/sample_run.h"
#include "report/summary.h"
#include "report/terminal.h"
#include "report/utf8.h"

namespace hopcheck::report {
namespace {

TEST(Terminal, GoldenFiles) {
  EXPECT_TRUE(
      matches_golden("suite.txt", to_terminal(sample::suite_run(), {false, 120, "reports/report.html", "runs/x"})));
  EXPECT_TRUE(matches_golden("suite-color.txt", to_terminal(sample::suite_run(), {true, 80, "", ""})));
  EXPECT_TRUE(matches_golden("canary.txt", to_terminal(sample::canary_run(), {})));
  EXPECT_TRUE(matches_golden("timeline.txt", phase_timeline(sample::suite_run(), {})));
}

TEST(Oneline, GoldenFile) {
  EXPECT_TRUE(matches_golden("oneline.txt", to_oneline(sample::suite_run()) + to_oneline(sample::canary_run())));
}

TEST(Junit, GoldenFile) { EXPECT_TRUE(matches_golden("suite.junit.xml", to_junit(sample::suite_run()))); }

TEST(Markdown, GoldenFile) { EXPECT_TRUE(matches_golden("suite.md", to_markdown(sample::suite_run()))); }

// A second process reading run.json must print the same bytes.
TEST(TextReports, AreFunctionsOfRunJson) {
  const RunResult run = sample::suite_run();
  const Result<RunResult> back = from_json(to_json(run));
  ASSERT_TRUE(back) << to_text(back.error());
  EXPECT_EQ(to_terminal(run, {}), to_terminal(*back, {}));
  EXPECT_EQ(phase_timeline(run, {}), phase_timeline(*back, {}));
  EXPECT_EQ(to_junit(run), to_junit(*back));
  EXPECT_EQ(to_markdown(run), to_markdown(*back));
  EXPECT_EQ(to_oneline(run), to_oneline(*back));
}

// Every byte of the text is valid UTF-8 without control characters other than line ends.
void expect_harmless(const std::string& text) {
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Char front = utf8_front(rest);
    ASSERT_GT(front.bytes, 0u) << "invalid UTF-8 before: " << rest.substr(0, 40);
    ASSERT_TRUE(front.point == '\n' || (front.point >= 0x20 && front.point != 0x7f)) << front.point;
    ASSERT_FALSE(front.point >= 0x80 && front.point < 0xa0);
    ASSERT_NE(front.point, 0x202eu);
    rest.remove_prefix(front.bytes);
  }
}

TEST(TextReports, HostileNamesStayText) {
  const RunResult run = sample::hostile_run();
  for (const std::string& text :
       {to_terminal(run, {}), phase_timeline(run, {}), to_oneline(run), to_junit(run), to_markdown(run)}) {
    expect_harmless(text);
  }
  const std::string one = to_oneline(run);
  EXPECT_EQ(std::count(one.begin(), one.end(), '\n'), 1);
  const std::string xml = to_junit(run);
  EXPECT_EQ(xml.find("<img"), std::string::npos);
  EXPECT_EQ(xml.find("]]>"), std::string::npos);
  EXPECT_EQ(xml.find("\xef\xbf\xbe"), std::string::npos);  // U+FFFE is no XML character
  EXPECT_EQ(xml.find("& "), std::string::npos);
}

// A line of the Markdown page with its code spans taken out, as a renderer would see the rest.
std::string outside_code(const std::string& line) {
  std::string out;
  for (size_t i = 0; i < line.size();) {
    if (line[i] != '`') {
      out += line[i++];
      continue;
    }
    size_t end = i;
    while (end < line.size() && line[end] == '`') ++end;
    const std::string fence = line.substr(i, end - i);
    size_t close = line.find(fence, end);
    while (close != std::string::npos && close + fence.size() < line.size() && line[close + fence.size()] == '`') {
      close = line.find_first_not_of('`', close);
      close = close == std::string::npos ? close : line.find(fence, close);
    }
    if (close == std::string::npos) return "unclosed code span";
    i = close + fence.size();
  }
  return out;
}

TEST(Markdown, ForeignTextNeitherFormatsNorMentions) {
  const std::string page = to_markdown(sample::hostile_run());
  size_t rows = 0;
  for (const std::string_view line : split(page, '\n')) {
    const std::string rest = outside_code(std::string(line));
    EXPECT_NE(rest, "unclosed code span") << line;
    for (const char* bad : {"@root", "#1", "<img", "</script", "**b**", "](javascript", "[a]"})
      EXPECT_EQ(rest.find(bad), std::string::npos) << line;
    if (line.substr(0, 2) != "| ") continue;
    ++rows;  // every pipe inside a cell is escaped
    size_t pipes = 0;
    for (size_t i = 0; i < line.size(); ++i) pipes += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
    EXPECT_TRUE(pipes == 6 || pipes == 9) << line;
  }
  EXPECT_GT(rows, 10u);
}

TEST(Markdown, StaysBelowItsLimitAndSaysWhatIsMissing) {
  RunResult run = sample::suite_run();
  Finding big = run.findings[0];
  big.actual = std::string(3000, 'x');
  run.findings.assign(400, big);
  const std::string page = to_markdown(run);
  EXPECT_LE(page.size(), kMaxMarkdownBytes);
  EXPECT_NE(page.find("blocks left out"), std::string::npos);
}

ScenarioResult judged(Verdict verdict, const char* expected, bool as_expected) {
  ScenarioResult s;
  s.verdict = verdict;
  s.expected_verdict = expected;
  s.as_expected = as_expected;
  return s;
}

TEST(Summary, StandingFollowsExpectation) {
  EXPECT_EQ(standing_of(judged(Verdict::kPass, "pass", true)), Standing::kPass);
  EXPECT_EQ(standing_of(judged(Verdict::kFail, "pass", true)), Standing::kFail);
  EXPECT_EQ(standing_of(judged(Verdict::kFail, "fail", true)), Standing::kAsExpected);
  EXPECT_EQ(standing_of(judged(Verdict::kFail, "fail", false)), Standing::kFail);
  EXPECT_EQ(standing_of(judged(Verdict::kPass, "fail", false)), Standing::kFail);
  EXPECT_EQ(standing_of(judged(Verdict::kUnknown, "unknown", true)), Standing::kAsExpected);
  EXPECT_EQ(standing_of(judged(Verdict::kUnknown, "pass", false)), Standing::kUnknown);
  EXPECT_EQ(standing_of(ScenarioResult{}), Standing::kSkipped);
  EXPECT_EQ(standing_text(judged(Verdict::kPass, "fail", false)), "pass, expected fail");
  EXPECT_EQ(standing_text(judged(Verdict::kFail, "fail", false)), "fail, findings differ");
}

TEST(Terminal, AnExpectedFindingThatDidNotComeIsNamed) {
  RunResult run = sample::suite_run();
  run.scenarios[1].findings.clear();
  run.scenarios[1].as_expected = false;
  run.scenarios[1].verdict = Verdict::kPass;
  const std::string text = to_terminal(run, {});
  EXPECT_NE(text.find("checkout-drops-traceparent: expected finding did not come: HOP0601 service=checkout"),
            std::string::npos);
  EXPECT_NE(to_junit(run).find("message=\"pass, expected fail\""), std::string::npos);
}

TEST(Summary, Numbers) {
  EXPECT_EQ(percent(999'999, 1'000'000), "99.9 %");
  EXPECT_EQ(percent(0, 5), "0 %");
  EXPECT_EQ(percent(0, 0), "–");
  EXPECT_EQ(grouped(1234567),
            "1\xc2\xa0"
            "234\xc2\xa0"
            "567");
  EXPECT_EQ(family_of("HOP0601"), 6);
  EXPECT_EQ(family_of("HOP1302"), 0);
  EXPECT_EQ(family_of("XYZ"), 0);
}

TEST(Utf8, CutsAtCharacters) {
  EXPECT_EQ(cut_columns("añb", 3), "añb");
  EXPECT_EQ(cut_columns("añbc", 3), "añ…");
  EXPECT_EQ(cut_bytes("añb", 2), "a… (4 bytes)");
  EXPECT_EQ(cut_bytes("\xff\xff\xff", 3), "\xff\xff\xff");
  EXPECT_EQ(columns("\xff"
                    "a"),
            2u);
}

}  // namespace
}  // namespace hopcheck::report
