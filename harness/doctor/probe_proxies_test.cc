// Which Sidecar object a pod obeys, and what its egress hosts show.
#include <gtest/gtest.h>

#include "doctor/cluster_test.h"
#include "doctor/diagnose.h"

namespace hopcheck::doctor {
namespace {

using Hosts = std::vector<std::string>;

std::string found_with(std::vector<SidecarFact> sidecars) {
  ClusterEvidence evidence = healthy_cluster();
  evidence.sidecar_objects.value = std::move(sidecars);
  for (ProxyFact& proxy : evidence.proxy_views.value) {
    proxy.clusters.clear();
    proxy.tracer_clusters.clear();
  }
  // Only what a Sidecar explains: the rest of the mesh is told nothing.
  evidence.telemetries.value.clear();
  std::string out;
  for (const Cause& cause : diagnose(evidence).causes) {
    if (cause.id == "sidecar-hides-collector") out += cause.subject + " ";
  }
  return out;
}

TEST(SidecarObject, HidesWhatItsHostsDoNotShow) {
  const std::string host = "opentelemetry-collector.observability.svc.cluster.local";
  for (const Hosts& hosts :
       {Hosts{"./*"}, Hosts{"~/*"}, Hosts{"shop/*", "istio-system/*"}, Hosts{"*/*.shop.svc.cluster.local"},
        Hosts{"observability/other.example"}, Hosts{"broken"}})
    EXPECT_EQ(found_with({{"shop", "default", {}, hosts, 0}}), "shop/default ") << hosts.front();
  for (const Hosts& hosts : {Hosts{}, Hosts{"*/*"}, Hosts{"./*", "observability/*"}, Hosts{"*/" + host},
                             Hosts{"observability/*.observability.svc.cluster.local"}})
    EXPECT_EQ(found_with({{"shop", "default", {}, hosts, 0}}), "") << (hosts.empty() ? "no egress" : hosts.front());
}

TEST(SidecarObject, OneForTheWorkloadWinsOverItsNamespaceAndThatOverTheMesh) {
  const SidecarFact mesh{"istio-system", "mesh", {}, {"./*"}, 0};
  const SidecarFact shop{"shop", "default", {}, {"*/*"}, 0};
  const SidecarFact checkout{"shop", "for-checkout", {{"app", "checkout"}}, {"./*"}, 0};
  const SidecarFact elsewhere{"other", "default", {}, {"./*"}, 0};
  const SidecarFact gateways{"istio-system", "gateways", {{"app", "istio-ingressgateway"}}, {"./*"}, 0};
  EXPECT_EQ(found_with({mesh}), "istio-system/mesh ");
  EXPECT_EQ(found_with({mesh, shop}), "");
  EXPECT_EQ(found_with({shop, checkout}), "shop/for-checkout ");
  EXPECT_EQ(found_with({mesh, checkout}), "istio-system/mesh shop/for-checkout ");
  EXPECT_EQ(found_with({elsewhere, gateways}), "");
}

TEST(SidecarObject, ANamespaceWithTracingRulesOfItsOwnIsNotStale) {
  ClusterEvidence evidence = healthy_cluster();
  evidence.proxy_views.value.front().tracer_clusters.clear();
  EXPECT_EQ(diagnose(evidence).causes.size(), 1u);
  TelemetryFact own = evidence.telemetries.value.front();
  own.ns = "shop";
  evidence.telemetries.value.push_back(own);
  EXPECT_TRUE(diagnose(evidence).causes.empty());
}

}  // namespace
}  // namespace hopcheck::doctor
