// The keys of run.json, each type described once for both directions (A is JsonWriter or JsonReader).
// A new member of the model needs its line here; json_test.cc fills every member and compares.
#pragma once

#include <string>

#include "model/run_result.h"

namespace hopcheck::report {

// Counts by class become an object named by class: {"complete": 50, …}.
template <class E, class A>
void count_fields(A& a, const char* name, typename A::template Ref<CountBy<E>> counts) {
  a.object(name, [&](A& inner) {
    for (size_t i = 0; i < counts.size(); ++i) inner.field(to_string(static_cast<E>(i)), counts[i]);
  });
}

template <class A>
void fields(A& a, typename A::template Ref<ProxyFact> f) {
  a.field("workload", f.workload);
  a.field("namespace", f.ns);
  a.field("pod", f.pod);
  a.field("service", f.service);
  a.field("injected", f.injected);
  a.field("expectedMeshed", f.expected_meshed);
  a.field("envoyVersion", f.envoy_version);
  a.field("profile", f.profile);
  a.field("proofLevel", f.proof);
  a.field("sentBefore", f.sent_before);
  a.field("sentAfter", f.sent_after);
  a.field("droppedBefore", f.dropped_before);
  a.field("droppedAfter", f.dropped_after);
  a.field("tlsHandshakes", f.tls_handshakes);
  a.field("restarts", f.restarts);
}

template <class A>
void fields(A& a, typename A::template Ref<TelemetryFact> f) {
  a.field("namespace", f.ns);
  a.field("name", f.name);
  a.field("provider", f.provider);
  a.field("percentage", f.percentage);
  a.field("fromN", f.from_n);
}

template <class A>
void fields(A& a, typename A::template Ref<CollectorFact> f) {
  a.field("receivedBefore", f.received_before);
  a.field("receivedAfter", f.received_after);
  a.field("exportedBefore", f.exported_before);
  a.field("exportedAfter", f.exported_after);
  a.field("failedBefore", f.failed_before);
  a.field("failedAfter", f.failed_after);
  a.field("queueSize", f.queue_size);
  a.field("restarts", f.restarts);
}

template <class A>
void fields(A& a, typename A::template Ref<ControlFact> f) {
  a.field("beforeSent", f.before_sent);
  a.field("beforeArrived", f.before_arrived);
  a.field("afterSent", f.after_sent);
  a.field("afterArrived", f.after_arrived);
}

template <class A>
void fields(A& a, typename A::template Ref<DrainFact> f) {
  a.field("endedBy", f.ended_by);
  a.field("waitedNanos", f.waited_nanos);
}

template <class A>
void fields(A& a, typename A::template Ref<Environment> e) {
  a.field("provider", e.provider);
  a.field("kubernetes", e.kubernetes);
  a.field("istio", e.istio);
  a.field("collector", e.collector);
  a.field("transport", e.transport);
  a.field("naming", e.naming);
  a.field("gatewaySpawn", e.gateway_spawn);
  a.field("proxies", e.proxies);
  a.field("telemetry", e.telemetry);
  a.field("extensionProviders", e.extension_providers);
  a.field("collectorCounters", e.collector_fact);
  a.field("control", e.control);
  a.field("drain", e.drain);
  a.field("sinkRestarts", e.sink_restarts);
  a.field("crashes", e.crashes);
  a.field("captureComplete", e.capture_complete);
  a.field("captureProblem", e.capture_problem);
  a.field("images", e.images);
  a.field("notes", e.notes);
}

template <class A>
void fields(A& a, typename A::template Ref<Subject> s) {
  a.field("service", s.service);
  a.field("hop", s.hop);
  a.field("header", s.header);
  a.field("object", s.object);
}

template <class A>
void fields(A& a, typename A::template Ref<Witness> w) {
  a.field("traceId", w.trace_id);
  a.field("spanId", w.span_id);
}

template <class A>
void fields(A& a, typename A::template Ref<Consequence> c) {
  a.field("code", c.code);
  a.field("subject", c.subject);
  a.field("count", c.count);
}

template <class A>
void fields(A& a, typename A::template Ref<Finding> f) {
  a.field("code", f.code);
  a.field("severity", f.severity);
  a.field("title", f.title);
  a.field("subject", f.subject);
  a.field("expected", f.expected);
  a.field("actual", f.actual);
  a.field("count", f.count);
  a.field("witness", f.witnesses);
  a.field("consequences", f.consequences);
  a.field("hint", f.hint);
  a.field("page", f.page);
  a.field("reproduce", f.reproduce);
  a.field("scenario", f.scenario);
}

template <class A>
void fields(A& a, typename A::template Ref<Distribution> d) {
  a.field("count", d.count);
  a.field("p50", d.p50);
  a.field("p90", d.p90);
  a.field("p99", d.p99);
  a.field("max", d.max);
  a.field("buckets", d.buckets);
}
template <class A>
void fields(A& a, typename A::template Ref<Distribution::Bucket> b) {
  a.field("upper", b.upper);
  a.field("count", b.count);
}

template <class A>
void fields(A& a, typename A::template Ref<HopResult> h) {
  a.field("from", h.from);
  a.field("to", h.to);
  a.field("client", h.client);
  a.field("server", h.server);
  a.field("app", h.app);
  a.field("wireGap", h.wire_gap);
  a.field("proxyGap", h.proxy_gap);
  a.field("ownTime", h.own_time);
  a.field("rule", h.rule);
}

template <class A>
void fields(A& a, typename A::template Ref<BodyCounts> b) {
  a.field("received", b.received);
  a.field("accepted", b.accepted);
  a.field("refused", b.refused);
  a.field("aborted", b.aborted);
}

template <class A>
void fields(A& a, typename A::template Ref<LatencyResult> l) {
  a.field("corrected", l.corrected);
  a.field("uncorrected", l.uncorrected);
  a.field("sendLateness", l.send_lateness);
}

template <class A>
void fields(A& a, typename A::template Ref<ExhibitSpan> s) {
  a.field("parent", s.parent);
  a.field("serviceName", s.service_name);
  a.field("name", s.name);
  a.field("kind", s.kind);
  a.field("role", s.role);
  a.field("state", s.state);
  a.field("defect", s.defect);
  a.field("traceId", s.trace_id);
  a.field("spanId", s.span_id);
  a.field("parentSpanId", s.parent_id);
  a.field("startNanos", s.start_nanos);
  a.field("durationNanos", s.duration_nanos);
  a.field("status", s.status);
  a.field("attributes", s.attributes);
}

template <class A>
void fields(A& a, typename A::template Ref<Exhibit> e) {
  a.object("finding", [&](A& inner) {
    inner.field("code", e.code);
    inner.field("subject", e.subject);
  });
  a.field("n", e.n);
  a.field("expected", e.expected);
  a.field("observed", e.observed);
}

template <class A>
void fields(A& a, typename A::template Ref<SignatureLine> s) {
  a.field("journey", s.journey);
  a.field("path", s.path);
  a.field("count", s.count);
  a.field("traces", s.traces);
  a.field("expected", s.expected);
  a.field("attributes", s.attributes);
  a.field("unlisted", s.unlisted);
  a.field("absent", s.absent);
}

template <class A>
void fields(A& a, typename A::template Ref<PhaseStep> p) {
  a.field("phase", p.phase);
  a.field("step", p.step);
  a.unix_nanos("startUnixNano", p.start_unix_nanos);
  a.unix_nanos("endUnixNano", p.end_unix_nanos);
  a.field("outcome", p.outcome);
}

template <class A>
void fields(A& a, typename A::template Ref<SumCheck> s) {
  a.field("text", s.text);
  a.field("holds", s.holds);
}

template <class A>
void outcome_fields(A& a, typename A::template Ref<std::array<uint64_t, 4>> outcomes) {
  a.object("outcomes", [&](A& inner) {
    inner.field("ok", outcomes[1]);
    inner.field("failed", outcomes[2]);
    inner.field("indeterminate", outcomes[3]);
    inner.field("unsent", outcomes[0]);
  });
}

template <class A>
void fields(A& a, typename A::template Ref<ScenarioResult> s) {
  a.field("name", s.name);
  a.field("file", s.file);
  a.field("verdict", s.verdict);
  a.maybe_text("skipped", s.skipped);
  a.object("expected", [&](A& inner) {
    inner.field("verdict", s.expected_verdict);
    inner.field("findings", s.expected_findings);
  });
  a.field("asExpected", s.as_expected);
  a.field("requests", s.requests);
  outcome_fields(a, s.outcomes);
  count_fields<RequestClass>(a, "requestsByClass", s.requests_by_class);
  count_fields<SpanClass>(a, "spansByClass", s.spans_by_class);
  a.field("spansStored", s.spans_stored);
  a.field("bodies", s.bodies);
  a.field("rejectedSpans", s.rejected_spans);
  a.field("hops", s.hops);
  a.field("latency", s.latency);
  a.field("signature", s.signature);
  a.field("findings", s.findings);
  a.field("exhibits", s.exhibits);
  a.field("rows", s.rows);
  a.field("notes", s.notes);
  a.field("drawnFault", s.drawn_fault);
}

template <class A>
void fields(A& a, typename A::template Ref<RunResult> r) {
  a.field("verdict", r.verdict);
  a.field("suiteAsExpected", r.suite_as_expected);
  a.field("exitCode", r.exit_code);
  a.field("seed", r.seed);
  a.field("runNonce", r.run_nonce);
  a.field("runKey", r.run_key);
  a.field("runId", r.run_id);
  a.field("suite", r.suite);
  a.field("suiteFile", r.suite_file);
  a.field("provider", r.provider);
  a.object("tool", [&](A& inner) {
    inner.field("version", r.tool_version);
    inner.field("commit", r.tool_commit);
  });
  a.field("interrupted", r.interrupted);
  a.field("redactions", r.redactions);
  a.field("environment", r.environment);
  a.field("phases", r.phases);
  count_fields<SpanClass>(a, "spansByClass", r.spans_by_class);
  a.field("spansStored", r.spans_stored);
  a.field("bodies", r.bodies);
  a.field("rejectedSpans", r.rejected_spans);
  a.field("sums", r.sums);
  a.field("findings", r.findings);
  a.field("scenarios", r.scenarios);
}

}  // namespace hopcheck::report
