// What one observed span is, relative to a topology: mesh or app, which proxy side, whose, towards whom. Pure.
// Mesh spans are told by scope `envoy` or attribute component=proxy (facts 1.1, 1.5; rows O-50, O-51, D-13), their
// workload by node_id (the spawned gateway span has none: by its name and cluster), never by service.name, which is
// itself judged.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "model/expectation.h"
#include "model/scenario.h"

namespace hopcheck::check {

inline constexpr int kUnknownService = -1;

struct SpanInfo {
  bool mesh = false;
  ProxyRole role = ProxyRole::kNone;
  int service = kUnknownService;  // topology index, kGatewayService, kClientService
  int peer = kUnknownService;     // called service of outbound and gateway spans
  std::string_view pod, pod_namespace;
  std::string_view url, method, request_id, cluster, revision;
  std::string_view response_flags;
  int http_status = -1;  // -1: attribute absent
  bool error_tag = false;
  bool canceled = false;
};

class Classifier {
 public:
  explicit Classifier(const Topology& topology);
  SpanInfo classify(const Span& span) const;
  // Name for findings and hops: the service's, "gateway" or "loadgen".
  std::string service_label(int service) const;

 private:
  int service_of_workload(std::string_view pod, std::string_view ns) const;
  int service_of_host(std::string_view host) const;

  const Topology& topology_;
  std::unordered_map<std::string, int> by_workload_;  // "<ns>/<deployment>"
  std::unordered_map<std::string, int> by_host_;      // FQDN
  std::unordered_map<std::string, int> by_otel_name_; // app service.name
};

// The proxy or pod a mesh span comes from without a topology: "<pod>.<ns>" of node_id, else service.name.
std::string_view proxy_key(const Span& span);
bool is_mesh_span(const Span& span);
// Path of a URL "http://host/path?query": between authority and '?'.
std::string_view url_path(std::string_view url);
// "host:port" of such a URL; "" without one.
std::string_view url_authority(std::string_view url);

}  // namespace hopcheck::check
