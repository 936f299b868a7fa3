// What Istio calls a workload (facts 2.1): service.name by naming mode, canonical service and revision. Pure.
#pragma once

#include <map>
#include <string>

#include "model/mesh_profile.h"
#include "model/topology.h"

namespace hopcheck::plan {

// The service's labels with the workload's merged over them.
std::map<std::string, std::string> pod_labels(const Service& service, const Workload& workload);
// service.name of the workload's proxy under the rule; "" when no step yields a value.
std::string proxy_service_name(const NamingRule& rule, const Service& service, const Workload& workload);
// CanonicalService: labels service.istio.io/canonical-name, app.kubernetes.io/name, app, then the workload's name.
std::string canonical_service(const Service& service, const Workload& workload);
// Labels service.istio.io/canonical-revision, app.kubernetes.io/version, version, else "latest".
std::string canonical_revision(const Service& service, const Workload& workload);

// The classic ingress gateway of istiod's chart, and the harness's meshed load pod, in the form of services.
Service gateway_service();
Service load_client_service(const std::string& ns);

}  // namespace hopcheck::plan
