#include "check/catalogue.h"

#include <cstdlib>

namespace hopcheck::check {

const std::vector<RuleInfo>& catalogue() {
  static const std::vector<RuleInfo> kRules = {
      {"HOP0101", "answered requests left no span", Verdict::kFail,
       "Look at the sampling percentage, then at the path proxy, Collector, backend."},
      {"HOP0102", "no span at all arrived, cause not diagnosed", Verdict::kFail,
       "The pipeline works (the positive control arrived): check Telemetry, provider and injection."},
      {"HOP0103", "unsampled requests left spans", Verdict::kFail,
       "A request whose traceparent says unsampled must not be exported; look for a proxy or app that samples anew."},
      {"HOP0104", "the Telemetry resource has no randomSamplingPercentage: 1 % default", Verdict::kFail,
       "Set spec.tracing[].randomSamplingPercentage; left out it is not 100 but 1 %."},
      {"HOP0105", "the Telemetry resource samples less than the scenario claims", Verdict::kFail,
       "Raise spec.tracing[].randomSamplingPercentage of the named object, or claim its value in the scenario."},
      {"HOP0106", "the sampled share is outside the interval for the configured percentage", Verdict::kFail,
       "Look for a second sampler: an app SDK, a client-sent traceparent, another Telemetry object."},
      {"HOP0107", "the positive control did not arrive: absence cannot be judged", Verdict::kUnknown,
       "A span that hopcheck itself posted to the Collector never reached the backend: mend the pipeline first."},
      {"HOP0108", "the number of requests seen differs from the number planned", Verdict::kFail,
       "The capture holds more or fewer requests than the scenario says were sent."},
      {"HOP0109", "proxies outside the Telemetry object's namespace make no spans", Verdict::kFail,
       "Put the Telemetry object into the root namespace (istio-system) to govern the gateway and every namespace."},
      {"HOP0110", "traces are cut: proxies draw again, since x-request-id is not forwarded", Verdict::kFail,
       "Copy x-request-id beside traceparent to all outgoing requests: below 100 % the sampling decision travels in "
       "it."},
      {"HOP0111", "a proxy drops traces that its caller's proxy, of an older version, sampled", Verdict::kFail,
       "While both versions are in the mesh sample 100 %, or upgrade callers before the services they call."},
      {"HOP0112", "the Telemetry object names a provider that the mesh does not have", Verdict::kFail,
       "Name one of MeshConfig's extensionProviders, or add the provider there; istiod reports neither."},
      {"HOP0201", "a span's parent was never exported", Verdict::kFail,
       "An exporter dropped the parent, or a component injects the id of a span it does not export."},
      {"HOP0202", "a span hangs under the wrong parent", Verdict::kFail,
       "A component passed on another context than the one of the span it was in."},
      {"HOP0203", "a trace has a second root", Verdict::kFail, "A component kept the trace id and lost the parent id."},
      {"HOP0204", "parent links form a cycle", Verdict::kFail, "The ids are broken at their source."},
      {"HOP0206", "one trace holds spans of several requests", Verdict::kFail,
       "A service mixed the contexts of two requests, for instance by reusing a header map."},
      {"HOP0301", "a mesh span of a hop is missing", Verdict::kFail,
       "The proxy was bypassed, its tracing is off on that side, or its export was lost."},
      {"HOP0302", "a hop has more mesh spans than the topology says", Verdict::kFail,
       "The caller calls more often than declared, or an undeclared retry happened."},
      {"HOP0303", "a service has no sidecar", Verdict::kFail,
       "Label the namespace istio-injection=enabled (or remove sidecar.istio.io/inject: \"false\") and restart the "
       "workload: kubectl rollout restart deployment."},
      {"HOP0304", "the gateway emits another number of spans than the profile says", Verdict::kFail,
       "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY differs from the scenario, or the Istio version does."},
      {"HOP0401", "service.name is not what the naming mode gives", Verdict::kFail,
       "Check tracingServiceName, the workload's labels, and whether the pod restarted since they changed."},
      {"HOP0402", "a mesh span has the wrong name", Verdict::kFail,
       "The span name comes from the route: check host, port and VirtualService of the hop."},
      {"HOP0403", "an app span has another name than the topology lists", Verdict::kFail,
       "Rename the span in the service, or in the topology file."},
      {"HOP0404", "proxies carry the names of another naming mode: not restarted since it changed", Verdict::kFail,
       "Restart the named workloads (kubectl rollout restart): a proxy reads its service.name when it starts."},
      {"HOP0501", "a span has the wrong kind", Verdict::kFail,
       "Check the proxy's version and side against the profile."},
      {"HOP0502", "the instrumentation scope is not the profile's", Verdict::kFail,
       "Envoy from 1.33 says scope `envoy`; something rewrote or dropped it."},
      {"HOP0503", "a resource attribute is missing or wrong", Verdict::kFail,
       "A Collector processor may have changed it; compare with what the proxy exports."},
      {"HOP0504", "a span attribute is missing or wrong", Verdict::kFail,
       "A Collector processor or a customTags override may have changed it."},
      {"HOP0505", "span status or `error` does not follow from the HTTP code", Verdict::kFail,
       "See the status table of the profile."},
      {"HOP0506", "a service answered with an error that the scenario does not declare", Verdict::kFail,
       "Look at the service's own log; declare the fault when it is wanted."},
      {"HOP0507", "a proxy's version is not the profile's", Verdict::kFail,
       "Pin the profile of the Istio version that runs, or use profile: auto."},
      {"HOP0508", "a span has an invalid trace or span id", Verdict::kFail,
       "All-zero or wrong-length ids break every consumer: mend the sender."},
      {"HOP0601", "traceparent is not forwarded: the trace splits", Verdict::kFail,
       "Copy traceparent from each incoming request to all outgoing requests it causes, or use an OpenTelemetry SDK."},
      {"HOP0602", "tracestate is not forwarded", Verdict::kFail,
       "Copy tracestate beside traceparent to all outgoing requests."},
      {"HOP0603", "x-request-id is not forwarded", Verdict::kFail,
       "Copy x-request-id to all outgoing requests: logs and sampling decisions hang on it."},
      {"HOP0604", "the trace context we sent did not reach the first span", Verdict::kFail,
       "Something in front of the entry replaced or removed traceparent."},
      {"HOP0701", "a span starts before its parent", Verdict::kFail, "Clock trouble, or a wrong parent."},
      {"HOP0702", "a span ends after its parent", Verdict::kFail, "Clock trouble, or a wrong parent."},
      {"HOP0703", "an app span outlives the proxy's span above it by more than the tolerance", Verdict::kFail,
       "The app ends its span long after the response: background work belongs into a span of its own."},
      {"HOP0705", "a span ends before it starts", Verdict::kFail, "The wall clock stepped back during the span."},
      {"HOP0706", "spans often end a little after their parents", Verdict::kUnknown,
       "Proxies wait for a processor, or the clocks of two nodes differ: repeat on a quieter machine."},
      {"HOP0801", "spans that a proxy sent were not stored", Verdict::kFail,
       "The pipeline lost them: look at the Collector's exporter errors and at the backend's answers."},
      {"HOP0802", "two different spans carry the same ids", Verdict::kFail, "An id generator repeats itself."},
      {"HOP0803", "the backend refused exports", Verdict::kFail,
       "See the refused frames of the capture for the status."},
      {"HOP0804", "the capture is damaged or incomplete", Verdict::kUnknown,
       "Evidence is missing: nothing absent can be judged; repeat the run."},
      {"HOP0805", "a proxy, the Collector or the backend restarted during the run", Verdict::kUnknown,
       "Spans in its buffers are gone: repeat the run."},
      {"HOP0806", "spans of this topology belong to no request", Verdict::kFail,
       "Other traffic reached the services, or a trace lost every trace of its request."},
      {"HOP1001", "nothing was sent", Verdict::kUnknown, "No request left the client: nothing can be judged."},
      {"HOP1003", "the judge's own canary was not reported", Verdict::kUnknown,
       "A bug in hopcheck: a planted defect stayed unseen."},
      {"HOP1004", "the sums do not hold", Verdict::kUnknown, "A bug in hopcheck or damaged evidence: see the sums."},
      {"HOP1006", "the drain ended at its deadline", Verdict::kUnknown,
       "Spans were still due and the Collector's queue was not empty."},
      {"HOP1007", "requests were not sent or not answered", Verdict::kUnknown,
       "The target refused, timed out or reset: see the outcomes."},
      {"HOP1101", "an app span is missing", Verdict::kFail,
       "The service's SDK did not make or export it; the mesh's spans are not concerned."},
      {"HOP1102", "an app span is not in the topology", Verdict::kFail,
       "The service makes a span that its topology file does not list."},
      {"HOP1103", "a service's app spans are missing, its context is intact", Verdict::kFail,
       "The SDK propagates and does not export: check its exporter endpoint and errors."},
  };
  return kRules;
}

const RuleInfo& rule_info(std::string_view code) {
  for (const RuleInfo& rule : catalogue()) {
    if (code == rule.code) return rule;
  }
  std::abort();  // a code that is not in the catalogue is a programming error
}

const char* family_title(std::string_view code) {
  static constexpr const char* kTitles[] = {"",
                                            "arrival and sampling",
                                            "structure and nesting",
                                            "spans per hop",
                                            "service and span names",
                                            "identity, kind, scope, attributes, status",
                                            "context propagation",
                                            "time and gaps",
                                            "delivery and transport",
                                            "configuration and diagnosis",
                                            "load and harness honesty",
                                            "app spans additive",
                                            "baseline"};
  if (code.size() != 7) return "";
  const int family = (code[3] - '0') * 10 + (code[4] - '0');
  return family >= 1 && family <= 12 ? kTitles[family] : "";
}

}  // namespace hopcheck::check
