// docs/what-istio-exports.md: what leaves which proxy in which version, with proof level and source, from the profiles
// alone. A test compares the file in the checkout with this. Pure.
#pragma once

#include <string>
#include <vector>

#include "model/mesh_profile.h"

namespace hopcheck::preview {

std::string exports_markdown(const std::vector<MeshProfile>& profiles);

}  // namespace hopcheck::preview
