// Which profile the proxies of a mixed mesh follow: as the scenario declares it (environment.proxyVersions). Pure.
#pragma once

#include <vector>

#include "base/result.h"
#include "plan/expand.h"

namespace hopcheck::plan {

// Binds the services that the scenario gives a proxy of a version of their own; a declared version stands before what
// the spans say (a proxy that is of another one is then a finding). Error kUsage: no profile for a version.
Result<void> bind_declared(const Scenario& scenario, const std::vector<MeshProfile>& profiles, ProfileBinding& binding);

}  // namespace hopcheck::plan
