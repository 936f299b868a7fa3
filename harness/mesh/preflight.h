// What must be there before anything is made: tools, Docker, images, a free port. Each failure is a kEnvironment (or,
// for a bad file, kUsage) error that names the thing and the fix.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/cluster.h"
#include "mesh/images.h"
#include "mesh/process.h"

namespace hopcheck::mesh {

struct NeededImage {
  std::string role, reference, id;  // id once it is known to be in the local engine
};

// Docker answers; else an error that tells "not installed" from "not running" from "no permission".
Result<void> check_docker(ProcessRunner& runner, const Tools& tools, const std::atomic<bool>& stop);
// Why the engine cannot serve these images, "" = it can: does not answer within a second, or lacks an image that may
// not be or, asked for the first one missing within 2.5 s, cannot be pulled. Pulls nothing.
Result<std::string> obstacle_in_docker(ProcessRunner& runner, const Tools& tools, const std::string& pull_policy,
                                       const std::vector<NeededImage>& images, const std::atomic<bool>& stop);
// The istioctl of that version: its path if the images file names one, else istioctl-<version>, else istioctl.
Result<std::string> find_istioctl(const IstioVersion& istio);
// Fills the ids of images that the local engine has; what is missing is pulled when the policy allows, else an error.
Result<void> provide_images(ProcessRunner& runner, const Tools& tools, const std::string& pull_policy,
                            std::vector<NeededImage>& images, const std::atomic<bool>& stop);
// Role images that are at hand; those that are wishes and missing are left out (no pull unless `pull_wishes`).
struct RoleRequest {
  const Images* images = nullptr;
  std::vector<std::string> roles;
  enum class Wishes { kPull, kLocalOnly } wishes = Wishes::kLocalOnly;
};
Result<std::vector<NeededImage>> provide_roles(ProcessRunner& runner, const Tools& tools, const RoleRequest& request,
                                               const std::atomic<bool>& stop);
// A free port of 127.0.0.1, or the wanted one if it is free.
Result<uint16_t> pick_port(uint16_t wanted);
// scripts/build-image: packs the programs of `build_dir`, returns the image's name.
struct HarnessBuild {
  std::string share, build_dir;
};
Result<std::string> build_harness_image(ProcessRunner& runner, const Tools& tools, const HarnessBuild& build,
                                        const std::atomic<bool>& stop);

// Role → image, of those that scripts/role-image has made on this machine; none where the script or Docker says no.
std::map<std::string, std::string> made_role_images(ProcessRunner& runner, const std::string& share,
                                                    const std::atomic<bool>& stop);

}  // namespace hopcheck::mesh
