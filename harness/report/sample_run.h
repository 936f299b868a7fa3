// A made-up but complete run for this folder's tests and golden files: the checkout demo behind the gateway (12 spans:
// 7 of Envoy, 5 of the apps), a suite with a canary, an unexpected failure, an unknown and a skipped scenario.
// Ids, addresses and times are invented; nothing here was measured.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "model/run_result.h"

namespace hopcheck::report::sample {

inline constexpr int64_t kStart = 1'767'225'600'000'000'000;  // 2026-01-01T00:00:00Z
inline constexpr int64_t kMicro = 1000;
inline constexpr int64_t kMilli = 1'000'000;

inline TraceId trace_id(uint8_t seed) {
  TraceId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<uint8_t>(seed * 31 + i * 47 + 11);
  return id;
}
inline SpanId span_id(uint8_t seed) {
  SpanId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<uint8_t>(seed * 29 + i * 53 + 7);
  return id;
}

// A bell over the logarithm of the value, between low and 12 × low.
inline Distribution distribution(uint64_t count, int64_t low) {
  Distribution d;
  d.count = count;
  uint64_t left = count;
  for (int i = 0; i < 24 && left > 0; ++i) {
    const double share = std::exp(-(i - 7) * (i - 7) / 18.0) / 7.5;
    const auto hits =
        std::min<uint64_t>(left, static_cast<uint64_t>(share * static_cast<double>(count)) + (i % 5 == 0));
    left -= hits;
    if (hits > 0) d.buckets.push_back({low * (100 + 12 * i + i * i) / 100, hits});
  }
  if (left > 0) d.buckets.push_back({low * 12, left});
  d.p50 = low * 19 / 10;
  d.p90 = low * 31 / 10;
  d.p99 = low * 52 / 10;
  d.max = low * 118 / 10;
  return d;
}

struct Bar {
  int parent;
  const char *service, *name, *kind, *role;
  int64_t start_micros, duration_micros;
};

// Facts section 7: G1 G2 F1 fa fc F2 C1 ca cc C2 P1 pa.
inline const std::vector<Bar>& checkout_bars() {
  static const std::vector<Bar> kBars = {
      {-1, "istio-ingressgateway.istio-system", "frontend.shop.svc.cluster.local:80/*", "SERVER", "gatewayServer", 0,
       18420},
      {0, "istio-ingressgateway.istio-system", "router outbound|80||frontend.shop.svc.cluster.local; egress", "CLIENT",
       "gatewayClient", 210, 18080},
      {1, "frontend.shop", "frontend.shop.svc.cluster.local:80/*", "SERVER", "inbound", 640, 17190},
      {2, "frontend", "POST /checkout", "SERVER", "app", 980, 16500},
      {3, "frontend", "POST", "CLIENT", "app", 1900, 14700},
      {4, "frontend.shop", "checkout.shop.svc.cluster.local:8080/*", "CLIENT", "outbound", 2150, 14230},
      {5, "checkout.shop", "checkout.shop.svc.cluster.local:8080/*", "SERVER", "inbound", 2710, 13120},
      {6, "checkout", "POST /checkout", "SERVER", "app", 3020, 12480},
      {7, "checkout", "POST", "CLIENT", "app", 6240, 8310},
      {8, "checkout.shop", "payments.shop.svc.cluster.local:8080/*", "CLIENT", "outbound", 6510, 7820},
      {9, "payments.shop", "payments.shop.svc.cluster.local:8080/*", "SERVER", "inbound", 6990, 6870},
      {10, "payments", "POST /charge", "SERVER", "app", 7280, 6310},
  };
  return kBars;
}

inline std::vector<ExhibitSpan> expected_tree(const std::vector<Bar>& bars) {
  std::vector<ExhibitSpan> spans;
  for (const Bar& bar : bars) {
    ExhibitSpan span;
    span.parent = bar.parent;
    span.service_name = bar.service;
    span.name = bar.name;
    span.kind = bar.kind;
    span.role = bar.role;
    span.state = "matched";
    spans.push_back(span);
  }
  return spans;
}

inline std::vector<std::pair<std::string, std::string>> attributes(const Bar& bar) {
  if (std::string(bar.role) == "app") return {{"http.request.method", "POST"}, {"http.response.status_code", "200"}};
  return {{"node_id", "sidecar~10.20.0.31~" + std::string(bar.service) + "~shop.svc.cluster.local"},
          {"guid:x-request-id", "5f0c8d1e-7a3b-4c4d-8e2f-90a1b2c3d4e5"},
          {"http.url", "http://shop.hopcheck.test/checkout?hop=3fa91c07-17"},
          {"http.method", "POST"},
          {"http.protocol", "HTTP/1.1"},
          {"upstream_cluster", std::string(bar.role) == "inbound" ? "inbound|8080||" : "outbound|8080||shop"},
          {"http.status_code", "200"},
          {"response_flags", "-"},
          {"istio.mesh_id", "cluster.local"}};
}

inline std::vector<ExhibitSpan> observed_tree(const std::vector<Bar>& bars, const TraceId& trace) {
  std::vector<ExhibitSpan> spans = expected_tree(bars);
  for (size_t i = 0; i < spans.size(); ++i) {
    spans[i].trace_id = trace;
    spans[i].span_id = span_id(static_cast<uint8_t>(i + 1));
    spans[i].parent_id = bars[i].parent < 0 ? span_id(200) : spans[static_cast<size_t>(bars[i].parent)].span_id;
    spans[i].start_nanos = bars[i].start_micros * kMicro;
    spans[i].duration_nanos = bars[i].duration_micros * kMicro;
    spans[i].status = "UNSET";
    spans[i].attributes = attributes(bars[i]);
  }
  return spans;
}

inline Exhibit passing_exhibit() {
  return {"", "", 4, expected_tree(checkout_bars()), observed_tree(checkout_bars(), trace_id(3))};
}

// checkout forwards no traceparent: its sidecar starts a second trace with the call to payments.
inline Exhibit split_exhibit() {
  Exhibit exhibit{"HOP0601", "service=checkout header=traceparent", 17, expected_tree(checkout_bars()),
                  observed_tree(checkout_bars(), trace_id(1))};
  for (size_t i = 9; i < 12; ++i) exhibit.observed[i].trace_id = trace_id(2);
  exhibit.observed[9].parent = -1;
  exhibit.observed[9].parent_id = {};
  exhibit.observed[9].state = "defect";
  exhibit.observed[9].defect = "HOP0601";
  return exhibit;
}

// payments' sidecar is silent, checkout's proxy calls twice, and frontend's span carries a wrong attribute.
inline Exhibit missing_exhibit() {
  Exhibit exhibit{"HOP0301", "hop=checkout->payments", 31, expected_tree(checkout_bars()),
                  observed_tree(checkout_bars(), trace_id(5))};
  exhibit.expected[10].state = "missing";
  exhibit.observed[11].parent = 9;
  exhibit.observed[11].parent_id = exhibit.observed[9].span_id;
  ExhibitSpan extra = exhibit.observed[9];
  extra.state = "unexpected";
  extra.defect = "HOP0302";
  extra.span_id = span_id(77);
  extra.start_nanos += 7900 * kMicro;
  extra.duration_nanos = 180 * kMicro;
  exhibit.observed[10] = extra;
  exhibit.observed[10].parent = 8;
  return exhibit;
}

inline HopResult hop(const char* from, const char* to, uint64_t count) {
  HopResult result;
  result.from = from;
  result.to = to;
  result.client = result.server = result.app = count;
  result.rule = "triple";
  result.wire_gap = distribution(count, 210 * kMicro);
  result.proxy_gap = distribution(count, 95 * kMicro);
  result.own_time = distribution(count, 850 * kMicro);
  return result;
}

inline ScenarioResult scenario(const char* name, const char* file, uint64_t requests, uint64_t spans_each) {
  ScenarioResult s;
  s.name = name;
  s.file = file;
  s.verdict = Verdict::kPass;
  s.requests = requests;
  s.outcomes = {0, requests, 0, 0};
  s.requests_by_class[static_cast<size_t>(RequestClass::kComplete)] = requests;
  s.spans_stored = requests * spans_each;
  s.spans_by_class[static_cast<size_t>(SpanClass::kMatched)] = s.spans_stored;
  s.bodies = {requests * 5, requests * 5, 0, 0};
  s.hops = {hop("istio-ingressgateway", "frontend", requests), hop("frontend", "checkout", requests),
            hop("checkout", "payments", requests)};
  s.notes = {"profile istio-1.30", "judge canary: planted zero-parent, reported"};
  s.latency = {distribution(requests, 9 * kMilli), distribution(requests, 8 * kMilli),
               distribution(requests, 18 * kMicro)};
  s.signature = {
      {"checkout", "istio-ingressgateway.istio-system/SERVER/frontend.shop.svc.cluster.local:80/*", requests,
       requests, "always", {"component:string", "http.method:string"}, {}, {}}};
  return s;
}

inline Finding finding(const char* code, Verdict severity, const char* title, Subject subject, uint64_t count) {
  Finding f;
  f.code = code;
  f.severity = severity;
  f.title = title;
  f.subject = std::move(subject);
  f.count = count;
  f.page = std::string("docs/rules/") + code + ".md";
  return f;
}

inline Finding split_finding() {
  Finding f = finding("HOP0601", Verdict::kFail, "traceparent is not forwarded: the trace splits",
                      {"checkout", "", "traceparent", ""}, 50);
  f.expected = "the call to payments carries the trace id of the request that caused it";
  f.actual = "checkout received traceparent and called payments without it: 50 of 50 traces are in two pieces";
  f.witnesses = {{trace_id(1), span_id(7)}, {trace_id(2), span_id(10)}};
  f.consequences = {{"HOP0203", "service=checkout", 50}, {"HOP0301", "hop=checkout->payments", 50}};
  f.hint =
      "Copy traceparent from each incoming request to all outgoing requests it causes, or use an OpenTelemetry SDK.";
  f.reproduce = "hopcheck run scenarios/canary/checkout-drops-traceparent.yaml --provider kind --seed 4711";
  f.scenario = "checkout-drops-traceparent";
  return f;
}

inline ScenarioResult canary() {
  ScenarioResult s = scenario("checkout-drops-traceparent", "scenarios/canary/checkout-drops-traceparent.yaml", 50, 12);
  s.verdict = Verdict::kFail;
  s.requests_by_class[static_cast<size_t>(RequestClass::kComplete)] = 0;
  s.requests_by_class[static_cast<size_t>(RequestClass::kIncomplete)] = 50;
  s.spans_by_class[static_cast<size_t>(SpanClass::kMatched)] = 450;
  s.spans_by_class[static_cast<size_t>(SpanClass::kDetached)] = 150;
  s.findings = {split_finding()};
  s.exhibits = {split_exhibit()};
  return s;
}

inline ScenarioResult broken_shop() {
  ScenarioResult s = scenario("checkout-through-mesh", "scenarios/core/checkout-mesh.yaml", 250, 12);
  s.verdict = Verdict::kFail;
  s.as_expected = false;
  s.requests_by_class[static_cast<size_t>(RequestClass::kComplete)] = 238;
  s.requests_by_class[static_cast<size_t>(RequestClass::kIncomplete)] = 12;
  Finding missing =
      finding("HOP0301", Verdict::kFail, "a mesh span of a hop is missing", {"", "checkout->payments", "", ""}, 12);
  missing.expected = "one SERVER span of payments.shop under each CLIENT span of checkout.shop";
  missing.actual = "12 of 250 requests have none";
  missing.witnesses = {{trace_id(5), span_id(10)}};
  missing.hint = "The proxy was bypassed, its tracing is off on that side, or its export was lost.";
  missing.reproduce = "hopcheck run scenarios/core/checkout-mesh.yaml --provider kind --seed 4711";
  Finding attribute = finding("HOP0504", Verdict::kFail, "a span attribute is missing or wrong",
                              {"frontend", "", "", "istio.mesh_id"}, 250);
  attribute.expected = "istio.mesh_id = cluster.local";
  attribute.actual = "istio.mesh_id = mesh1";
  attribute.hint = "A Collector processor or a customTags override may have changed it.";
  attribute.reproduce = missing.reproduce;
  s.findings = {missing, attribute};
  Exhibit wrong{"HOP0504", "service=frontend object=istio.mesh_id", 2, expected_tree(checkout_bars()),
                observed_tree(checkout_bars(), trace_id(6))};
  wrong.observed[2].state = "defect";
  wrong.observed[2].defect = "HOP0504";
  wrong.observed[2].attributes.back().second = "mesh1";
  s.exhibits = {missing_exhibit(), wrong};
  return s;
}

inline ScenarioResult unanswered() {
  ScenarioResult s = scenario("checkout-direct", "scenarios/core/checkout-direct.yaml", 100, 9);
  s.verdict = Verdict::kUnknown;
  s.as_expected = false;
  Finding f = finding("HOP1007", Verdict::kUnknown, "requests were not sent or not answered", {}, 7);
  f.expected = "every request is sent and answered";
  f.actual = "7 of 100 requests timed out";
  f.hint = "The target refused, timed out or reset: see the outcomes.";
  f.reproduce = "hopcheck run scenarios/core/checkout-direct.yaml --provider kind --seed 4711";
  s.findings = {f};
  return s;
}

inline Environment environment() {
  Environment e;
  e.provider = "kind";
  e.kubernetes = "1.34.4";
  e.istio = "1.30.4-dev";
  e.collector = "0.161.0";
  e.transport = "grpc";
  e.naming = "APP_LABEL_AND_NAMESPACE";
  for (const char* name : {"istio-ingressgateway", "frontend", "checkout", "payments"}) {
    ProxyFact proxy;
    proxy.workload = name;
    proxy.ns = std::string(name) == "istio-ingressgateway" ? "istio-system" : "shop";
    proxy.pod = std::string(name) + "-6d5f7c9b8-qx2lm";
    proxy.service = name;
    proxy.envoy_version = "1.38.3";
    proxy.profile = "istio-1.30";
    proxy.proof = "live";
    proxy.sent_before = 12;
    proxy.sent_after = 1312;
    proxy.dropped_before = 0;
    proxy.dropped_after = 0;
    e.proxies.push_back(proxy);
  }
  e.telemetry = {{"istio-system", "mesh-default", "otel-tracing", 100.0, 0}};
  e.collector_fact.received_before = 48;
  e.collector_fact.received_after = 7848;
  e.collector_fact.exported_before = 48;
  e.collector_fact.exported_after = 7848;
  e.collector_fact.failed_after = 0;
  e.collector_fact.queue_size = 0;
  e.control = {true, true, true, true};
  e.drain = {"complete", 6'240 * kMilli};
  e.images = {"collector: otel/opentelemetry-collector:0.161.0@sha256:9a1f…"};
  e.notes = {"meshConfig.defaultConfig.drainDuration: 5s (Istio's default is 45s)"};
  return e;
}

inline std::vector<PhaseStep> phases() {
  std::vector<PhaseStep> steps;
  const auto add = [&](const char* phase, const char* step, int64_t from_millis, int64_t to_millis,
                       const char* outcome) {
    steps.push_back({phase, step, kStart + from_millis * kMilli, kStart + to_millis * kMilli, outcome});
  };
  add("prepare", "", 0, 900, "ok");
  add("deploy", "cluster", 900, 17'900, "ok");
  add("deploy", "istioctl install", 17'900, 31'200, "ok");
  add("deploy", "collector", 18'000, 26'400, "ok");
  add("deploy", "demo", 31'200, 38'700, "ok");
  add("deploy", "", 900, 38'700, "ok");
  add("probe", "", 38'700, 40'100, "ok");
  add("warm up", "", 40'100, 43'300, "ok");
  add("drive", "", 43'300, 56'400, "ok");
  add("drain", "", 56'400, 62'640, "ok");
  add("judge", "", 62'640, 62'910, "ok");
  add("report", "", 62'910, 63'000, "ok");
  add("tear down", "", 63'000, 66'500, "skipped");
  return steps;
}

inline RunResult base_run() {
  RunResult r;
  r.run_id = "20260101T000000Z-3fa91c07";
  r.seed = 4711;
  r.run_nonce = "3fa91c07d2b4e685";
  r.run_key = "000102030405060708090a0b0c0d0e0f";
  r.provider = "kind";
  r.tool_version = "0.1.0";
  r.tool_commit = "0e52cc3";
  r.environment = environment();
  r.phases = phases();
  r.redactions = 2;
  return r;
}

inline void add_sums(RunResult& r) {
  uint64_t requests = 0;
  for (const ScenarioResult& s : r.scenarios) {
    requests += s.requests;
    r.spans_stored += s.spans_stored;
    r.bodies.received += s.bodies.received;
    r.bodies.accepted += s.bodies.accepted;
    for (size_t i = 0; i < r.spans_by_class.size(); ++i) r.spans_by_class[i] += s.spans_by_class[i];
  }
  const std::string n = std::to_string(requests), bodies = std::to_string(r.bodies.received);
  r.sums = {{"planned " + n + " = ok " + n + " + failed 0 + indeterminate 0 + unsent 0", true},
            {"bodies received " + bodies + " = accepted " + bodies + " + refused 0 + aborted 0", true}};
}

// `hopcheck run scenarios/canary/checkout-drops-traceparent.yaml`: exit code 1.
inline RunResult canary_run() {
  RunResult r = base_run();
  r.scenarios = {canary()};
  r.scenarios[0].as_expected = false;
  r.verdict = Verdict::kFail;
  r.exit_code = 1;
  add_sums(r);
  return r;
}

// A suite of five in which the canary fails as it should, one scenario fails, one is unknown, one is skipped.
inline RunResult suite_run() {
  RunResult r = base_run();
  r.suite = "e2e";
  r.suite_file = "scenarios/suites/e2e.yaml";
  ScenarioResult gateway = scenario("checkout-gateway", "scenarios/core/checkout-gateway.yaml", 250, 12);
  gateway.exhibits = {passing_exhibit()};
  ScenarioResult expected = canary();
  expected.expected_verdict = "fail";
  expected.expected_findings = {"HOP0601 service=checkout header=traceparent"};
  ScenarioResult skipped;
  skipped.name = "odigos-pipeline";
  skipped.file = "scenarios/extended/odigos-pipeline.yaml";
  skipped.skipped = "the kind provider lacks capability odigos-pipeline";
  r.scenarios = {gateway, expected, broken_shop(), unanswered(), skipped};
  r.verdict = Verdict::kFail;
  r.suite_as_expected = false;
  r.exit_code = 1;
  add_sums(r);
  r.sums.push_back({"spans_sent of payments 1300 = stored 1288", false});
  Finding lost =
      finding("HOP0801", Verdict::kFail, "spans that a proxy sent were not stored", {"payments", "", "", ""}, 12);
  lost.expected = "1300 spans stored, as many as payments' proxy sent";
  lost.actual = "1288 spans stored; the Collector received 1288: lost between proxy and Collector";
  lost.hint = "The pipeline lost them: look at the Collector's exporter errors and at the backend's answers.";
  lost.reproduce = "hopcheck run scenarios/suites/e2e.yaml --provider kind --seed 4711";
  r.findings = {lost};
  return r;
}

}  // namespace hopcheck::report::sample
