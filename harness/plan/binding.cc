#include "plan/binding.h"

#include <fmt/format.h>

namespace hopcheck::plan {

Result<void> bind_declared(const Scenario& scenario, const std::vector<MeshProfile>& profiles,
                           ProfileBinding& binding) {
  for (const auto& [service, version] : scenario.environment.proxy_versions) {
    const int index = scenario.topology.find(service);
    std::string note;
    const MeshProfile* profile = choose_profile(profiles, version, note);
    if (index < 0 || profile == nullptr) {
      return fail(ErrorKind::kUsage,
                  fmt::format("scenario {}: the proxies of {} have no profile", scenario.name, service),
                  fmt::format("no profile for Istio {}", version), "name a version that fixtures/profiles has");
    }
    binding.by_service[index] = profile;
  }
  return {};
}

}  // namespace hopcheck::plan
