#include "mesh/images.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "config/load.h"
#include "mesh/manifests.h"
#include "mesh/preflight.h"
#include "testing/claims.h"

namespace hopcheck::mesh {
namespace {

constexpr const char* kHead = "apiVersion: hopcheck.dev/v1alpha1\nkind: Images\n";

Result<void> merge(Images& images, const std::string& spec, bool is_default = false) {
  return merge_images(images, {kHead + spec, "f.yaml", "/etc/mirror", is_default});
}

std::string error_of(const std::string& spec) {
  Images images;
  const Result<void> merged = merge(images, spec);
  return merged ? "" : merged.error().what + (merged.error().why.empty() ? "" : "; " + merged.error().why);
}

TEST(Images, ShippedFileLoads) {
  ::unsetenv("HOPCHECK_IMAGES");
  const Result<Images> images = load_images("kind/images.yaml", "", {});
  ASSERT_TRUE(images.has_value()) << to_text(images.error());
  EXPECT_EQ(images->pull_policy, "IfNotPresent");
  EXPECT_EQ(images->wishes.size(), images->roles.size()) << "roles of the default file are wishes";
  EXPECT_TRUE(select_istio(*images, "").has_value());
  EXPECT_TRUE(select_istio(*images, "1.31").has_value());
  EXPECT_FALSE(images->unverified.empty());
}

TEST(Images, OverrideIsMergedFieldByField) {
  Images images;
  ASSERT_TRUE(merge(images,
                    "spec:\n  node: a/node:1\n  collector: a/col:1\n  images: {redis: r:1, amqp: q:1}\n  unverified: "
                    "[node, collector]\n",
                    true));
  ASSERT_TRUE(merge(images, "spec:\n  node: b/node:2\n  images: {redis: r:2}\n  pullPolicy: Never\n"));
  EXPECT_EQ(images.node, "b/node:2");
  EXPECT_EQ(images.collector, "a/col:1");
  EXPECT_EQ(images.roles.at("redis"), "r:2");
  EXPECT_EQ(images.roles.at("amqp"), "q:1");
  EXPECT_EQ(images.wishes, std::vector<std::string>{"amqp"}) << "what an override names is an order";
  EXPECT_EQ(images.unverified, std::vector<std::string>{"collector"});
  EXPECT_EQ(images.pull_policy, "Never");
}

TEST(Images, RelativePathsAreThoseOfTheFile) {
  Images images;
  ASSERT_TRUE(merge(images,
                    "spec:\n  istio:\n    hub: h\n    tag: 1.30.4-dev\n    overlay: over/lay.yaml\n"
                    "    versions: [{version: 1.30.4-dev, istioctl: bin/istioctl}, {version: 1.31.0-dev, istioctl: "
                    "/opt/istioctl, hub: h2}]\n"));
  const Result<IstioVersion> istio = select_istio(images, "1.30");
  ASSERT_TRUE(istio.has_value());
  EXPECT_EQ(istio->overlay, "/etc/mirror/over/lay.yaml");
  EXPECT_EQ(istio->istioctl, "/etc/mirror/bin/istioctl");
  EXPECT_EQ(pilot_image(*istio), "h/pilot:1.30.4-dev");
  const Result<IstioVersion> other = select_istio(images, "1.31");
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->istioctl, "/opt/istioctl");
  EXPECT_EQ(proxy_image(*other), "h2/proxyv2:1.31.0-dev");
}

TEST(Images, VersionsMatchByDottedPrefixOnly) {
  Images images;
  ASSERT_TRUE(
      merge(images, "spec: {istio: {hub: h, tag: 1.31.0, versions: [{version: 1.310.0}, {version: 1.31.0}]}}\n"));
  EXPECT_EQ(select_istio(images, "1.31")->version, "1.31.0");
  EXPECT_EQ(select_istio(images, "")->version, "1.31.0");
  const Result<IstioVersion> unknown = select_istio(images, "1.3");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(to_text(unknown.error()),
            "error: unknown Istio version 1.3\n  why: the images file knows 1.310.0, 1.31.0\n"
            "  fix: pick one of them with --istio, or add it to spec.istio.versions of f.yaml\n");
}

// Row M-90, as far as it goes without the release: its archive's istioctl and images are named in the images file, the
// operator asks for them, and a profile says what its proxies emit.
TEST(Images, AnUnpackedReleaseIsUsedByItsVersion) {
  proof::claim({"M-90"}, Polarity::kPositive, ProofKind::kSource);
  Images images;
  ASSERT_TRUE(merge(images, "spec: {istio: {hub: mirror.test/istio, tag: 1.25.2, versions: "
                            "[{version: 1.25.2, istioctl: ./istio-1.25.2/bin/istioctl}]}}\n"));
  const Result<IstioVersion> istio = select_istio(images, "1.25");
  ASSERT_TRUE(istio.has_value()) << to_text(istio.error());
  EXPECT_EQ(istio->version, "1.25.2");
  EXPECT_EQ(istio->istioctl, "/etc/mirror/istio-1.25.2/bin/istioctl");
  const Result<std::string> text = istio_operator(".", *istio, {}, "");
  ASSERT_TRUE(text.has_value()) << to_text(text.error());
  EXPECT_NE(text->find("hub: \"mirror.test/istio\"\n  tag: \"1.25.2\"\n"), std::string::npos) << *text;
  const auto profiles = config::load_profiles({"."});
  ASSERT_TRUE(profiles.has_value());
  EXPECT_TRUE(std::any_of(profiles->begin(), profiles->end(),
                          [](const MeshProfile& profile) { return profile.istio_minor == "1.25"; }));
}

TEST(Images, AReleaseThatNobodyUnpackedIsNamed) {
  proof::claim({"M-90"}, Polarity::kNegative, ProofKind::kSource);
  Images images;
  ASSERT_TRUE(merge(images, "spec: {istio: {hub: h, tag: 1.30.4, versions: [{version: 1.30.4}]}}\n"));
  const Result<IstioVersion> unknown = select_istio(images, "1.25.2");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().what, "unknown Istio version 1.25.2");
  const Result<std::string> istioctl = find_istioctl({"1.25.2", "1.25.2", "h", "/nowhere/istioctl", ""});
  ASSERT_FALSE(istioctl.has_value());
  EXPECT_NE(istioctl.error().what.find("istioctl"), std::string::npos) << to_text(istioctl.error());
}

TEST(Images, AllProblemsAtOnceWithLines) {
  EXPECT_EQ(error_of("spec:\n  nod: x\n  collector: <collector-image>\n  pullPolicy: Sometimes\n  istio:\n    "
                     "versions: [{tag: a}]\n"),
            "f.yaml:4:3: unknown field \"nod\" in spec; did you mean \"node\"?; "
            "f.yaml:5:14: collector: \"<collector-image>\" looks like a placeholder that was left in; "
            "f.yaml:8:16: an Istio version needs the field \"version\"; "
            "f.yaml:6:15: pullPolicy must be Always, IfNotPresent or Never");
  EXPECT_EQ(error_of("spec: {node: a, node: b}\n"), "f.yaml:3:17: field \"node\" is given twice in spec");
  EXPECT_EQ(error_of("spec: {images: [a]}\n"), "f.yaml:3:16: images must be a mapping of names to text");
  EXPECT_NE(error_of("spec: [").find("not YAML"), std::string::npos);
  Images images;
  EXPECT_FALSE(merge_images(images, {"kind: Suite\n", "g.yaml", "/", false}).has_value());
  EXPECT_FALSE(merge_images(images, {"", "g.yaml", "/", false}).has_value());
}

TEST(Images, RolesOnTheCommandLineWin) {
  ::unsetenv("HOPCHECK_IMAGES");
  const Result<Images> images = load_images("kind/images.yaml", "", {{"node", "n:9"}, {"bookinfo-ratings", "r:9"}});
  ASSERT_TRUE(images.has_value());
  EXPECT_EQ(images->node, "n:9");
  EXPECT_EQ(images->roles.at("bookinfo-ratings"), "r:9");
  const Result<Images> refused = load_images("kind/images.yaml", "", {{"pilot", "p:1"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
}

TEST(Images, MissingFileAndMissingFieldsAreUsageErrors) {
  const Result<Images> missing = load_images("kind/images.yaml", "/nonexistent/images.yaml", {});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::kUsage);
  const std::string file = ::testing::TempDir() + "/half.yaml";
  std::ofstream(file) << kHead << "spec: {node: n:1}\n";
  const Result<Images> half = load_images(file, "", {});
  ASSERT_FALSE(half.has_value());
  EXPECT_EQ(half.error().what, "images file: spec.collector is missing");
}

}  // namespace
}  // namespace hopcheck::mesh
