// How workloads come into a mesh: by the namespace's label, by a revision's, by a label of the pod. The spans of the
// same journeys must be the same (row O-09). And a run leaves the control plane as it found it (row O-08). Labels of
// the demo's namespace and of its Deployments are changed, and put back at the end. Part of live_test.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/live_cluster.h"
#include "mesh/process.h"
#include "testing/claims.h"

namespace hopcheck {
namespace {

constexpr const char* kNs = "hop-checkout";
constexpr const char* kInject = "sidecar.istio.io/inject";
const std::vector<std::string> kDeployments = {"frontend", "checkout", "payments"};

std::string deployment_path(const std::string& name) {
  return fmt::format("/apis/apps/v1/namespaces/{}/deployments/{}", kNs, name);
}

class Enrolment : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.open();
    ASSERT_TRUE(cluster_.is_open());
    std::string pattern = testing::TempDir() + "hopcheck-enrolment-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (cluster_.is_open() && changed_) enrol(R"({"istio-injection":"enabled","istio.io/rev":null})", "null");
    std::filesystem::remove_all(folder_);
  }

  // Labels of the namespace, then of every Deployment's pods, which are made anew.
  void enrol(const std::string& namespace_labels, const std::string& pod_label) {
    changed_ = true;
    cluster_.patch(std::string("/api/v1/namespaces/") + kNs, R"({"metadata":{"labels":)" + namespace_labels + "}}");
    for (const std::string& name : kDeployments) {
      cluster_.patch(deployment_path(name),
                     fmt::format(R"({{"spec":{{"template":{{"metadata":{{"labels":{{"{}":{}}}}}}}}}}})", kInject,
                                 pod_label));
      cluster_.restart({kNs, name}, "app=" + name);
    }
  }

  int hopcheck(std::vector<std::string> arguments) {
    const char* build = std::getenv("BUILD");
    mesh::ProcessSpec spec;
    spec.argv = {std::string(build == nullptr ? "build" : build) + "/hopcheck"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.env = {{"HOPCHECK_PROOFS", "off"}};
    spec.timeout_ms = 180'000;
    const auto done = mesh::make_process_runner()->run(spec, never_);
    EXPECT_TRUE(done);
    return done ? done->exit_code : -1;
  }
  int drive(const std::string& name) {
    return hopcheck({"run", "scenarios/core/checkout-gateway.yaml", "--provider", "kind", "--env",
                     cluster_.record().id, "--requests", "40", "--progress", "none", "--out", folder_ + "/" + name});
  }
  int compare(const std::string& a, const std::string& b) {
    return hopcheck({"compare", folder_ + "/" + a, folder_ + "/" + b});
  }
  proof::Versions istio() const { return {cluster_.record().istio_version, ""}; }

  std::string read(const std::string& path) {
    mesh::KubeRequest request;
    request.path = path;
    return cluster_.request(request).body;
  }
  // What an installation of the mesh would write anew: object → its resource version, without status.
  std::map<std::string, std::string> control_plane() {
    std::map<std::string, std::string> out;
    for (const char* path : {"/apis/apps/v1/namespaces/istio-system/deployments/istiod",
                             "/apis/apps/v1/namespaces/istio-system/deployments/istio-ingressgateway",
                             "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/"
                             "istio-sidecar-injector"}) {
      const auto object = nlohmann::json::parse(read(path), nullptr, false);
      out[path] = object.is_object() ? object["metadata"]["generation"].dump() : "missing";
    }
    const std::string config = "/api/v1/namespaces/istio-system/configmaps/istio";
    out[config] = cluster_.text_at(config, "/metadata/resourceVersion");
    return out;
  }

  LiveCluster cluster_;
  std::string folder_;
  bool changed_ = false;
  const std::atomic<bool> never_{false};
};

TEST_F(Enrolment, ByRevisionOrByPodGivesTheSameSpansAsByNamespace) {
  proof::claim({"O-09"}, Polarity::kPositive, ProofKind::kLive, istio());
  ASSERT_EQ(drive("namespace"), 0);
  enrol(R"({"istio-injection":null,"istio.io/rev":"default"})", "null");
  EXPECT_EQ(drive("revision"), 0);
  EXPECT_EQ(compare("namespace", "revision"), 0);
  enrol(R"({"istio-injection":null,"istio.io/rev":null})", "\"true\"");
  EXPECT_EQ(drive("pod"), 0);
  EXPECT_EQ(compare("namespace", "pod"), 0);
}

TEST_F(Enrolment, WithoutAnyOfThemThereAreNoSpansOfTheseWorkloads) {
  proof::claim({"O-09"}, Polarity::kNegative, ProofKind::kLive, istio());
  enrol(R"({"istio-injection":null,"istio.io/rev":null})", "null");
  EXPECT_EQ(drive("none"), 1);
}

TEST_F(Enrolment, ARunLeavesTheControlPlaneAsItIs) {
  proof::claim({"O-08"}, Polarity::kPositive, ProofKind::kLive, istio());
  const auto before = control_plane();
  ASSERT_EQ(before.size(), 4u);
  ASSERT_EQ(drive("run"), 0);
  EXPECT_EQ(control_plane(), before);
}

TEST_F(Enrolment, WhateverWritesToTheControlPlaneIsSeen) {
  proof::claim({"O-08"}, Polarity::kNegative, ProofKind::kLive, istio());
  const auto before = control_plane();
  const std::string config = "/api/v1/namespaces/istio-system/configmaps/istio";
  cluster_.patch(config, R"({"metadata":{"annotations":{"hopcheck.dev/touched":"yes"}}})");
  EXPECT_NE(control_plane(), before);
  cluster_.patch(config, R"({"metadata":{"annotations":{"hopcheck.dev/touched":null}}})");
}

}  // namespace
}  // namespace hopcheck
