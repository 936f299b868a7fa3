// Tables of numbers: the matrix of scenarios and rule families, classes, latency, hops, sums.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "report/hops.h"
#include "report/html_charts.h"
#include "report/html_sections.h"

namespace hopcheck::report {

const char* tone_class(Standing standing) {
  switch (standing) {
    case Standing::kPass:
    case Standing::kAsExpected: return "good";
    case Standing::kUnknown: return "unsure";
    case Standing::kFail: return "bad";
    case Standing::kSkipped: break;
  }
  return "plain";
}

const char* tone_class(Verdict verdict) {
  return verdict == Verdict::kPass ? "good" : verdict == Verdict::kFail ? "bad" : "unsure";
}

namespace {

const char* sign(Standing standing) {
  switch (standing) {
    case Standing::kPass:
    case Standing::kAsExpected: return "✓";
    case Standing::kUnknown: return "?";
    case Standing::kFail: return "✕";
    case Standing::kSkipped: break;
  }
  return "–";
}

// What one cell of the matrix sums up.
struct Cell {
  size_t first = 0;  // number of its first finding
  size_t failed = 0, unknown = 0, expected = 0;
};
using Row = std::map<int, Cell>;  // by family; 0 = a code of another form

Html matrix_cell(const Row& row, int family) {
  Html out;
  const auto found = row.find(family);
  if (found == row.end())
    return out.put(
        "<td class=\"cell\"><span aria-hidden=\"true\">·</span><span class=\"quiet\">no finding</span></td>");
  const Cell& cell = found->second;
  const char* tone = cell.failed ? "bad" : cell.unknown ? "unsure" : "good";
  const char* mark = cell.failed ? "✕" : cell.unknown ? "?" : "✓";
  const char* words = cell.failed ? "failed" : cell.unknown ? "unknown" : "failed as expected";
  const size_t count = cell.failed ? cell.failed : cell.unknown ? cell.unknown : cell.expected;
  return out.put(
      "<td class=\"cell {}\"><a href=\"#f{}\" title=\"{} {}, {}\">{} {}<span class=\"quiet\"> {}</span></a></td>", tone,
      cell.first, family_name(family), words, counted(count, "finding"), mark, count, words);
}

std::map<const ScenarioResult*, Row> matrix_of(const RunResult& result) {
  std::map<const ScenarioResult*, Row> rows;
  size_t number = 0;
  for (const FindingRef& ref : numbered(result)) {
    ++number;
    Cell& cell = rows[ref.scenario][family_of(ref.finding->code)];
    if (cell.first == 0) cell.first = number;
    const bool expected = ref.scenario && is_expected(*ref.scenario, *ref.finding);
    const bool unknown = ref.finding->severity == Verdict::kUnknown;
    ++(expected ? cell.expected : unknown ? cell.unknown : cell.failed);
  }
  return rows;
}

Html families(const Row& row) {
  Html out;
  for (int family = 1; family <= kFamilies; ++family) out.add(matrix_cell(row, family));
  return out;
}

Html matrix_row(const ScenarioResult& s, const Row& row) {
  const Standing standing = standing_of(s);
  const uint64_t complete = s.requests_by_class[static_cast<size_t>(RequestClass::kComplete)];
  Html out, note;
  if (!s.drawn_fault.empty()) note.put("<br><small class=\"muted\">the seed drew {}</small>", s.drawn_fault);
  out.put("<tr><th scope=\"row\">{}{}</th><td class=\"nowrap\"><span class=\"tag {}\">{} {}</span></td>", s.name, note,
          tone_class(standing), sign(standing), standing_text(s));
  if (standing == Standing::kSkipped) {
    return out.put("<td colspan=\"{}\" class=\"muted\">{}</td></tr>\n", kFamilies + 2, s.skipped);
  }
  return out.put("<td class=\"num\">{}</td><td class=\"num\">{}</td>{}</tr>\n", grouped(s.requests),
                 percent(complete, s.requests), families(row));
}

}  // namespace

namespace {

// A remark that several scenarios share is said once.
Html note_list(const RunResult& result, size_t limit) {
  Limited items(limit);
  for (const SharedNote& note : shared_notes(result)) {
    if (!items.wants()) continue;
    const std::string where =
        note.scenarios.size() == 1 ? note.scenarios[0] : fmt::format("{} scenarios", note.scenarios.size());
    items.add(Html().put("<li>{}: {}</li>\n", where, note.text));
  }
  Html out;
  if (items.html().size() == 0) return out;
  return out.put("<ul class=\"notes\">{}</ul>{}", items.html(), items.remark("remarks are"));
}

}  // namespace

Html matrix_section(const RunResult& result, size_t limit) {
  const std::map<const ScenarioResult*, Row> rows = matrix_of(result);
  Html head;
  for (int family = 1; family <= kFamilies; ++family)
    head.put("<th scope=\"col\" class=\"fam\">{}</th>", family_name(family));
  Limited body(limit);
  for (const ScenarioResult& scenario : result.scenarios) {
    if (!body.wants()) continue;
    const auto row = rows.find(&scenario);
    body.add(matrix_row(scenario, row == rows.end() ? Row() : row->second));
  }
  const auto run_row = rows.find(nullptr);
  if (run_row != rows.end()) {
    body.add(Html().put("<tr><th scope=\"row\">the whole run</th><td colspan=\"3\"></td>{}</tr>\n",
                        families(run_row->second)));
  }
  Html out;
  return out.put(
      "<section id=\"scenarios\"><h2>Scenarios and rule families</h2><div class=\"card scroll\" tabindex=\"0\" "
      "role=\"region\" "
      "aria-label=\"Scenarios and rule families\"><table class=\"matrix\"><thead><tr><th "
      "scope=\"col\">scenario</th><th scope=\"col\">verdict"
      "</th><th scope=\"col\" class=\"num\">requests</th><th scope=\"col\" "
      "class=\"num\">complete</th>{}</tr></thead><tbody>{}</tbody></table>"
      "</div>{}<p class=\"legend\"><span>· no finding</span><span>✕ failed</span><span>? unknown</span><span>✓ failed "
      "as expected</span></p></section>\n",
      head, body.html(), body.remark("scenarios are"), note_list(result, limit / 4));
}

namespace {

// One table of counts by class with the classes that occur.
template <class E, class Counts>
Html class_table(const RunResult& result, const char* title, size_t limit, Counts counts) {
  std::vector<size_t> classes;
  for (size_t i = 0; i < static_cast<size_t>(E::kCount); ++i) {
    const bool occurs = std::any_of(result.scenarios.begin(), result.scenarios.end(),
                                    [&](const ScenarioResult& s) { return counts(s)[i] > 0; });
    if (occurs) classes.push_back(i);
  }
  Html head;
  for (const size_t i : classes) head.put("<th scope=\"col\" class=\"num\">{}</th>", to_string(static_cast<E>(i)));
  Limited body(limit);
  for (const ScenarioResult& s : result.scenarios) {
    if (!s.verdict || !body.wants()) continue;
    Html row;
    row.put("<tr><th scope=\"row\">{}</th>", s.name);
    for (const size_t i : classes) row.put("<td class=\"num\">{}</td>", counts(s)[i] ? grouped(counts(s)[i]) : "·");
    body.add(row.put("</tr>\n"));
  }
  Html out;
  return out.put(
      "<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><h3>{0}</h3><table><thead><tr><th "
      "scope=\"col\">scenario"
      "</th>{1}</tr></thead><tbody>{2}</tbody></table>{3}</div>\n",
      title, head, body.html(), body.remark("scenarios are"));
}

Html distribution_cells(const Distribution& d, const Axis& axis) {
  Html out;
  if (d.count == 0) return out.put("<td class=\"num muted\" colspan=\"4\">–</td><td></td>");
  return out.put(
      "<td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td>{}</td>",
      format_nanos(d.p50), format_nanos(d.p90), format_nanos(d.p99), format_nanos(d.max), histogram(d, axis));
}

}  // namespace

Html class_section(const RunResult& result, size_t limit) {
  Html out;
  return out.put(
      "<section id=\"classes\"><h2>Requests and spans by class</h2><div class=\"columns\">{}{}</div></section>\n",
      class_table<RequestClass>(
          result, "Requests", limit / 2, [](const ScenarioResult& s) -> const auto& { return s.requests_by_class; }),
      class_table<SpanClass>(
          result, "Spans", limit / 2, [](const ScenarioResult& s) -> const auto& { return s.spans_by_class; }));
}

Html latency_section(const RunResult& result, size_t limit) {
  Axis axis, late_axis;
  bool any = false;
  for (const ScenarioResult& s : result.scenarios) {
    include(axis, s.latency.corrected);
    include(axis, s.latency.uncorrected);
    include(late_axis, s.latency.send_lateness);
    any |= s.latency.corrected.count + s.latency.uncorrected.count + s.latency.send_lateness.count > 0;
  }
  Html out;
  if (!any) return out;
  Limited body(limit);
  for (const ScenarioResult& s : result.scenarios) {
    const LatencyResult& l = s.latency;
    if (l.corrected.count + l.uncorrected.count + l.send_lateness.count == 0 || !body.wants()) continue;
    body.add(Html().put(
        "<tr><th scope=\"rowgroup\" rowspan=\"3\">{}</th><td>from the due time</td><td "
        "class=\"num\">{}</td>{}</tr><tr><td>from the "
        "sending</td><td class=\"num\">{}</td>{}</tr><tr><td>sent late by</td><td class=\"num\">{}</td>{}</tr>\n",
        s.name, grouped(l.corrected.count), distribution_cells(l.corrected, axis), grouped(l.uncorrected.count),
        distribution_cells(l.uncorrected, axis), grouped(l.send_lateness.count),
        distribution_cells(l.send_lateness, late_axis)));
  }
  return out.put(
      "<section id=\"latency\"><h2>Latency and pacing</h2><div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Latency\"><table>"
      "<thead><tr><th scope=\"col\">scenario</th><th scope=\"col\">measured</th><th scope=\"col\" "
      "class=\"num\">requests</th><th scope=\"col\" "
      "class=\"num\">p50</th><th scope=\"col\" class=\"num\">p90</th><th scope=\"col\" class=\"num\">p99</th><th "
      "scope=\"col\" class=\"num\">max</th>"
      "<th scope=\"col\">distribution, log scale</th></tr></thead><tbody>{}</tbody></table></div>{}<p "
      "class=\"muted\">Latency from the due time "
      "counts the waiting of requests that could not be sent when they were due.</p></section>\n",
      body.html(), body.remark("scenarios are"));
}

constexpr size_t kMaxSlowestBytes = 4096;

Html hop_section(const RunResult& result, size_t limit) {
  Axis axis;
  size_t hops = 0;
  for (const ScenarioResult& s : result.scenarios) {
    for (const HopResult& hop : s.hops) {
      include(axis, hop.wire_gap);
      include(axis, hop.proxy_gap);
      include(axis, hop.own_time);
      ++hops;
    }
  }
  Html out;
  if (hops == 0) return out;
  Limited body(limit);
  std::string slowest;
  for (const ScenarioResult& s : result.scenarios) {
    if (const std::string line = slowest_hop(s); !line.empty() && slowest.size() < kMaxSlowestBytes)
      slowest += line + ". ";
    for (size_t i = 0; i < s.hops.size(); ++i) {
      if (!body.wants()) continue;
      const HopResult& hop = s.hops[i];
      Html name;
      if (i == 0) name.put("<th scope=\"rowgroup\" rowspan=\"{}\">{}</th>", 3 * s.hops.size(), s.name);
      const std::string app = hop.app == 0 && hop.rule == "pair" ? app_cell(hop) : grouped(hop.app);
      body.add(
          Html().put("<tr>{}<td rowspan=\"3\">{} → {}</td><td class=\"num\" rowspan=\"3\">{}</td><td class=\"num\" "
                     "rowspan=\"3\">{}</td><td class=\"num\" "
                     "rowspan=\"3\">{}</td><td>wire</td>{}</tr><tr><td>proxy</td>{}</tr><tr><td>own</td>{}</tr>\n",
                     name, hop.from, hop.to, grouped(hop.client), grouped(hop.server), app,
                     distribution_cells(hop.wire_gap, axis), distribution_cells(hop.proxy_gap, axis),
                     distribution_cells(hop.own_time, axis)));
    }
  }
  return out.put(
      "<section id=\"hops\"><h2>Hops</h2><div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Hops\"><table><thead><tr>"
      "<th scope=\"col\">scenario</th><th scope=\"col\">hop</th><th scope=\"col\" class=\"num\">client</th><th "
      "scope=\"col\" class=\"num\">server</th>"
      "<th scope=\"col\" class=\"num\">app</th><th scope=\"col\">gap</th><th scope=\"col\" class=\"num\">p50</th><th "
      "scope=\"col\" class=\"num\">p90</th>"
      "<th scope=\"col\" class=\"num\">p99</th><th scope=\"col\" class=\"num\">max</th><th scope=\"col\">distribution, "
      "log scale</th></tr></thead>"
      "<tbody>{}</tbody></table></div>{}<p class=\"muted\">wire: caller's mesh span minus callee's mesh span. proxy: "
      "mesh server span minus "
      "the app's server span. own: the hop's first mesh span less the calls that the callee made meanwhile. {}</p>"
      "</section>\n",
      body.html(), body.remark("hops are"), slowest);
}

Html sum_section(const RunResult& result, size_t limit) {
  Html out;
  if (result.sums.empty()) return out;
  Limited body(limit);
  for (const SumCheck& sum : result.sums) {
    if (!body.wants()) continue;
    body.add(Html().put("<tr><td class=\"nowrap\"><span class=\"tag {}\">{}</span></td><td>{}</td></tr>\n",
                        sum.holds ? "good" : "bad", sum.holds ? "✓ ok" : "✕ BROKEN", sum.text));
  }
  return out.put(
      "<section id=\"sums\"><h2>Sums</h2><div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Sums\"><table><tbody>{}</tbody></table>"
      "</div>{}</section>\n",
      body.html(), body.remark("sums are"));
}

}  // namespace hopcheck::report
