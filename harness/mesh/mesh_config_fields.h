// MeshConfig field by field, so that what was asked for and what istiod has can be compared and a difference named; and
// the same settings as Helm values of chart istiod. Sources: Istio's MeshConfig reference; IstioOperator's
// spec.values and spec.meshConfig are passed to the chart as they stand, hub and tag as global.hub and global.tag.
// Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

// "extensionProviders[otel-tracing].opentelemetry.port" → "4317". A list's item goes by its `name`, else by its place.
// An empty mapping reads "{}", an empty list "[]". The values of headers are hidden. At most 64 levels and 100 000
// fields. kEvidence for text that is no YAML mapping.
Result<std::map<std::string, std::string>> mesh_config_fields(const std::string& text);

// IstioOperator texts, later ones laid over earlier ones, as a values file. kUsage for text that is none.
Result<std::string> helm_values(const std::vector<std::string>& operators);

}  // namespace hopcheck::mesh
