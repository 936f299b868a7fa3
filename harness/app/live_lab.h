// The laboratory of the live exporter tests: a namespace with sinks that play managed backends, and meshed apps, each
// with a Telemetry object and an export provider of its own, so that one look at the sinks shows what every kind of
// provider does. Sinks: "vendor" asks for no token, "backend" for the environment's, "secure" for that and TLS. App
// "collected" uses the mesh's own provider, and thereby the Collector; "walked" the walkthrough's Collector, which
// stands in the lab. MeshConfig is changed for it. Everything is put back when the program ends, also after a failure.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "app/live_cluster.h"

namespace hopcheck {

struct LabApp {
  const char* name;      // of the Deployment; the provider is "lab-<name>"
  const char* provider;  // YAML of its opentelemetry; "" = the mesh's own provider otel-tracing
};
const std::vector<LabApp>& lab_apps();
// The walkthrough's Collector (fixtures/walkthrough) with the lab's backend and its token: as it is written, or in the
// form that the version of `image` takes. The image is replaced, and the command left to it.
std::string walkthrough_collector(const mesh::EnvTokens& tokens, const std::string& image);
std::string rewritten_collector(const mesh::EnvTokens& tokens, const std::string& image);


constexpr const char* kVendor = "vendor.hopcheck-lab.svc.cluster.local";

class Lab : public ::testing::Environment {
 public:
  static Lab& the();  // registered on first use; GoogleTest owns it
  LiveCluster cluster;
  std::map<std::string, std::string> pods;  // app → its pod
  uint64_t lookup_failures_before = 0;
  std::string authority;  // PEM: of the certificate of the sink "secure", which is for "localhost"

  // Requests without any trace header, each of which leaves one SERVER span.
  void drive(const std::string& app, int requests);
  // Every span of what was driven has left the proxy.
  void expect_sent(const std::string& app);

  // Only the mesh's own provider is in use from then on.
  void forget_providers();

  // Sets what `from` says in MeshConfig, which it holds once, to `to`.
  void change_mesh(const std::string& from, const std::string& to);
  // As it was before; what comes afterwards has only the cluster. Again: nothing.
  void put_back();

  void SetUp() override;
  void TearDown() override { put_back(); }

 private:
  void make_all();

  std::string mesh_, changed_;  // MeshConfig as it was found, and as it is
  std::map<std::string, uint64_t> driven_;
};

}  // namespace hopcheck
