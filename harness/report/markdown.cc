#include "report/markdown.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "report/hops.h"
#include "report/summary.h"

namespace hopcheck::report {
namespace {

// A code span: inside it nothing formats, links or mentions. The fence is longer than any run of backticks in the text.
std::string code(std::string_view text) {
  const std::string visible = printable(text);
  if (visible.empty()) return "";
  size_t longest = 0, run = 0;
  for (const char c : visible) longest = std::max(longest, run = c == '`' ? run + 1 : 0);
  const std::string fence(longest + 1, '`');
  const bool pad = visible.front() == '`' || visible.back() == '`' || visible.front() == ' ';
  return pad ? fence + " " + visible + " " + fence : fence + visible + fence;
}

// Words of ours that may hold a foreign one: every character that formats is escaped, "@" and "://" are parted by
// an empty comment, since mentions and links are made after Markdown's escapes are undone.
std::string prose(std::string_view text) {
  std::string out;
  const std::string visible = printable(text);
  for (size_t i = 0; i < visible.size(); ++i) {
    const char c = visible[i];
    switch (c) {
      case ':': out += visible.substr(i, 3) == "://" ? ":<!-- -->" : ":"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '@':
      case '#': (out += c) += "<!-- -->"; break;
      default:
        if (std::string_view("\\`*_{}[]()|~!$^").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
  }
  return out;
}

// A code span inside a table, where a pipe would end the cell even in a code span.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : code(text)) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

const char* mark(Standing standing) {
  switch (standing) {
    case Standing::kPass:
    case Standing::kAsExpected: return "✅";
    case Standing::kUnknown: return "❔";
    case Standing::kFail: return "❌";
    case Standing::kSkipped: break;
  }
  return "⏭️";
}

// Adds whole blocks while they fit, counts the others. The reserve keeps room for saying so.
class Page {
 public:
  bool add(const std::string& block) {
    constexpr size_t kReserve = 512;
    if (out_.size() + block.size() + kReserve > kMaxMarkdownBytes) {
      ++left_out_;
      return false;
    }
    out_ += block;
    return true;
  }
  std::string take() {
    if (left_out_ > 0) {
      out_ += fmt::format("\n\n*{} left out: this page is limited to 900 KiB; run.json has everything.*\n",
                          counted(left_out_, "block"));
    }
    return std::move(out_);
  }

 private:
  std::string out_;
  size_t left_out_ = 0;
};

void header(Page& page, const RunResult& r, const FindingLists& lists) {
  const Totals t = totals_of(r);
  const char* sign = r.verdict == Verdict::kPass ? "✅" : r.verdict == Verdict::kFail ? "❌" : "❔";
  page.add(fmt::format("# {} {}: {}\n\n", sign, to_string(r.verdict), code(run_title(r))));
  page.add(fmt::format("{} of {} as expected, {}, {}, {}, {}, {}.\n\n", t.as_expected, counted(t.scenarios, "scenario"),
                       counted(lists.failed.size(), "failure"), counted(lists.unknown.size(), "unknown"),
                       counted(t.requests, "request"), counted(t.spans, "span"), wall_text(t)));
  const Environment& e = r.environment;
  page.add(fmt::format("Seed {}, provider {}, {}", r.seed, code(r.provider), code(profile_line(r))));
  if (!e.istio.empty()) page.add(", Istio " + code(e.istio));
  if (!e.kubernetes.empty()) page.add(", Kubernetes " + code(e.kubernetes));
  if (!e.collector.empty()) page.add(", Collector " + code(e.collector));
  page.add(fmt::format(". Exit code {}: {}.\n", r.exit_code, exit_code_meaning(r.exit_code)));
  if (r.interrupted) page.add("\n**Interrupted: these results are partial.**\n");
}

template <class E, class Counts>
std::string classes_text(const Counts& counts) {
  std::string out;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", to_string(static_cast<E>(i)), counts[i]);
  }
  return out.empty() ? "none" : out;
}

void verdicts(Page& page, const RunResult& r) {
  page.add("\n## Scenarios\n\n| scenario | verdict | requests | by class | spans by class |\n|---|---|---:|---|---|\n");
  for (const ScenarioResult& s : r.scenarios) {
    const Standing standing = standing_of(s);
    if (standing == Standing::kSkipped) {
      page.add(fmt::format("| {} | {} skipped |  | {} |  |\n", cell(s.name), mark(standing), prose(s.skipped)));
      continue;
    }
    page.add(fmt::format("| {} | {} {} | {} | {} | {} |\n", cell(s.name), mark(standing), prose(standing_text(s)),
                         s.requests, classes_text<RequestClass>(s.requests_by_class),
                         classes_text<SpanClass>(s.spans_by_class)));
  }
}

void notes(Page& page, const RunResult& r) {
  const std::vector<SharedNote> list = shared_notes(r);
  if (!list.empty()) page.add("\n## Notes\n\n");
  for (const SharedNote& note : list) {
    const std::string where =
        note.scenarios.size() == 1 ? code(note.scenarios[0]) : fmt::format("{} scenarios", note.scenarios.size());
    page.add(fmt::format("- {}: {}\n", where, prose(note.text)));
  }
}

std::string finding_block(const FindingRef& ref) {
  const Finding& f = *ref.finding;
  std::string out = fmt::format("\n### {} {}\n\n{}\n\n", f.severity == Verdict::kFail ? "❌" : "❔", code(finding_key(f)),
                                prose(f.title));
  const auto add = [&](const char* label, const std::string& text) {
    if (!text.empty()) out += fmt::format("- {}: {}\n", label, code(text));
  };
  add("where", place_of(ref));
  out += fmt::format("- count: {}\n", f.count);
  add("expected", f.expected);
  add("actual", f.actual);
  constexpr size_t kShown = 4;
  for (size_t i = 0; i < f.witnesses.size() && i < kShown; ++i) {
    add("witness", fmt::format("trace {} span {}", to_hex(f.witnesses[i].trace_id), to_hex(f.witnesses[i].span_id)));
  }
  for (const Consequence& c : f.consequences) add("hence", fmt::format("{} {} ({})", c.code, c.subject, c.count));
  if (!f.hint.empty()) out += fmt::format("- fix: {}\n", prose(f.hint));
  add("page", f.page);
  add("reproduce", f.reproduce);
  return out;
}

void findings(Page& page, const FindingLists& lists) {
  if (!lists.failed.empty() || !lists.unknown.empty()) page.add("\n## Findings\n");
  for (const FindingRef& ref : lists.failed) page.add(finding_block(ref));
  for (const FindingRef& ref : lists.unknown) page.add(finding_block(ref));
  if (lists.expected.empty()) return;
  std::string folded = "\n<details><summary>Failed as expected</summary>\n\n";
  for (const FindingRef& ref : lists.expected) {
    constexpr size_t kFold = 64u << 10;
    if (folded.size() > kFold) break;
    folded += fmt::format("- {}: {} ({})\n", code(place_of(ref)), code(finding_key(*ref.finding)), ref.finding->count);
  }
  page.add(folded + "\n</details>\n");
}

void hops(Page& page, const RunResult& r) {
  const auto times = [](const Distribution& d) {
    return d.count ? format_nanos(d.p50) + " / " + format_nanos(d.p99) : std::string("–");
  };
  bool first = true;
  for (const ScenarioResult& s : r.scenarios) {
    for (const HopResult& h : s.hops) {
      if (first) {
        page.add(
            "\n## Spans per hop\n\n| scenario | hop | client | server | app | wire p50 / p99 | proxy p50 / p99 | own "
            "p50 / p99 |\n"
            "|---|---|---:|---:|---:|---:|---:|---:|\n");
      }
      first = false;
      page.add(fmt::format("| {} | {} → {} | {} | {} | {} | {} | {} | {} |\n", cell(s.name), cell(h.from), cell(h.to),
                           h.client, h.server, app_cell(h), times(h.wire_gap), times(h.proxy_gap), times(h.own_time)));
    }
  }
  std::string slowest;
  for (const ScenarioResult& s : r.scenarios) {
    if (const std::string line = slowest_hop(s); !line.empty()) slowest += fmt::format("- {}\n", cell(line));
  }
  if (!slowest.empty()) page.add("\n" + slowest);
}

void sums(Page& page, const RunResult& r) {
  if (!r.sums.empty()) page.add("\n## Sums\n\n");
  for (const SumCheck& sum : r.sums)
    page.add(fmt::format("- {} {}\n", sum.holds ? "✅ ok" : "❌ BROKEN", code(sum.text)));
}

}  // namespace

// Findings come before the tables of hops and sums: what is cut at the limit is what matters least.
std::string to_markdown(const RunResult& result) {
  Page page;
  const FindingLists lists = findings_of(result);
  header(page, result, lists);
  verdicts(page, result);
  findings(page, lists);
  hops(page, result);
  notes(page, result);
  sums(page, result);
  page.add(fmt::format("\nReproduce: {}\n", code(reproduce_command(result))));
  return page.take();
}

}  // namespace hopcheck::report
