// Expansion: scenario × topology × mesh profile → the expected tree of every (journey, variant). Pure; derived counts
// (2N mesh spans for N hops, gateway +1 or +2) come out of this and are never written in a scenario.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/expectation.h"
#include "model/scenario.h"

namespace hopcheck::plan {

// Which profile each workload's proxy follows: bound per workload, so that a mixed mesh expands to a mixed tree.
// Pointers must outlive the expansion.
struct ProfileBinding {
  const MeshProfile* fallback = nullptr;
  std::map<int, const MeshProfile*> by_service;  // topology index, kGatewayService or kClientService
  const MeshProfile& of(int service) const;
};

struct Expansion {
  std::vector<ExpectedTree> trees;          // grouped by journey, variants of one journey adjacent
  std::vector<std::vector<int>> by_journey; // journey index → tree indices; index i of Scenario::load.journeys
};

// Limits: 4096 spans per tree, 64 variants per journey; beyond them kUsage.
Result<Expansion> expand(const Scenario& scenario, const ProfileBinding& binding);

// Profile by exact minor; else (vendor suffix stripped) the nearest lower minor, with `note` saying so; null when none
// is lower.
const MeshProfile* choose_profile(const std::vector<MeshProfile>& profiles, const std::string& istio_version,
                                  std::string& note);
// The same for what a person or a mesh says it runs; kUsage when no profile fits, with the reason that the oldest one
// gives (a version below it lacks what the telemetry configuration needs: row D-01).
Result<const MeshProfile*> profile_for(const std::vector<MeshProfile>& profiles, const std::string& istio_version,
                                       std::string& note);
// The profile whose envoy_minor the long version string "<sha>/1.38.3/Clean/RELEASE/BoringSSL" names; null when none.
const MeshProfile* profile_of_envoy(const std::vector<MeshProfile>& profiles, std::string_view sdk_version);
// "1.38" of such a string; "" when malformed.
std::string envoy_minor_of(std::string_view sdk_version);

}  // namespace hopcheck::plan
