// What the managed walkthrough says of its Collector, as claims a file can be held to (conformance rows M-03, M-30 to
// M-33 and M-35). A file rewritten for a later Collector keeps them: where the claim names what that Collector renamed,
// the later name counts as well. Source: the walkthrough's manifest, fixtures/walkthrough/otel.yaml. Pure.
#pragma once

#include <string>
#include <vector>

#include "otelcol/finding.h"
#include "otelcol/manifest.h"
#include "otelcol/version.h"

namespace hopcheck::otelcol {

struct ClaimContext {
  Version version;                                   // of the image
  std::string name_space = "observability";          // where the objects are applied
  std::string token_header = "Authentication";       // whose value is the backend's token
};
// One finding for each claim that does not hold, with its row; sorted.
std::vector<Finding> find_broken_claims(const Manifest& manifest, const ClaimContext& context);

}  // namespace hopcheck::otelcol
