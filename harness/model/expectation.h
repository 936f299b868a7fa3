// The tree of spans one request must leave. Interned per (journey, profile, outcome class, variant): a request holds an
// index.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/mesh_profile.h"
#include "model/span.h"

namespace hopcheck {

// Pseudo service indices beside 0 … services.size()-1.
inline constexpr int kGatewayService = -2;
inline constexpr int kClientService = -3;  // the meshed load pod

// An attribute as this span must carry it: the profile's template with everything known filled in.
struct ExpectedAttribute {
  std::string key;
  std::string value;   // exact text, or a regular expression (full match) when `regex`; "" = any value
  bool regex = false;
  AttributeRule::When when = AttributeRule::When::kAlways;
  AttributeRule::Type type = AttributeRule::Type::kString;
};

struct ExpectedSpan {
  int parent = -1;  // index into ExpectedTree::spans, always smaller than its own; -1 = root (our parent id, or none)
  ProxyRole role = ProxyRole::kNone;
  int service = 0;  // whose proxy or app emits it
  int peer = -1;    // the other end of the hop (proxy spans), -1 for app spans
  SpanKind kind = SpanKind::kUnspecified;
  std::string name;
  std::string service_name;         // resource service.name
  std::string method;               // proxy spans that carry http.method
  std::string path;                 // without query; "" = not asked
  std::string host;                 // route: FQDN of the called service
  uint16_t port = 0;                // route: service port
  std::string route = "/*";         // route: what its match adds to the operation, "/slow*" for prefix /slow
  std::string cluster;              // upstream_cluster
  const SpanRule* rule = nullptr;   // of the profile; null for app spans. The profile outlives the tree.
  int http_status = 200;            // 0 = not asked
  std::string response_flag;        // one flag that must be set, "-" = none may be; "" = not asked
  std::string workload;             // Deployment that emits it, "" = any of the service's
  std::string workload_namespace;
  std::string envoy_minor;          // of the profile; "" for app spans
  const MeshProfile* profile = nullptr;  // of the proxy; null for app spans. Outlives the tree.
  std::string scope;                // app spans: name of the instrumentation scope; "" = not asked
  std::vector<ExpectedAttribute> attributes;  // of proxies, and of SDKs whose facts are known
  std::vector<ExpectedAttribute> resource;
};

struct ExpectedTree {
  std::string journey;
  std::string variant;  // e.g. "reviews=v2"; "" when there is only one
  bool outside = false;  // the request goes to a place outside the topology: its spans are foreign to it
  // Which version of each service with several workloads takes part: read from the trace to choose the variant.
  std::vector<std::pair<int, std::string>> versions;
  std::vector<ExpectedSpan> spans;  // preorder; siblings are order-free
};

}  // namespace hopcheck
