// What the mesh spans of a capture have in common, by proxy side: the material of a draft. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/mesh_profile.h"
#include "model/span.h"

namespace hopcheck::preview {

struct Sighting {
  const Span* span = nullptr;
  ProxyRole role = ProxyRole::kNone;
  std::string_view cluster, authority;
  int status = -1;      // http.status_code, -1 absent
  bool failed = false;  // 4xx, 5xx or none sent: values and routed attributes are not asked of it
  bool odd = false;     // replaced, disconnected or gRPC: has a status of its own
};

// The mesh spans, with the side each comes from: node_id, the spawned span's name, upstream_cluster, kind.
std::vector<Sighting> sightings(const std::vector<Span>& spans);
// Envoy minors that they name.
std::set<std::string> envoy_minors(const std::vector<Sighting>& seen);

// Whether a value or name fits a profile's template on this span: {cluster} and {authority} exactly, other placeholders
// by their form.
bool fits(const std::string& rule, std::string_view text, const Sighting& seen);

}  // namespace hopcheck::preview
