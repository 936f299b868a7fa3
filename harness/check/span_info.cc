#include "check/span_info.h"

#include <charconv>

namespace hopcheck::check {
namespace {

// node_id = <type>~<ip>~<pod>.<namespace>~<domain> (facts 1.5).
struct NodeId {
  std::string_view type, pod, ns;
};

NodeId parse_node_id(std::string_view text) {
  NodeId out;
  const size_t first = text.find('~');
  if (first == std::string_view::npos) return out;
  const size_t second = text.find('~', first + 1);
  if (second == std::string_view::npos) return out;
  const size_t third = text.find('~', second + 1);
  out.type = text.substr(0, first);
  const std::string_view name =
      text.substr(second + 1, third == std::string_view::npos ? std::string_view::npos : third - second - 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return out;
  out.pod = name.substr(0, dot);
  out.ns = name.substr(dot + 1);
  return out;
}

// Deployment of a pod name "<deployment>-<replica set hash>-<suffix>".
std::string_view deployment_of(std::string_view pod) {
  size_t dash = pod.rfind('-');
  if (dash == std::string_view::npos) return pod;
  dash = pod.rfind('-', dash - 1);
  return dash == std::string_view::npos ? pod : pod.substr(0, dash);
}

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

}  // namespace

bool is_mesh_span(const Span& span) {
  return (span.scope->present && span.scope->name == "envoy") || span.attributes.text("component") == "proxy";
}

std::string_view proxy_key(const Span& span) {
  const std::string_view node = span.attributes.text("node_id");
  const size_t first = node.find('~');
  const size_t second = first == std::string_view::npos ? first : node.find('~', first + 1);
  const size_t third = second == std::string_view::npos ? second : node.find('~', second + 1);
  if (third == std::string_view::npos) return span.resource->service_name;
  return node.substr(second + 1, third - second - 1);
}

std::string_view url_path(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t slash = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  if (slash == std::string_view::npos) return "";
  const std::string_view path = url.substr(slash);
  return path.substr(0, path.find('?'));
}

std::string_view url_authority(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  const std::string_view rest = url.substr(scheme + 3);
  return rest.substr(0, rest.find_first_of("/?"));
}

Classifier::Classifier(const Topology& topology) : topology_(topology) {
  for (size_t i = 0; i < topology.services.size(); ++i) {
    const Service& service = topology.services[i];
    const int index = static_cast<int>(i);
    for (const Workload& workload : service.workloads) by_workload_[service.ns + "/" + workload.name] = index;
    by_host_[fqdn(service)] = index;
    by_otel_name_[service.otel_service_name.empty() ? service.name : service.otel_service_name] = index;
  }
  by_workload_.emplace("istio-system/istio-ingressgateway", kGatewayService);
  by_workload_.emplace(topology.ns + "/loadgen", kClientService);
}

int Classifier::service_of_workload(std::string_view pod, std::string_view ns) const {
  std::string key(ns);
  key += '/';
  key += deployment_of(pod);
  const auto found = by_workload_.find(key);
  return found == by_workload_.end() ? kUnknownService : found->second;
}

int Classifier::service_of_host(std::string_view host) const {
  const auto found = by_host_.find(std::string(host));
  return found == by_host_.end() ? kUnknownService : found->second;
}

SpanInfo Classifier::classify(const Span& span) const {
  SpanInfo info;
  info.mesh = is_mesh_span(span);
  if (!info.mesh) {
    const auto found = by_otel_name_.find(std::string(span.resource->service_name));
    if (found != by_otel_name_.end()) info.service = found->second;
    return info;
  }
  std::string_view node_id;
  bool has_upstream_address = false;
  for (const Attribute& attribute : span.attributes) {
    if (attribute.value.type != AnyValue::Type::kString) continue;
    const std::string_view key = attribute.key;
    const std::string_view value = attribute.value.text;
    if (key == "node_id") node_id = value;
    else if (key == "http.url") info.url = value;
    else if (key == "http.method") info.method = value;
    else if (key == "guid:x-request-id") info.request_id = value;
    else if (key == "upstream_cluster") info.cluster = value;
    else if (key == "upstream_address") has_upstream_address = true;
    else if (key == "response_flags") info.response_flags = value;
    else if (key == "istio.canonical_revision") info.revision = value;
    else if (key == "error") info.error_tag = value == "true";
    else if (key == "canceled") info.canceled = value == "true";
    else if (key == "http.status_code") std::from_chars(value.data(), value.data() + value.size(), info.http_status);
  }
  if (info.revision.empty()) info.revision = span.resource->attributes.text("istio.canonical_revision");
  if (starts_with(info.cluster, "outbound|"))
    info.peer = service_of_host(info.cluster.substr(info.cluster.rfind('|') + 1));
  const NodeId node = parse_node_id(node_id);
  info.pod = node.pod;
  info.pod_namespace = node.ns;
  if (node_id.empty() && (has_upstream_address || starts_with(span.name, "router "))) {
    info.role = ProxyRole::kGatewayClient;
    info.service = kGatewayService;
    return info;
  }
  info.service = service_of_workload(node.pod, node.ns);
  if (node.type == "router") {
    info.role = ProxyRole::kGatewayServer;
  } else if (starts_with(info.cluster, "inbound|") || info.cluster == "InboundPassthroughCluster") {
    info.role = ProxyRole::kInbound;
  } else if (!info.cluster.empty()) {
    info.role = ProxyRole::kOutbound;
  } else {
    info.role = span.kind == SpanKind::kServer ? ProxyRole::kInbound : ProxyRole::kOutbound;
  }
  return info;
}

std::string Classifier::service_label(int service) const {
  if (service == kGatewayService) return "gateway";
  if (service == kClientService) return "loadgen";
  return service >= 0 && service < static_cast<int>(topology_.services.size()) ? topology_.services[service].name : "?";
}

}  // namespace hopcheck::check
