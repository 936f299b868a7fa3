// What a dry run shows for which --istio: the profile, and that the default is the one of the pins.
#include "app/run_request.h"

#include <gtest/gtest.h>

#include <fstream>

namespace hopcheck::app {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

Result<std::string> dry_run(const std::string& istio, const std::string& scenario = "core/checkout-gateway") {
  RunOptions options;
  options.paths = {kRoot + "/scenarios/" + scenario + ".yaml"};
  options.seed = 1;
  auto request = resolve_run(options, {kRoot}, {{"gateway", "injection", "grpc-export", "upgrade"}, istio});
  if (!request) return tl::unexpected(request.error());
  return dry_run_text(*request, istio, {"local", ""});
}

// The value of the line "  key: value" of a pins file; quotes are taken off.
std::string pin(const std::string& path, const std::string& key) {
  std::ifstream file(kRoot + "/" + path);
  std::string word;
  while (file >> word) {
    if (word != key) continue;
    file >> word;
    return word.front() == '"' ? word.substr(1, word.size() - 2) : word;
  }
  return "";
}

TEST(DryRun, BothProvidersDefaultToTheSameMinor) {
  const std::string istio = pin("kind/local-parts.yaml", "defaultIstio:");
  const auto text = dry_run(istio);
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_NE(text->find("\nprofile istio-" + istio + "\n"), std::string::npos) << *text;
  EXPECT_EQ(pin("kind/images.yaml", "tag:").rfind(istio + ".", 0), 0u) << "kind defaults to the same minor";
}

// Gateway, frontend and payments at 1.30, checkout at 1.31: each span is of its own proxy's profile, and a run of
// another Istio says why it leaves the scenario out.
TEST(DryRun, MixedMesh) {
  const auto text = dry_run("1.30.3", "extended/mixed-gateway");
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_NE(text->find("namespace hop-checkout-checkout-1-31"), std::string::npos) << *text;
  const auto other = dry_run("1.31.0", "extended/mixed-gateway");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::kNothing);
  EXPECT_NE(other.error().why.find("mixed-gateway needs Istio 1.30, this run has 1.31.0"), std::string::npos)
      << other.error().why;
}

TEST(DryRun, ProfileFollowsTheVersion) {
  for (const std::string istio : {"1.28", "1.29", "1.30", "1.31"}) {
    const auto text = dry_run(istio + ".1");
    ASSERT_TRUE(text) << text.error().what;
    EXPECT_NE(text->find("\nprofile istio-" + istio + "\n"), std::string::npos) << *text;
    EXPECT_EQ(text->find("\nnote "), std::string::npos);
    EXPECT_NE(text->find("POST /checkout: 12 spans"), std::string::npos) << *text;
  }
  const auto later = dry_run("1.35");
  ASSERT_TRUE(later);
  EXPECT_NE(later->find("\nprofile istio-1.31\nnote Istio 1.35 has no profile of its own"), std::string::npos)
      << *later;
  const auto earlier = dry_run("1.12");
  ASSERT_FALSE(earlier);
  EXPECT_EQ(earlier.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(earlier.error().what, "no mesh profile for Istio 1.12");
}

}  // namespace
}  // namespace hopcheck::app
