#include "report/html.h"

#include "base/text.h"
#include "report/html_sections.h"
#include "report/html_style.h"
#include "report/html_text.h"

namespace hopcheck::report {
namespace {

constexpr size_t kTableBytes = 320u << 10;                       // each section of tables
constexpr size_t kFindingBytes = kMaxHtmlBytes - (2700u << 10);  // findings and waterfalls

Html number(const char* label, const std::string& value, const std::string& aside) {
  Html out;
  return out.put("<div><dt>{}</dt><dd>{}{}</dd></div>", label, value,
                 aside.empty() ? Html() : Html().put(" <small>{}</small>", aside));
}

Html numbers(const RunResult& r, const Totals& t) {
  size_t open = 0, unknown = 0;
  const FindingLists lists = findings_of(r);
  open = lists.failed.size();
  unknown = lists.unknown.size();
  Html out;
  out.put("<dl class=\"numbers\">");
  out.add(number("scenarios as expected", fmt::format("{} of {}", t.as_expected, t.scenarios),
                 t.skipped ? fmt::format("{} skipped", t.skipped) : ""));
  out.add(number("complete traces, canaries apart", percent(t.complete, t.due), "of " + grouped(t.due)));
  out.add(number("spans stored", grouped(t.spans),
                 t.requests
                     ? fmt::format("{:.1f} per request", static_cast<double>(t.spans) / static_cast<double>(t.requests))
                     : ""));
  out.add(number("findings not expected", std::to_string(open + unknown),
                 unknown ? fmt::format("{} unknown", unknown) : ""));
  out.add(number("time", t.wall_nanos > 0 ? format_nanos(t.wall_nanos) : "–", ""));
  return out.put("</dl>\n");
}

std::string summary_sentence(const RunResult& r, const Totals& t) {
  if (r.interrupted) return "Interrupted: these results are partial.";
  if (r.verdict == Verdict::kPass)
    return r.suite.empty() ? "Every request left the trace it should." : "Everything is as the suite expects.";
  if (r.verdict == Verdict::kUnknown) return "Not everything could be judged; silence is not success.";
  if (t.scenarios == 1) return "The mesh did not leave the traces it should.";
  return fmt::format("{} of {} scenarios are not as expected.", t.scenarios - t.as_expected - t.skipped, t.scenarios);
}

Html header(const RunResult& r) {
  const Totals t = totals_of(r);
  const char* tone = tone_class(r.verdict);
  const char* sign = r.verdict == Verdict::kPass ? "✓" : r.verdict == Verdict::kFail ? "✕" : "?";
  Html out;
  out.put(
      "<header class=\"head\"><div class=\"verdict\"><span class=\"sign {0}\" "
      "aria-hidden=\"true\">{1}</span><div><h1><span class=\"{0}\">{2}</span> {3}</h1>"
      "<p>{4} Exit code {5}: {6}.</p></div></div>\n",
      tone, sign, to_string(r.verdict), run_title(r), summary_sentence(r, t), r.exit_code,
      exit_code_meaning(r.exit_code));
  out.add(numbers(r, t))
      .put("<ul class=\"facts\"><li>seed <b>{}</b></li><li>{}</li><li>provider <b>{}</b></li>", r.seed, profile_line(r),
           r.provider);
  const Environment& e = r.environment;
  if (!e.istio.empty()) out.put("<li>Istio <b>{}</b></li>", e.istio);
  if (!e.kubernetes.empty()) out.put("<li>Kubernetes <b>{}</b></li>", e.kubernetes);
  if (!e.collector.empty()) out.put("<li>Collector <b>{}</b></li>", e.collector);
  return out.put("</ul></header>\n");
}

struct Section {
  const char* id;
  const char* title;
  Html body;
};

}  // namespace

std::string to_html(const RunResult& result) {
  const Section sections[] = {
      {"scenarios", "Scenarios", matrix_section(result, kTableBytes)},
      {"findings", "Findings", finding_section(result, kFindingBytes)},
      {"classes", "Classes", class_section(result, kTableBytes)},
      {"hops", "Hops", hop_section(result, kTableBytes)},
      {"latency", "Latency", latency_section(result, kTableBytes)},
      {"sums", "Sums", sum_section(result, kTableBytes)},
      {"time", "Time", phase_section(result, kTableBytes)},
      {"environment", "Environment", environment_section(result, kTableBytes)},
      {"reproduce", "Reproduce", reproduce_section(result)},
  };
  Html links, bodies;
  for (const Section& section : sections) {
    if (section.body.size() == 0) continue;
    links.put("<li><a href=\"#{}\">{}</a></li>", section.id, section.title);
    bodies.add(section.body);
  }
  Html head, page;
  head.put(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" "
      "content=\"");
  std::string out = head.take() + content_policy();  // our own constant, quotes and all
  head.put(
      "\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" "
      "content=\"no-referrer\"><title>{}: {} · "
      "hopcheck</title>\n<style>",
      to_string(result.verdict), run_title(result));
  out += head.take() + std::string(html_style());
  page.put(
      "</style></head>\n<body><a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n{}<nav "
      "aria-label=\"Sections\"><ul>{}</ul></nav>\n<main>\n{}"
      "<footer>hopcheck {} · run {} · this page holds everything it shows and loads "
      "nothing.</footer></main></body></html>\n",
      header(result), links, bodies, result.tool_version, result.run_id);
  return out + page.take();
}

}  // namespace hopcheck::report
