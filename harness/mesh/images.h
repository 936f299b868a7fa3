// Which images and tools the kind provider uses: kind/images.yaml (pins), overridden field by field by --images FILE or
// $HOPCHECK_IMAGES and by --image ROLE=REF. Format: docs/reference/files.md, "Images and tools". Strict: every problem
// of a file is reported with its line. Roles of the default file are wishes (used where the image is at hand or can be
// pulled), roles of an override are orders.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

struct IstioVersion {
  std::string version;   // "1.30.4-dev", matched by dotted prefix
  std::string tag, hub;  // of pilot and proxyv2
  std::string istioctl;  // absolute path; "" = search by name (istioctl-<version>, then istioctl)
  std::string overlay;   // absolute path of an IstioOperator merged over ours; "" = none
};

struct Images {
  std::string node, collector;
  std::string hub, tag, overlay;  // the default Istio
  std::vector<IstioVersion> versions;
  std::map<std::string, std::string> roles;
  std::vector<std::string> wishes;           // roles that come from the default file alone
  std::string pull_policy = "IfNotPresent";  // Always | IfNotPresent | Never
  std::map<std::string, std::string> tools;  // name → version
  std::vector<std::string> unverified;       // whose digest or checksum was not read from the publisher
  std::vector<std::string> files;            // what was read, in order
};

// Text of one file laid over `images`; `folder` resolves relative paths.
struct ImagesSource {
  std::string text, file, folder;
  bool is_default = false;
};
Result<void> merge_images(Images& images, const ImagesSource& source);
// The default file, then `override_file` ("" = $HOPCHECK_IMAGES, when set), then role overrides (role "node" and
// "collector" too).
Result<Images> load_images(const std::string& default_file, const std::string& override_file,
                           const std::map<std::string, std::string>& role_overrides);
// By dotted prefix, the first that matches; "" = the default tag. kUsage error names the known ones.
Result<IstioVersion> select_istio(const Images& images, const std::string& prefix);
std::string pilot_image(const IstioVersion& istio);
std::string proxy_image(const IstioVersion& istio);

}  // namespace hopcheck::mesh
