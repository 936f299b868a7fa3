#include "check/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace hopcheck::check {
namespace {

std::string label_of(const ProxyFact& proxy) {
  return proxy.service == "istio-ingressgateway" ? "gateway" : proxy.service;
}

}  // namespace

std::map<std::string, StoredSpans> stored_by_proxy(const JudgeInput& input, const Attribution& attribution) {
  std::vector<bool> foreign(input.spans->size(), false);
  for (const TraceGroup& trace : attribution.traces) {
    for (uint32_t index : trace.spans) foreign[index] = trace.of_another_run;
  }
  std::map<std::string, StoredSpans> out;
  // Where several proxies claim a name or a span, the first in the alphabet, whatever arrived first.
  std::map<std::string, std::string_view> proxy_of_name;
  std::unordered_map<SpanId, std::string_view, IdHash> proxy_of_span;
  const auto claim = [](std::string_view& place, std::string_view key) {
    if (place.empty() || key < place) place = key;
  };
  for (const Span& span : *input.spans) {
    if (!is_mesh_span(span)) continue;
    const std::string_view key = proxy_key(span);
    const std::string_view name = span.resource->service_name;
    if (key == name) continue;
    claim(proxy_of_name[std::string(name)], key);
    if (span.attributes.text("node_id").substr(0, 7) == "router~") claim(proxy_of_span[span.span_id], key);
  }
  for (size_t i = 0; i < input.spans->size(); ++i) {
    const Span& span = (*input.spans)[i];
    if (!is_mesh_span(span) || attribution.span_class[i] == SpanClass::kDuplicate) continue;
    std::string key(proxy_key(span));
    const auto found = proxy_of_name.find(key);
    if (found != proxy_of_name.end()) {
      const auto above = proxy_of_span.find(span.parent_id);
      key = above != proxy_of_span.end() ? above->second : found->second;
    }
    ++out[key].all;
    if (foreign[i]) ++out[key].of_another_run;
  }
  return out;
}

std::optional<uint64_t> delta(const std::optional<uint64_t>& before, const std::optional<uint64_t>& after) {
  if (!before || !after || *after < *before) return std::nullopt;
  return *after - *before;
}

// Δspans_sent counts a span before its export is tried. The Collector received fewer than proxies sent and apps are
// known to have sent (what of theirs is stored): they got lost before it; else behind it.
std::vector<Loss> losses(const JudgeInput& input, const Attribution& attribution) {
  std::vector<Loss> out;
  const auto stored = stored_by_proxy(input, attribution);
  uint64_t due = 0;
  for (const ProxyFact& proxy : input.environment.proxies)
    due += delta(proxy.sent_before, proxy.sent_after).value_or(0);
  for (size_t i = 0; i < input.spans->size(); ++i) {
    if (!is_mesh_span((*input.spans)[i]) && attribution.span_class[i] != SpanClass::kDuplicate &&
        attribution.span_class[i] != SpanClass::kForeign) {
      ++due;
    }
  }
  const CollectorFact& collector = input.environment.collector_fact;
  const auto received = delta(collector.received_before, collector.received_after);
  const bool before_collector = received && *received < due;
  for (const ProxyFact& proxy : input.environment.proxies) {
    const auto sent = delta(proxy.sent_before, proxy.sent_after);
    if (!sent) continue;
    Loss loss;
    loss.service = label_of(proxy);
    loss.pod = proxy.pod + "." + proxy.ns;
    loss.sent = *sent;
    const auto found = stored.find(loss.pod);
    loss.stored = found == stored.end() ? 0 : found->second.all;
    if (loss.sent <= loss.stored) continue;
    if (before_collector) loss.subject.service = loss.service;
    loss.subject.object = before_collector ? "proxy -> Collector" : "Collector -> backend";
    out.push_back(std::move(loss));
  }
  return out;
}

std::string expected_of(const Loss& loss) { return fmt::format("{} spans of {}", loss.sent, loss.pod); }
std::string actual_of(const Loss& loss) { return fmt::format("{} stored", loss.stored); }

}  // namespace hopcheck::check
