// A healthy cluster as evidence, and one change for each cause of the catalogue.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "doctor/evidence.h"

namespace hopcheck::doctor {

// Kubernetes 1.34, Istio 1.30, gRPC provider at 100 %, namespace shop with two services behind a gateway, one Collector
// on node n1, traffic received and exported.
ClusterEvidence healthy_cluster();

struct Injection {
  std::string cause;
  void (*inject)(ClusterEvidence& evidence);
  // What it changes, and what it needs unchanged to be seen at all: two injections that meet there are no pair.
  std::set<std::string> changes, needs;
};
const std::vector<Injection>& injections();

}  // namespace hopcheck::doctor
