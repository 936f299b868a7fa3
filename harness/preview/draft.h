// A profile drafted from a capture: what the spans in it say differently from a base profile, as a file that extends
// the base (docs/adr/0010), for a person to review. Only what a capture can show is compared: no topology, no scenario,
// so names are checked by their form and service.name not at all. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/mesh_profile.h"
#include "model/span.h"

namespace hopcheck::preview {

struct DraftOptions {
  std::string capture;      // how sources call it: "captures NAME"
  std::string istio_minor;  // of the draft; "" = the base's
};

// One fact that the capture shows otherwise: seen on `count` of the `of` spans that could show it.
struct DraftDifference {
  std::string fact;  // "scope", "resource telemetry.sdk.name", "outbound http.url", "status CLIENT 400" …
  std::string base, seen;
  size_t count = 0, of = 0;
  bool drafted = false;  // said in the draft; else only some spans show it, and a person decides
};

struct Draft {
  std::map<ProxyRole, size_t> spans;
  std::vector<DraftDifference> differences;
  std::vector<std::string> not_shown;  // facts of the base about which this capture says nothing
  std::string yaml;                    // the file
};
// kUsage: no mesh span in it, or spans of several Envoy minors.
Result<Draft> draft_profile(const std::vector<Span>& spans, const MeshProfile& base, const DraftOptions& options);

std::string review_text(const Draft& draft, const MeshProfile& base, const DraftOptions& options);

}  // namespace hopcheck::preview
