// Where the verdict was reached: phases, versions and configuration as applied, and how to do it again.
#include <algorithm>

#include "base/text.h"
#include "report/html_charts.h"
#include "report/html_sections.h"

namespace hopcheck::report {
namespace {

std::string or_dash(const std::optional<uint64_t>& value) { return value ? grouped(*value) : "not exposed"; }

std::string delta(const std::optional<uint64_t>& before, const std::optional<uint64_t>& after) {
  if (!before || !after) return "not exposed";
  return *after >= *before ? grouped(*after - *before) : "reset";
}

// A two-column table of facts; empty values are left out.
class Facts {
 public:
  void add(const char* name, const std::string& value) {
    if (!value.empty()) rows_.put("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", name, value);
  }
  Html card(const char* title) const {
    Html out;
    return out.put("<div class=\"card\"><h3>{}</h3><table><tbody>{}</tbody></table></div>\n", title, rows_);
  }

 private:
  Html rows_;
};

std::string control_text(bool sent, bool arrived) {
  return !sent ? "not sent" : arrived ? "arrived" : "sent, did not arrive";
}

Html versions(const RunResult& r) {
  const Environment& e = r.environment;
  Facts facts;
  facts.add("hopcheck", r.tool_version + (r.tool_commit.empty() ? "" : " (" + r.tool_commit + ")"));
  facts.add("provider", e.provider.empty() ? r.provider : e.provider);
  facts.add("Kubernetes", e.kubernetes);
  facts.add("Istio", e.istio);
  facts.add("Collector", e.collector);
  facts.add("profile", profile_line(r));
  facts.add("export", e.transport);
  facts.add("naming", e.naming);
  facts.add("gateway spawns spans", e.gateway_spawn ? "yes" : "no");
  facts.add("run", r.run_id);
  facts.add("run nonce", r.run_nonce);
  facts.add("secrets redacted", grouped(r.redactions));
  return facts.card("Versions and configuration");
}

Html pipeline(const Environment& e) {
  const CollectorFact& c = e.collector_fact;
  Facts facts;
  facts.add("control before the drive", control_text(e.control.before_sent, e.control.before_arrived));
  facts.add("control after the drive", control_text(e.control.after_sent, e.control.after_arrived));
  facts.add("drain ended by", e.drain.ended_by.empty() ? "not drained" : e.drain.ended_by);
  facts.add("drain took", format_nanos(e.drain.waited_nanos));
  facts.add("Collector received", delta(c.received_before, c.received_after));
  facts.add("Collector exported", delta(c.exported_before, c.exported_after));
  facts.add("Collector failed", delta(c.failed_before, c.failed_after));
  facts.add("Collector queue at the end", or_dash(c.queue_size));
  facts.add("restarts", fmt::format("Collector {}, backend {}", c.restarts, e.sink_restarts));
  facts.add("capture", e.capture_complete ? "complete" : "incomplete: " + e.capture_problem);
  return facts.card("Pipeline");
}

Html proxies(const Environment& e, size_t limit) {
  Limited body(limit);
  for (const ProxyFact& p : e.proxies) {
    if (!body.wants()) continue;
    body.add(
        Html().put("<tr><th scope=\"row\">{}</th><td>{}</td><td "
                   "class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"num\">{}</td>"
                   "<td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
                   p.service, p.ns, p.pod,
                   p.injected          ? "yes"
                   : p.expected_meshed ? "no, expected"
                                       : "no",
                   p.envoy_version, p.profile, p.proof, delta(p.sent_before, p.sent_after),
                   delta(p.dropped_before, p.dropped_after), or_dash(p.tls_handshakes), p.restarts));
  }
  Html out;
  if (e.proxies.empty()) return out;
  return out.put(
      "<div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Proxies\"><h3>Proxies</h3><table><thead><tr><th scope=\"col\">service</th>"
      "<th scope=\"col\">namespace</th><th scope=\"col\">pod</th><th scope=\"col\">sidecar</th><th "
      "scope=\"col\">Envoy</th><th scope=\"col\">profile</th>"
      "<th scope=\"col\">proof</th><th scope=\"col\" class=\"num\">spans sent</th><th scope=\"col\" "
      "class=\"num\">dropped</th><th scope=\"col\" class=\"num\">TLS handshakes (not from spans)</th><th scope=\"col\" "
      "class=\"num\">restarts</th></tr></thead><tbody>{}</tbody></table>{}</div>\n",
      body.html(), body.remark("proxies are"));
}

Html telemetry(const Environment& e, size_t limit) {
  Limited body(limit);
  for (const TelemetryFact& t : e.telemetry) {
    if (!body.wants()) continue;
    body.add(Html().put("<tr><th scope=\"row\">{}/{}</th><td>{}</td><td class=\"num\">{}</td></tr>\n", t.ns, t.name,
                        t.provider, t.percentage ? fmt::format("{} %", *t.percentage) : "absent: 1 %"));
  }
  Html out;
  if (e.telemetry.empty()) return out;
  return out.put(
      "<div class=\"card\"><h3>Telemetry resources</h3><table><thead><tr><th scope=\"col\">object</th><th "
      "scope=\"col\">provider</th><th scope=\"col\" "
      "class=\"num\">sampling</th></tr></thead><tbody>{}</tbody></table>{}</div>\n",
      body.html(), body.remark("Telemetry resources are"));
}

Html list(const char* title, const std::vector<std::string>& items, size_t limit) {
  Limited body(limit);
  for (const std::string& item : items) {
    if (body.wants()) body.add(Html().put("<tr><td>{}</td></tr>\n", item));
  }
  Html out;
  if (items.empty()) return out;
  return out.put("<div class=\"card\"><h3>{}</h3><table><tbody>{}</tbody></table>{}</div>\n", title, body.html(),
                 body.remark("entries are"));
}

}  // namespace

Html environment_section(const RunResult& result, size_t limit) {
  const Environment& e = result.environment;
  Html out;
  return out.put(
      "<section id=\"environment\"><h2>Environment</h2><div class=\"columns\">{}{}</div><p></p>{}<p></p><div "
      "class=\"columns\">{}{}{}</div></section>\n",
      versions(result), pipeline(e), proxies(e, limit / 4), telemetry(e, limit / 4),
      list("Deviations and remarks", e.notes, limit / 4), list("Images", e.images, limit / 4));
}

Html phase_section(const RunResult& result, size_t limit) {
  const int64_t whole = totals_of(result).wall_nanos;
  Html out;
  if (whole <= 0) return out;
  int64_t first = INT64_MAX;
  for (const PhaseStep& step : result.phases) first = std::min(first, step.start_unix_nanos);
  Limited body(limit);
  for (const PhaseStep& step : result.phases) {
    if (!body.wants()) continue;
    const double from = static_cast<double>(step.start_unix_nanos - first) / static_cast<double>(whole);
    const double to = static_cast<double>(step.end_unix_nanos - first) / static_cast<double>(whole);
    const bool good = step.outcome == "ok" || step.outcome == "skipped";
    const bool is_phase = step.step.empty();
    Html name;
    if (is_phase) {
      name.put("<th scope=\"row\">{}</th>", step.phase);
    } else {
      name.put("<td>{} <span class=\"muted\">{}</span></td>", step.step, step.phase);
    }
    body.add(Html().put(
        "<tr>{}<td class=\"num\">{}</td><td class=\"num\">{:.0f} %</td><td>{}</td><td class=\"{}\">{}</td></tr>\n",
        name, format_nanos(step.end_unix_nanos - step.start_unix_nanos), 100 * std::clamp(to - from, 0.0, 1.0),
        timeline_bar({from, to}, good ? (is_phase ? "phase" : "step") : "bad"), good ? "muted" : "bad", step.outcome));
  }
  return out.put(
      "<section id=\"time\"><h2>Time</h2><div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Time\"><table><thead><tr><th scope=\"col\">"
      "phase or step</th><th scope=\"col\" class=\"num\">took</th><th scope=\"col\" class=\"num\">share</th><th "
      "scope=\"col\">within {}</th>"
      "<th scope=\"col\">outcome</th></tr></thead><tbody>{}</tbody></table></div>{}</section>\n",
      format_nanos(whole), body.html(), body.remark("steps are"));
}

Html reproduce_section(const RunResult& result) {
  Html out;
  return out.put(
      "<section id=\"reproduce\"><h2>Reproduce</h2><p>The whole run again, with the same "
      "seed:</p><pre><code>{}</code></pre><p>The same "
      "judgement from the stored evidence, without a mesh (in the directory of this run):</p><pre><code>hopcheck check "
      ".</code></pre>"
      "</section>\n",
      reproduce_command(result));
}

}  // namespace hopcheck::report
