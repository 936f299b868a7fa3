// Which profile a version follows: the part of expand.h that looks at no topology.
#include <fmt/format.h>

#include "base/text.h"
#include "plan/expand.h"

namespace hopcheck::plan {

std::string envoy_minor_of(std::string_view sdk_version) {
  // <sha>/<version>/<Clean|Modified>/<RELEASE|DEBUG>/<ssl>: the second field, its first two numbers.
  const auto fields = split(sdk_version, '/');
  if (fields.size() < 2) return "";
  const auto numbers = split(fields[1], '.');
  return numbers.size() < 2 ? "" : std::string(numbers[0]) + "." + std::string(numbers[1]);
}

const MeshProfile* profile_of_envoy(const std::vector<MeshProfile>& profiles, std::string_view sdk_version) {
  const std::string minor = envoy_minor_of(sdk_version);
  for (const MeshProfile& profile : profiles) {
    if (!minor.empty() && profile.envoy_minor == minor) return &profile;
  }
  return nullptr;
}

const MeshProfile* choose_profile(const std::vector<MeshProfile>& profiles, const std::string& istio_version,
                                  std::string& note) {
  const auto minor_number = [](std::string_view version) {
    const auto parts = split(version, '.');
    if (parts.size() < 2) return -1;
    int value = 0;
    for (char c : parts[1]) {
      if (c < '0' || c > '9') break;
      value = value * 10 + (c - '0');
      if (value > 100000) return -1;
    }
    return value;
  };
  const int wanted = minor_number(istio_version);
  const MeshProfile* best = nullptr;
  for (const MeshProfile& profile : profiles) {
    const int own = minor_number(profile.istio_minor);
    if (own <= wanted && (best == nullptr || own > minor_number(best->istio_minor))) best = &profile;
  }
  if (best != nullptr && minor_number(best->istio_minor) != wanted) {
    note = fmt::format("Istio {} has no profile of its own: judged by {} (nearest lower minor)", istio_version,
                       best->name);
  }
  return best;
}

Result<const MeshProfile*> profile_for(const std::vector<MeshProfile>& profiles, const std::string& istio_version,
                                       std::string& note) {
  const MeshProfile* found = choose_profile(profiles, istio_version, note);
  if (found != nullptr) return found;
  std::string names, reason;
  for (const MeshProfile& profile : profiles) {
    names += (names.empty() ? "" : ", ") + profile.name;
    if (!profile.before.text.empty()) reason = profile.before.text;
  }
  return fail(ErrorKind::kUsage, fmt::format("no mesh profile for Istio {}", printable(istio_version)),
              reason.empty() ? fmt::format("fixtures/profiles has {}", names) : reason,
              fmt::format("use a version of {}", names));
}

}  // namespace hopcheck::plan
