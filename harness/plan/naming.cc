#include "plan/naming.h"

#include <initializer_list>

namespace hopcheck::plan {
namespace {

std::string first_label(const std::map<std::string, std::string>& labels, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = labels.find(key);
    if (found != labels.end() && !found->second.empty()) return found->second;
  }
  return "";
}

}  // namespace

std::map<std::string, std::string> pod_labels(const Service& service, const Workload& workload) {
  std::map<std::string, std::string> labels = service.labels;
  if (!workload.version.empty()) labels["version"] = workload.version;
  for (const auto& [key, value] : workload.labels) labels[key] = value;
  return labels;
}

std::string proxy_service_name(const NamingRule& rule, const Service& service, const Workload& workload) {
  const auto labels = pod_labels(service, workload);
  std::string name;
  for (const std::string& step : rule.steps) {
    if (step == "workload") {
      name = workload.name;
    } else if (step.rfind("label:", 0) == 0) {
      const auto found = labels.find(step.substr(6));
      if (found != labels.end()) name = found->second;
    } else if (step.rfind("literal:", 0) == 0) {
      name = step.substr(8);
    }
    if (!name.empty()) break;
  }
  if (name.empty()) return "";
  return rule.with_namespace ? name + "." + service.ns : name;
}

std::string canonical_service(const Service& service, const Workload& workload) {
  const std::string name = first_label(pod_labels(service, workload),
                                       {"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"});
  return name.empty() ? workload.name : name;
}

std::string canonical_revision(const Service& service, const Workload& workload) {
  const std::string revision = first_label(
      pod_labels(service, workload), {"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"});
  return revision.empty() ? "latest" : revision;
}

Service gateway_service() {
  Service gateway;
  gateway.name = "istio-ingressgateway";
  gateway.ns = "istio-system";
  gateway.labels = {{"app", "istio-ingressgateway"},
                    {"istio", "ingressgateway"},
                    {"app.kubernetes.io/name", "istio-ingressgateway"},
                    {"app.kubernetes.io/instance", "istio"}};
  gateway.workloads = {{"istio-ingressgateway", "", {}}};
  return gateway;
}

Service load_client_service(const std::string& ns) {
  Service client;
  client.name = "loadgen";
  client.ns = ns;
  client.labels = {{"app", "loadgen"}};
  client.workloads = {{"loadgen", "", {}}};
  return client;
}

}  // namespace hopcheck::plan
