#include "model/topology.h"

namespace hopcheck {

int Topology::find(const std::string& service) const {
  for (size_t i = 0; i < services.size(); ++i) {
    if (services[i].name == service) return static_cast<int>(i);
  }
  return -1;
}

std::string fqdn(const Service& service) { return service.name + "." + service.ns + ".svc.cluster.local"; }

}  // namespace hopcheck
