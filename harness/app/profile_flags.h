// --profile, --topology, --entry, --naming …: the question that explain and compare answer from profiles alone.
#pragma once

#include <string>
#include <vector>

#include "app/verbs.h"
#include "base/result.h"
#include "preview/outline.h"

namespace hopcheck::app {

struct ProfileFlags {
  std::vector<std::string> profiles;
  std::string topology = "checkout", entry = "gateway", naming = "APP_LABEL_AND_NAMESPACE", spawn = "default";
  std::string output;
};
void add_profile_flags(CLI::App& verb, ProfileFlags& flags);

Result<std::vector<MeshProfile>> read_profiles(const Context& context);
// By name, "istio-1.30" or "1.30"; kUsage with the nearest name, or why there is none.
Result<const MeshProfile*> pick_profile(const std::vector<MeshProfile>& profiles, const std::string& name);
Result<preview::Question> question_of(const ProfileFlags& flags, const Context& context);

}  // namespace hopcheck::app
