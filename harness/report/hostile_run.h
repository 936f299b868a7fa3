// The sample run with every foreign text replaced by one made to break out of each report's form.
#pragma once

#include <string>

#include "report/sample_run.h"

namespace hopcheck::report::sample {

// HTML, attribute, CSS and script ends; ANSI and OSC escapes; XML ends and illegal characters; Markdown formatting,
// table ends, mentions and links; bidi and invalid UTF-8.
inline std::string hostile() {
  return "</script></style><img src=x onerror=alert(1)>\"'`]]>--> \x1b[31m\x1b]0;t\x07 | **b** [a](javascript:1) "
         "@root #1 ```\n# h\r\n\xe2\x80\xae\xef\xbf\xbe\xff\xc3{{x}} &amp; \x01 \xc2\x9b end";
}

inline RunResult hostile_run() {
  RunResult r = suite_run();
  const std::string h = hostile();
  for (std::string* text :
       {&r.suite, &r.suite_file, &r.provider, &r.tool_version, &r.tool_commit, &r.run_nonce, &r.run_id,
        &r.environment.istio, &r.environment.kubernetes, &r.environment.collector, &r.environment.naming,
        &r.environment.transport, &r.environment.drain.ended_by, &r.environment.capture_problem}) {
    *text = h;
  }
  r.environment.capture_complete = false;
  for (ProxyFact& p : r.environment.proxies) p = {h, h, h, h, true, true, h, h, h, 1, 2, 3, 4, 1};
  r.environment.telemetry[0].name = r.environment.telemetry[0].ns = r.environment.telemetry[0].provider = h;
  r.environment.images = r.environment.notes = {h};
  for (PhaseStep& step : r.phases) step.phase = step.step = step.outcome = h;
  for (SumCheck& sum : r.sums) sum.text = h;
  const auto spoil = [&](Finding& f) {
    f.code = f.title = f.expected = f.actual = f.hint = f.page = f.reproduce = f.scenario = h;
    f.subject = {h, h, h, h};
    f.consequences = {{h, h, 3}};
  };
  for (Finding& f : r.findings) spoil(f);
  for (ScenarioResult& s : r.scenarios) {
    s.name = s.file = s.drawn_fault = s.expected_verdict = h;
    if (!s.verdict) s.skipped = h;
    s.expected_findings = s.notes = {h};
    for (HopResult& hop : s.hops) hop.from = hop.to = h;
    for (SignatureLine& line : s.signature) {
      line.journey = line.path = h;
      line.attributes = line.unlisted = line.absent = {h};
    }
    for (Finding& f : s.findings) spoil(f);
    for (Exhibit& e : s.exhibits) {
      e.code = h;
      e.subject = "service=" + h + " hop=" + h + " header=" + h + " object=" + h;
      for (std::vector<ExhibitSpan>* spans : {&e.expected, &e.observed}) {
        for (ExhibitSpan& span : *spans) {
          span.service_name = span.name = span.kind = span.role = span.status = h;
          if (!span.defect.empty()) span.defect = h;
          span.attributes = {{h, h}};
        }
      }
    }
  }
  return r;
}

}  // namespace hopcheck::report::sample
