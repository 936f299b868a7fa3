#include "sim/synthesize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "base/text.h"

namespace hopcheck::sim {
namespace {

// A span starts this long after the one before it in the tree, and ends this long after the last span below it.
constexpr uint64_t kStepNanos = 1'000'000;

template <class Id>
Id random_id(Rng& rng) {
  Id id;
  for (size_t i = 0; i < id.bytes.size(); i += 8) {
    const uint64_t word = rng.next() | 1;  // never zero
    std::memcpy(id.bytes.data() + i, &word, 8);
  }
  return id;
}

// What is not asked of a span is taken to be fine; a proxy whose caller left before the answer says 0.
int code_of(const ExpectedSpan& node) {
  if (node.http_status != 0) return node.http_status;
  return node.response_flag == "DC" ? 0 : 200;
}

const StatusRule* status_rule(const ExpectedSpan& node) {
  if (node.role == ProxyRole::kNone) return nullptr;
  for (const StatusRule& rule : node.profile->status) {
    if (rule.kind == node.kind && code_of(node) >= rule.from && code_of(node) <= rule.to) return &rule;
  }
  return nullptr;
}

// Values that the profile leaves open or describes by a pattern; what a real proxy would say.
std::string sample_value(const ExpectedSpan& node, const std::string& key, const SynthesisInput& input) {
  const std::string type = node.service == kGatewayService ? "router" : "sidecar";
  if (key == "node_id") {
    return fmt::format("{}~10.244.0.9~{}.{}~{}.svc.cluster.local", type, pod_name(node.workload),
                       node.workload_namespace, node.workload_namespace);
  }
  if (key == "guid:x-request-id") return input.request_id;
  if (key == "http.url") {
    return fmt::format("http://{}:{}{}{}{}", node.host, node.port, node.path, input.query.empty() ? "" : "?",
                       input.query);
  }
  if (key == "user_agent") return input.user_agent;
  if (key == "http.method") return node.method;
  if (key == "upstream_cluster") return node.cluster;
  if (key == "upstream_cluster.name") return node.cluster + ";";
  if (key == "http.status_code") return std::to_string(code_of(node));
  if (key == "response_flags") return node.response_flag.empty() ? "-" : node.response_flag;
  if (key == "telemetry.sdk.version" || key == "scope.version")
    return "0000000000000000000000000000000000000000/" + node.envoy_minor + ".0/Clean/RELEASE/BoringSSL";
  static const std::map<std::string, std::string> kFixed = {
      {"http.protocol", "HTTP/1.1"},  {"peer.address", "10.244.0.8"},
      {"upstream_address", "10.244.0.9:8080"}, {"request_size", "0"},  {"response_size", "64"},
      {"component", "proxy"},         {"downstream_cluster", "-"},
      {"istio.cluster_id", "Kubernetes"}, {"istio.mesh_id", "cluster.local"}, {"telemetry.sdk.name", "envoy"},
      {"telemetry.sdk.language", "cpp"},
      {"grpc.authority", "rpc:8080"},   {"grpc.content_type", "application/grpc"}, {"grpc.status_code", "0"}};
  const auto found = kFixed.find(key);
  return found == kFixed.end() ? "" : found->second;
}

AttributeList make_attributes(const std::vector<ExpectedAttribute>& wanted, const ExpectedSpan& node,
                              const SynthesisInput& input, Arena& arena, bool resource) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::set<std::string> integers;
  if (resource) pairs.emplace_back("service.name", node.service_name);
  for (const ExpectedAttribute& item : wanted) {
    using When = AttributeRule::When;
    const bool absent = item.when == When::kError || item.when == When::kOptional || item.when == When::kNever ||
                        (item.when == When::kRouted && node.cluster.empty());
    if (absent || item.key == "service.name") continue;
    std::string value = item.regex || item.value.empty() ? sample_value(node, item.key, input) : item.value;
    if (item.regex && item.key == "peer.address" && node.role == ProxyRole::kGatewayClient) value = "10.244.0.9:8080";
    if (item.type == AttributeRule::Type::kInteger) integers.insert(item.key);
    pairs.emplace_back(item.key, std::move(value));
  }
  const StatusRule* rule = resource ? nullptr : status_rule(node);
  if (rule != nullptr && rule->error_tag) pairs.emplace_back("error", "true");
  Attribute* list = arena.array<Attribute>(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    list[i].key = arena.copy(pairs[i].first);
    if (integers.count(pairs[i].first) > 0) {
      list[i].value.type = AnyValue::Type::kInt;
      list[i].value.integer = std::atoll(pairs[i].second.c_str());
      continue;
    }
    list[i].value.type = AnyValue::Type::kString;
    list[i].value.text = arena.copy(pairs[i].second);
  }
  return {list, static_cast<uint32_t>(pairs.size())};
}

}  // namespace

std::string name_of(const ExpectedSpan& node) {
  return substitute(node.name, [&](std::string_view name) -> std::optional<std::string> {
    if (name == "authority") return fmt::format("{}:{}", node.host, node.port);
    return std::nullopt;
  });
}

SpanId random_span_id(Rng& rng) { return random_id<SpanId>(rng); }
TraceId random_trace_id(Rng& rng) { return random_id<TraceId>(rng); }

std::string pod_name(const std::string& workload) { return workload + "-6d5f7c9b8-qx2lm"; }

std::vector<Span> synthesize(const SynthesisInput& input, Arena& arena, Rng& rng) {
  const auto& nodes = input.tree->spans;
  std::vector<Span> out(nodes.size());
  // Parents come before their children, so that ends are known from the last node to the first.
  std::vector<uint64_t> end(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) end[i] = input.start_unix_nanos + (i + 1) * kStepNanos;
  for (size_t i = nodes.size(); i > 0; --i) {
    const int parent = nodes[i - 1].parent;
    if (parent >= 0) end[parent] = std::max(end[parent], end[i - 1] + kStepNanos);
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    const ExpectedSpan& node = nodes[i];
    Span& span = out[i];
    span.trace_id = input.trace_id;
    span.span_id = random_id<SpanId>(rng);
    span.parent_id = node.parent < 0 ? input.root_parent : out[node.parent].span_id;
    span.kind = node.kind;
    span.name = arena.copy(name_of(node));
    span.trace_state = arena.copy(input.trace_state);
    span.start_unix_nanos = input.start_unix_nanos + i * kStepNanos;
    span.end_unix_nanos = end[i];
    const bool mesh = node.role != ProxyRole::kNone;
    if (const StatusRule* rule = status_rule(node)) span.status = rule->status;
    span.attributes = make_attributes(node.attributes, node, input, arena, false);
    Resource resource;
    resource.attributes = make_attributes(node.resource, node, input, arena, true);
    resource.service_name = arena.copy(node.service_name);
    span.resource = arena.make(resource);
    Scope scope;
    scope.present = !mesh || node.profile->scope_present;
    if (scope.present)
      scope.name = mesh ? arena.copy(node.profile->scope_name) : node.scope.empty() ? "app" : arena.copy(node.scope);
    span.scope = arena.make(scope);
  }
  return out;
}

const char* to_string(Mutation mutation) {
  static constexpr const char* kNames[] = {"remove", "zero-parent", "rename",      "service-name",
                                           "kind",   "early-start", "other-trace", "extra"};
  return mutation < Mutation::kCount ? kNames[static_cast<size_t>(mutation)] : "?";
}

size_t mutate(Mutation mutation, std::vector<Span>& spans, Arena& arena, Rng& rng) {
  // Parent mutations need a span below another: never the root, which stands first.
  const bool needs_parent =
      mutation == Mutation::kZeroParent || mutation == Mutation::kEarlyStart || mutation == Mutation::kOtherTrace;
  const size_t first = needs_parent && spans.size() > 1 ? 1 : 0;
  const size_t index = first + rng.below(spans.size() - first);
  Span& span = spans[index];
  switch (mutation) {
    case Mutation::kRemove: spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(index)); break;
    case Mutation::kZeroParent: span.parent_id = {}; break;
    case Mutation::kRename: span.name = arena.copy(std::string(span.name) + "-renamed"); break;
    case Mutation::kServiceName: {
      Resource resource = *span.resource;
      resource.service_name = arena.copy("nobody.nowhere");
      span.resource = arena.make(resource);
      break;
    }
    case Mutation::kKind: span.kind = span.kind == SpanKind::kServer ? SpanKind::kClient : SpanKind::kServer; break;
    case Mutation::kEarlyStart: span.start_unix_nanos -= 10'000'000'000; break;
    case Mutation::kOtherTrace: {
      span.trace_id = random_id<TraceId>(rng);
      span.parent_id = {};
      break;
    }
    case Mutation::kExtra: {
      Span copy = span;
      copy.span_id = random_id<SpanId>(rng);
      spans.push_back(copy);
      break;
    }
    case Mutation::kCount: break;
  }
  return index;
}

}  // namespace hopcheck::sim
