// The HTML page: golden files, escaping, self-containment, structure, limits, contrast, and the layout of exhibits.
#include "report/html.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "report/exhibit_view.h"
#include "report/golden_test.h"
#include "report/hostile_run.h"
#include "report/html_style.h"
#include "report/html_text.h"
#include "report/html_waterfall.h"
#include "report/json.h"
#include "report/sample_run.h"

namespace hopcheck::report {
namespace {

// Everything after the style sheet: the part that is put together from data.
std::string body_of(const std::string& page) { return page.substr(page.find("</style>")); }

struct Tag {
  std::string name, attributes;
  bool closing = false, self_closing = false;
};
std::vector<Tag> tags_of(const std::string& html) {
  std::vector<Tag> tags;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    size_t end = at + 1;
    for (bool quoted = false; end < html.size() && (quoted || html[end] != '>'); ++end) quoted ^= html[end] == '"';
    std::string text = html.substr(at + 1, end - at - 1);
    Tag tag;
    tag.closing = text.front() == '/';
    tag.self_closing = text.back() == '/';
    text = text.substr(tag.closing ? 1 : 0, text.size() - (tag.self_closing ? 1 : 0));
    tag.name = text.substr(0, text.find(' '));
    tag.attributes = text.substr(tag.name.size());
    tags.push_back(tag);
    at = end;
  }
  return tags;
}
// The value of an attribute, "" when there is none.
std::string attribute(const Tag& tag, const std::string& name) {
  const std::string start = " " + name + "=\"";
  const size_t from = tag.attributes.find(start);
  if (from == std::string::npos) return "";
  return tag.attributes.substr(from + start.size(),
                               tag.attributes.find('"', from + start.size()) - from - start.size());
}
std::string without_values(const std::string& attributes) {
  std::string out;
  bool quoted = false;
  for (const char c : attributes) {
    quoted ^= c == '"';
    if (!quoted) out += c;
  }
  return out;
}

// Every tag is closed in order, no id occurs twice, every local link has its target. Returns the ids.
void expect_sound(const std::string& page) {
  static const std::set<std::string> kVoid{"meta", "br", "link"};
  const std::string body = body_of(page);
  std::vector<std::string> open{"html", "head", "style"};
  std::set<std::string> ids;
  std::vector<std::string> links;
  for (const Tag& tag : tags_of(body)) {
    ASSERT_FALSE(tag.name.empty() || !std::isalpha(static_cast<unsigned char>(tag.name[0]))) << tag.name;
    if (tag.closing) {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), tag.name);
      open.pop_back();
    } else if (!tag.self_closing && kVoid.count(tag.name) == 0) {
      open.push_back(tag.name);
    }
    const std::string id = attribute(tag, "id"), link = attribute(tag, "href");
    if (!id.empty()) {
      EXPECT_TRUE(ids.insert(id).second) << "id twice: " << id;
    }
    if (!link.empty()) links.push_back(link);
  }
  EXPECT_TRUE(open.empty());
  for (const std::string& link : links)
    EXPECT_TRUE(link.size() > 1 && link[0] == '#' && ids.count(link.substr(1))) << link;
}

TEST(Html, GoldenFiles) {
  EXPECT_TRUE(matches_golden("suite.html", to_html(sample::suite_run())));
  EXPECT_TRUE(matches_golden("canary.html", to_html(sample::canary_run())));
}

TEST(Html, IsAFunctionOfRunJson) {
  const RunResult run = sample::suite_run();
  EXPECT_EQ(to_html(run), to_html(run));
  EXPECT_EQ(to_html(run), to_html(*from_json(to_json(run))));
}

TEST(Html, IsSoundAndSelfContained) {
  for (const RunResult& run : {sample::suite_run(), sample::canary_run(), sample::hostile_run(), RunResult()}) {
    const std::string page = to_html(run);
    expect_sound(page);
    for (const Tag& tag : tags_of(body_of(page))) {
      EXPECT_NE(tag.name, "script");
      EXPECT_NE(tag.name, "img");
      const std::string names = without_values(tag.attributes);
      for (const char* bad : {" style=", " src=", " on", "<", "'"}) {
        EXPECT_EQ(names.find(bad), std::string::npos) << tag.name << tag.attributes;
      }
    }
    EXPECT_NE(page.find(content_policy()), std::string::npos);
  }
}

TEST(Html, PolicyAllowsExactlyOurSheet) {
  const std::string page = to_html(sample::canary_run());
  const size_t from = page.find("<style>") + 7, to = page.find("</style>");
  EXPECT_EQ(page.substr(from, to - from), html_style());
  EXPECT_EQ(content_policy().substr(0, 38), "default-src 'none'; style-src 'sha256-");
  EXPECT_EQ(content_policy().find("unsafe"), std::string::npos);
  EXPECT_EQ(html_style().find("url("), std::string_view::npos);
  EXPECT_EQ(html_style().find("@import"), std::string_view::npos);
}

TEST(Html, EscapesWithOneFunction) {
  EXPECT_EQ(html_escape("<a b='c' d=\"e\">&"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;");
  EXPECT_EQ(html_escape("\x1b[1m\xff\xe2\x80\xae"), "\\x1b[1m\\xff\\u{202e}");
  EXPECT_EQ(html_escape("abcdef", 4), "abc…");
  EXPECT_EQ(Html().put("<b>{}</b>{}{}", "<i>", 7, Html().put("<br>")).view(), "<b>&lt;i&gt;</b>7<br>");
}

TEST(Html, ShowsWhatAnEngineerLooksFor) {
  const std::string page = to_html(sample::canary_run());
  for (const char* text : {"<h1><span class=\"bad\">fail</span> checkout-drops-traceparent</h1>", "HOP0601",
                           "service=checkout header=traceparent", "class=\"cut\"", "another trace ", "wire 890us",
                           "proxy 690us", "scenarios as expected", "BROKEN"}) {
    EXPECT_EQ(page.find(text) != std::string::npos, std::string(text) != "BROKEN") << text;
  }
  const std::string suite = to_html(sample::suite_run());
  for (const char* text : {"Failed as expected (1)", "bar missing", "bar extra", "url(#hatch)", "✕ BROKEN",
                           "<tr class=\"off\"><th scope=\"row\">istio.mesh_id"}) {
    EXPECT_NE(suite.find(text), std::string::npos) << text;
  }
}

TEST(Html, StaysBelowItsLimitAndSaysWhatIsMissing) {
  RunResult run = sample::suite_run();
  ScenarioResult& scenario = run.scenarios[2];
  Exhibit wide = scenario.exhibits[0];
  for (ExhibitSpan& span : wide.observed) span.attributes.assign(100, {"key", std::string(900, '<')});
  scenario.exhibits.assign(60, wide);
  scenario.findings.assign(900, scenario.findings[0]);
  for (Finding& finding : scenario.findings) finding.actual = std::string(1000, '"');
  run.scenarios.insert(run.scenarios.end(), 1900, run.scenarios[0]);
  run.phases.assign(9000, run.phases[0]);
  run.environment.proxies.assign(5000, run.environment.proxies[0]);
  const std::string page = to_html(run);
  EXPECT_LE(page.size(), kMaxHtmlBytes);
  EXPECT_NE(page.find("scenarios are not shown"), std::string::npos);
  EXPECT_NE(page.find("findings are not shown"), std::string::npos);
  EXPECT_NE(page.find("Some waterfalls are not shown"), std::string::npos);
  EXPECT_NE(page.find("proxies are not shown"), std::string::npos);
}

TEST(ExhibitView, ASplitTraceHangsWhereItShould) {
  const Exhibit exhibit = sample::split_exhibit();
  const std::vector<TreeRow> rows = observed_rows(exhibit);
  ASSERT_EQ(rows.size(), 12u);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].span, i);
    EXPECT_EQ(rows[i].depth, static_cast<int>(i));
    EXPECT_EQ(rows[i].broken, i == 9);
    EXPECT_EQ(rows[i].new_trace, i == 0 || i == 9);
  }
  EXPECT_EQ(rows[2].gap, TreeRow::Gap::kWire);
  EXPECT_EQ(rows[2].gap_nanos, 890 * sample::kMicro);
  EXPECT_EQ(rows[3].gap, TreeRow::Gap::kProxy);
  EXPECT_EQ(rows[1].gap, TreeRow::Gap::kNone);
  EXPECT_EQ(count_traces(exhibit.observed), 2u);
}

TEST(ExhibitView, CyclesAndStrayParentsEnd) {
  Exhibit exhibit = sample::split_exhibit();
  exhibit.observed[0].parent = 2;  // 0 → 1 → 2 → 0
  exhibit.observed[5].parent = 5;
  exhibit.observed[6].parent = 400;
  EXPECT_EQ(observed_rows(exhibit).size(), 12u);
  exhibit.expected[0].parent = 11;
  EXPECT_EQ(expected_rows(exhibit).size(), 12u);
  EXPECT_GT(exhibit_pair(exhibit, 1).size(), 1000u);
  exhibit = {};
  EXPECT_GT(exhibit_pair(exhibit, 1).size(), 100u);
}

TEST(ExhibitView, MarksWhatTheFindingIsAbout) {
  using Keys = std::vector<std::string>;
  ExhibitSpan span;
  EXPECT_EQ(offending_keys(span, "HOP0601", "service=checkout header=traceparent"), Keys{});
  span.defect = "HOP0601";
  EXPECT_EQ(offending_keys(span, "HOP0601", "service=checkout header=traceparent"),
            (Keys{"trace id", "parent span id"}));
  EXPECT_EQ(offending_keys(span, "HOP0504", "object=zone"), Keys{});
  span.parent_id.bytes.fill(1);
  EXPECT_EQ(offending_keys(span, "HOP0601", "header=traceparent"), Keys{});
  span.defect = "HOP0504";
  EXPECT_EQ(offending_keys(span, "HOP0504", "service=a object=istio.mesh_id"), Keys{"istio.mesh_id"});
}

// WCAG 2.1 relative luminance and contrast.
double luminance(const std::string& hex) {
  double parts[3];
  for (int i = 0; i < 3; ++i) {
    const double c = std::stoi(hex.substr(static_cast<size_t>(1 + 2 * i), 2), nullptr, 16) / 255.0;
    parts[i] = c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
}
double contrast(const std::string& a, const std::string& b) {
  const double la = luminance(a), lb = luminance(b);
  return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

TEST(Style, MeetsContrastAA) {
  const std::string style(html_style());
  const size_t dark_from = style.find("@media (prefers-color-scheme: dark)");
  std::map<std::string, std::string> schemes[2];
  static const std::regex kColour("--([a-z-]+): (#[0-9a-f]{6});");
  for (std::sregex_iterator it(style.begin(), style.end(), kColour), end; it != end; ++it) {
    if (static_cast<size_t>(it->position()) > style.find("* { box-sizing")) break;
    schemes[static_cast<size_t>(it->position()) > dark_from][(*it)[1]] = (*it)[2];
  }
  for (auto& colours : schemes) {
    ASSERT_GE(colours.size(), 17u);
    for (const char* ground : {"ground", "surface", "sunken"}) {
      for (const char* ink : {"ink", "muted", "good", "bad", "unsure", "link"}) {
        EXPECT_GE(contrast(colours[ink], colours[ground]), 4.5) << ink << " on " << ground;
      }
      for (const char* shape : {"mesh", "app", "bad"})
        EXPECT_GE(contrast(colours[shape], colours[ground]), 3.0) << shape;
    }
    for (const char* tone : {"good", "bad", "unsure"}) {
      EXPECT_GE(contrast(colours[tone], colours[std::string(tone) + "-soft"]), 4.5) << tone;
    }
    for (const char* bar : {"mesh", "app", "bad"}) EXPECT_GE(contrast(colours["on-bar"], colours[bar]), 4.5) << bar;
  }
}

}  // namespace
}  // namespace hopcheck::report
