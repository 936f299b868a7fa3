// The Kubernetes objects around a Collector: what does not fit together in any version (a Service that selects no pod,
// a configuration that is mounted nowhere), and what is good to know. Pure.
#pragma once

#include <vector>

#include "otelcol/finding.h"
#include "otelcol/manifest.h"
#include "otelcol/version.h"

namespace hopcheck::otelcol {

// Sorted; nothing for a file that is the configuration alone.
std::vector<Finding> find_object_problems(const Manifest& manifest, const Version& target);

}  // namespace hopcheck::otelcol
