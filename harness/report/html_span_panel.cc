#include "report/html_span_panel.h"

#include <algorithm>

#include "base/text.h"
#include "report/exhibit_view.h"
#include "report/html_waterfall.h"

namespace hopcheck::report {
namespace {

// Rows of a panel; the offending ones come first and are marked.
class Rows {
 public:
  Rows(std::vector<std::string> offending, std::string code)
      : offending_(std::move(offending)), code_(std::move(code)) {}
  void add(const std::string& key, const std::string& value) {
    if (std::find(offending_.begin(), offending_.end(), key) == offending_.end()) {
      rest_.put("<tr><th scope=\"row\">{}</th><td class=\"mono\">{}</td></tr>", key, value);
    } else {
      first_.put(
          "<tr class=\"off\"><th scope=\"row\">{} <span class=\"tag bad\">{}</span></th><td "
          "class=\"mono\">{}</td></tr>",
          key, code_, value);
    }
  }
  Html html() const { return Html().add(first_).add(rest_); }

 private:
  std::vector<std::string> offending_;
  std::string code_;
  Html first_, rest_;
};

Html panel(const Exhibit& exhibit, size_t index, size_t number) {
  const ExhibitSpan& span = exhibit.observed[index];
  Rows rows(offending_keys(span, exhibit.code, exhibit.subject), exhibit.code);
  rows.add("service.name", span.service_name);
  rows.add("name", span.name);
  rows.add("kind", span.kind);
  rows.add("role", span.role);
  rows.add("trace id", to_hex(span.trace_id));
  rows.add("span id", to_hex(span.span_id));
  rows.add("parent span id", span.parent_id.is_zero() ? "none" : to_hex(span.parent_id));
  rows.add("start", "+" + format_nanos(span.start_nanos));
  rows.add("duration", format_nanos(span.duration_nanos));
  rows.add("status", span.status);
  for (const auto& attribute : span.attributes) rows.add(attribute.first, attribute.second);
  const bool bad = !span.defect.empty() || span.state != "matched";
  Html out;
  out.put(
      "<details class=\"span\"{}><summary>{} <span class=\"mono\">{}</span>{}</summary><div "
      "id=\"x{}s{}\"><table><tbody>{}</tbody></table>"
      "</div></details>\n",
      bad ? Html().put(" open") : Html(), span.service_name, span.kind,
      bad ? Html().put(" <span class=\"tag bad\">{}</span>", span.defect.empty() ? span.state : span.defect) : Html(),
      number, index, rows.html());
  return out;
}

}  // namespace

Html span_panels(const Exhibit& exhibit, size_t number) {
  Html out;
  out.put("<div class=\"spans\">");
  for (const bool bad : {true, false}) {
    for (size_t i = 0; i < exhibit.observed.size() && i < kMaxDrawnSpans; ++i) {
      const ExhibitSpan& span = exhibit.observed[i];
      if (bad == (!span.defect.empty() || span.state != "matched")) out.add(panel(exhibit, i, number));
    }
  }
  return out.put("</div>\n");
}

}  // namespace hopcheck::report
