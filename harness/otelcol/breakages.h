// What of an old Collector configuration a later Collector refuses or understands otherwise, and what is wrong with it
// in any version. Only what the walkthrough's manifest brings up is known here; the Collector itself stays the judge of
// everything else. Pure.
//
// Sources, read in the releases' own texts:
//   exporter `logging`: deprecated in v0.86.0, which brings `debug`; removed in v0.111.0 (collector CHANGELOG)
//   `loglevel` of it: deprecated for `verbosity` in v0.63.0 (collector CHANGELOG); its levels:
//   loggingexporter/config.go
//     of v0.85.0: debug = detailed, info = normal, warn and above = basic. Without either, logging said normal, while
//     debug says basic (debugexporter/factory.go)
//   default addresses: 0.0.0.0 before, localhost from v0.104.0 (collector CHANGELOG; the contrib components follow
//     the same feature gate)
//   `health_check.port`: in the extension's Config of v0.54.0, not in that of v0.58.0 (contrib #10853)
//   exporters `otlp` and `otlphttp`: `otlp_grpc` and `otlp_http` since v0.144.0, the old names stay as aliases
//     (collector CHANGELOG)
#pragma once

#include <vector>

#include "otelcol/finding.h"
#include "otelcol/manifest.h"
#include "otelcol/version.h"

namespace hopcheck::otelcol {

inline constexpr Version kDebugExporter{0, 86, 0};
inline constexpr Version kNoLogging{0, 111, 0};
inline constexpr Version kLocalhost{0, 104, 0};
inline constexpr Version kNoHealthPort{0, 58, 0};
inline constexpr Version kRenamedOtlp{0, 144, 0};

// Sorted.
std::vector<Finding> find_breakages(const Manifest& manifest, const Version& target);

// "detailed" for "debug" …; "" when logging knew no such level.
std::string verbosity_of(const std::string& loglevel);

// Every component that a service of the configuration uses, by section: receivers of all pipelines and so on.
std::vector<const Node*> used(const Configuration& configuration, std::string_view section);
// Ports the configuration listens on, of OTLP receivers, health checks and whatever names an endpoint.
std::vector<int> listening_ports(const Configuration& configuration);
// "0.0.0.0:4317" → 4317; 0 when there is none.
int port_of(std::string_view endpoint);

}  // namespace hopcheck::otelcol
