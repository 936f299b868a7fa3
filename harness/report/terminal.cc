#include "report/terminal.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/hops.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/utf8.h"

namespace hopcheck::report {
namespace {

using Align = Table::Align;

Tone tone_of(Standing standing) {
  switch (standing) {
    case Standing::kPass:
    case Standing::kAsExpected: return Tone::kGood;
    case Standing::kUnknown: return Tone::kUnsure;
    case Standing::kFail: return Tone::kBad;
    case Standing::kSkipped: break;
  }
  return Tone::kFaint;
}

Tone tone_of(Verdict verdict) {
  return verdict == Verdict::kPass ? Tone::kGood : verdict == Verdict::kFail ? Tone::kBad : Tone::kUnsure;
}

// Collects the text and knows the options.
class Page {
 public:
  explicit Page(const TerminalOptions& options)
      : color_(options.color), width_(static_cast<size_t>(std::max(options.width, 60))) {}
  void line(const std::string& text = "") { out_ += text + "\n"; }
  void heading(const std::string& text) { line("\n" + text); }
  std::string toned(const std::string& text, Tone tone) const { return color_ ? in_tone(text, tone) : text; }
  void table(const Table& table) { out_ += table.render({color_, width_, "  "}); }
  // "label   text", the text wrapped at blanks and indented under itself; text must be printable.
  void item(const std::string& label, const std::string& text) {
    if (text.empty()) return;
    constexpr size_t kIndent = 15;
    std::string current = fmt::format("    {:<10} ", label);
    size_t used = kIndent;
    for (const std::string_view word : split(text, ' ')) {
      if (used > kIndent && used + 1 + columns(word) > width_) {
        line(current);
        current = std::string(kIndent, ' ');
        used = kIndent;
      }
      if (used > kIndent) current += ' ';
      current += word;
      used += columns(word) + 1;
    }
    line(current);
  }
  std::string take() { return std::move(out_); }

 private:
  bool color_;
  size_t width_;
  std::string out_;
};

void header(Page& page, const RunResult& r) {
  const Environment& e = r.environment;
  page.line(fmt::format("seed {}   {}", r.seed, printable(profile_line(r))));
  std::string facts = fmt::format("{}   provider {}", printable(run_title(r)), printable(r.provider));
  if (!e.istio.empty()) facts += "   Istio " + printable(e.istio);
  if (!e.kubernetes.empty()) facts += "   Kubernetes " + printable(e.kubernetes);
  if (!e.collector.empty()) facts += "   Collector " + printable(e.collector);
  page.line(facts);
}

void verdicts(Page& page, const RunResult& r) {
  page.heading("Verdict");
  Table table({{"scenario"},
               {"verdict"},
               {"requests", Align::kRight},
               {"complete", Align::kRight},
               {"spans", Align::kRight},
               {"findings", Align::kRight},
               {"p99 latency", Align::kRight}});
  for (const ScenarioResult& s : r.scenarios) {
    const Standing standing = standing_of(s);
    if (standing == Standing::kSkipped) {
      table.add({{printable(s.name)}, {"skipped", Tone::kFaint}});
      continue;
    }
    const uint64_t complete = s.requests_by_class[static_cast<size_t>(RequestClass::kComplete)];
    table.add({{printable(s.name)},
               {printable(standing_text(s)), tone_of(standing)},
               {std::to_string(s.requests)},
               {percent(complete, s.requests)},
               {std::to_string(s.spans_stored)},
               {std::to_string(s.findings.size())},
               {s.latency.corrected.count ? format_nanos(s.latency.corrected.p99) : "–"}});
  }
  page.table(table);
  for (const ScenarioResult& s : r.scenarios) {
    if (!s.verdict) page.line(fmt::format("  {}: skipped, {}", printable(s.name), printable(s.skipped)));
  }
}

// A remark that several scenarios share is printed once.
void notes(Page& page, const RunResult& r) {
  const std::vector<SharedNote> list = shared_notes(r);
  if (!list.empty()) page.heading("Notes");
  for (const SharedNote& note : list) {
    const std::string where =
        note.scenarios.size() == 1 ? note.scenarios[0] : fmt::format("{} scenarios", note.scenarios.size());
    page.line(fmt::format("  {}: {}", printable(where), printable(note.text)));
  }
}

// A table of counts by class with the classes that occur; the first class is always shown.
template <class E, class Counts>
Table class_table(const RunResult& r, E always, Counts counts) {
  std::vector<E> classes;
  for (size_t i = 0; i < static_cast<size_t>(E::kCount); ++i) {
    const bool occurs =
        std::any_of(r.scenarios.begin(), r.scenarios.end(), [&](const ScenarioResult& s) { return counts(s)[i] > 0; });
    if (occurs || static_cast<E>(i) == always) classes.push_back(static_cast<E>(i));
  }
  std::vector<Table::Column> columns{{"scenario"}};
  for (const E c : classes) columns.push_back({to_string(c), Align::kRight});
  Table table(columns);
  for (const ScenarioResult& s : r.scenarios) {
    if (!s.verdict) continue;
    std::vector<Cell> row{{printable(s.name)}};
    for (const E c : classes) {
      const uint64_t count = counts(s)[static_cast<size_t>(c)];
      row.push_back({count ? std::to_string(count) : "·", count ? Tone::kPlain : Tone::kFaint});
    }
    table.add(row);
  }
  return table;
}

void classes(Page& page, const RunResult& r) {
  page.heading("Requests by class");
  page.table(class_table(
      r, RequestClass::kComplete, [](const ScenarioResult& s) -> const auto& { return s.requests_by_class; }));
  page.heading("Spans by class");
  page.table(class_table(
      r, SpanClass::kMatched, [](const ScenarioResult& s) -> const auto& { return s.spans_by_class; }));
}

std::string median_and_tail(const Distribution& d) {
  return d.count == 0 ? "–" : format_nanos(d.p50) + " / " + format_nanos(d.p99);
}

void hops(Page& page, const RunResult& r) {
  Table table({{"scenario"},
               {"hop"},
               {"client", Align::kRight},
               {"server", Align::kRight},
               {"app", Align::kRight},
               {"wire p50 / p99", Align::kRight},
               {"proxy p50 / p99", Align::kRight},
               {"own p50 / p99", Align::kRight}});
  std::vector<std::string> slowest;
  for (const ScenarioResult& s : r.scenarios) {
    for (size_t i = 0; i < s.hops.size(); ++i) {
      const HopResult& h = s.hops[i];
      table.add({{i == 0 ? printable(s.name) : ""},
                 {printable(h.from) + " → " + printable(h.to)},
                 {std::to_string(h.client)},
                 {std::to_string(h.server)},
                 {app_cell(h)},
                 {median_and_tail(h.wire_gap)},
                 {median_and_tail(h.proxy_gap)},
                 {median_and_tail(h.own_time)}});
    }
    if (const std::string line = slowest_hop(s); !line.empty()) slowest.push_back(line);
  }
  if (table.empty()) return;
  page.heading("Spans per hop");
  page.table(table);
  for (const std::string& line : slowest) page.line("  " + line);
}

void sums(Page& page, const RunResult& r) {
  if (r.sums.empty()) return;
  page.heading("Sums");
  for (const SumCheck& sum : r.sums) {
    const std::string mark = sum.holds ? page.toned("ok    ", Tone::kGood) : page.toned("BROKEN", Tone::kBad);
    page.line(fmt::format("  {}  {}", mark, printable(sum.text)));
  }
}

void one_finding(Page& page, const FindingRef& ref) {
  const Finding& f = *ref.finding;
  const Tone tone = tone_of(f.severity);
  page.line(fmt::format("\n  {} {}  {}", page.toned(f.severity == Verdict::kFail ? "FAIL" : "UNKNOWN", tone),
                        page.toned(printable(f.code), tone), printable(f.title)));
  page.item("where", printable(place_of(ref)) + (f.count ? ", " + counted(f.count, "time") : ""));
  page.item("subject", printable(subject_key(f.subject)));
  page.item("expected", printable(f.expected));
  page.item("actual", printable(f.actual));
  constexpr size_t kShown = 4;
  for (size_t i = 0; i < f.witnesses.size() && i < kShown; ++i) {
    page.item(i == 0 ? "witness" : "",
              fmt::format("trace {} span {}", to_hex(f.witnesses[i].trace_id), to_hex(f.witnesses[i].span_id)));
  }
  for (const Consequence& c : f.consequences) {
    page.item("hence", printable(fmt::format("{} {} ({})", c.code, c.subject, c.count)));
  }
  page.item("fix", printable(f.hint));
  page.item("page", printable(f.page));
  if (!f.reproduce.empty()) page.line("    reproduce  " + printable(f.reproduce));  // never wrapped: it is copied
}

void findings(Page& page, const FindingLists& lists) {
  if (!lists.expected.empty()) {
    page.heading("Failed as expected");
    for (const FindingRef& ref : lists.expected) {
      page.line(fmt::format("  {}: {} ({})", printable(place_of(ref)),
                            page.toned(printable(finding_key(*ref.finding)), Tone::kGood),
                            std::to_string(ref.finding->count)));
    }
  }
  if (lists.unknown.empty() && lists.failed.empty()) return;
  page.heading("Findings");
  for (const FindingRef& ref : lists.unknown) one_finding(page, ref);
  for (const FindingRef& ref : lists.failed) one_finding(page, ref);
}

// Expected findings that did not come: the other direction of a deviation.
void absences(Page& page, const RunResult& r) {
  for (const ScenarioResult& s : r.scenarios) {
    if (!s.verdict || s.as_expected) continue;
    for (const std::string& expected : s.expected_findings) {
      const bool came = std::any_of(s.findings.begin(), s.findings.end(),
                                    [&](const Finding& f) { return expected == f.code || expected == finding_key(f); });
      if (came) continue;
      page.line(fmt::format("\n  {}  {}: expected finding did not come: {}", page.toned("FAIL", Tone::kBad),
                            printable(s.name), printable(expected)));
    }
  }
}

void totals(Page& page, const RunResult& r, const FindingLists& lists, const TerminalOptions& options) {
  const Totals t = totals_of(r);
  page.heading(fmt::format("{}  {} of {} as expected{}, {}, {}, {}, {}, {}",
                           page.toned(to_string(r.verdict), tone_of(r.verdict)), t.as_expected,
                           counted(t.scenarios, "scenario"), t.skipped ? fmt::format(" ({} skipped)", t.skipped) : "",
                           counted(lists.failed.size(), "failure"), counted(lists.unknown.size(), "unknown"),
                           counted(t.requests, "request"), counted(t.spans, "span"), wall_text(t)));
  if (r.interrupted) page.line(page.toned("interrupted: these results are partial", Tone::kUnsure));
  if (r.redactions > 0) page.line(fmt::format("{} secrets were redacted before storage", r.redactions));
  if (!options.run_directory.empty()) page.line("run     " + printable(options.run_directory));
  if (!options.html_path.empty()) page.line("report  " + printable(options.html_path));
  page.line(fmt::format("exit    {}: {}", r.exit_code, exit_code_meaning(r.exit_code)));
}

}  // namespace

std::string to_terminal(const RunResult& result, const TerminalOptions& options) {
  Page page(options);
  const FindingLists lists = findings_of(result);
  header(page, result);
  verdicts(page, result);
  classes(page, result);
  hops(page, result);
  notes(page, result);
  sums(page, result);
  findings(page, lists);
  absences(page, result);
  totals(page, result, lists, options);
  return page.take();
}

std::string phase_timeline(const RunResult& result, const TerminalOptions& options) {
  Page page(options);
  const int64_t whole = totals_of(result).wall_nanos;
  if (whole == 0) return "";
  int64_t first = INT64_MAX;
  for (const PhaseStep& step : result.phases) first = std::min(first, step.start_unix_nanos);
  constexpr int64_t kBar = 24;
  Table table({{"phase"}, {"took", Align::kRight}, {"share", Align::kRight}, {""}, {"outcome"}});
  for (const PhaseStep& step : result.phases) {
    const int64_t took = std::max<int64_t>(0, step.end_unix_nanos - step.start_unix_nanos);
    const auto cell = [&](int64_t nanos) {
      const double share = static_cast<double>(nanos) / static_cast<double>(whole);
      return static_cast<int64_t>(std::clamp(share, 0.0, 1.0) * kBar);
    };
    const int64_t from = std::min(cell(step.start_unix_nanos - first), kBar - 1);
    const int64_t to = std::max(from + 1, cell(step.end_unix_nanos - first));
    std::string bar(static_cast<size_t>(from), ' ');
    for (int64_t i = from; i < to; ++i) bar += "▪";
    const bool good = step.outcome == "ok" || step.outcome == "skipped";
    table.add({{step.step.empty() ? printable(step.phase) : "  " + printable(step.step)},
               {format_nanos(took)},
               {fmt::format("{:.0f} %", 100.0 * static_cast<double>(took) / static_cast<double>(whole))},
               {bar, Tone::kFaint},
               {printable(step.outcome), good ? Tone::kPlain : Tone::kBad}});
  }
  page.line("Time");
  page.table(table);
  return page.take();
}

}  // namespace hopcheck::report
