#include "mesh/doctor_objects.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "mesh/json_walk.h"

namespace hopcheck::mesh {
namespace {

constexpr size_t kMaxMessage = 200;
using nlohmann::json;

std::string ns_of(const json& object) { return text_at(child_of(object, "metadata"), "namespace"); }
std::string name_of(const json& object) { return text_at(child_of(object, "metadata"), "name"); }

doctor::OwnerFact owner_of(const json& object) {
  for (const json& owner : child_of(child_of(object, "metadata"), "ownerReferences")) {
    if (flag_at(owner, "controller")) return {text_at(owner, "kind"), text_at(owner, "name")};
  }
  return {};
}

// When one of these labels was last written, by metadata.managedFields (server-side field management).
int64_t written_at(const json& object, const std::vector<std::string>& labels) {
  int64_t newest = 0;
  for (const json& entry : child_of(child_of(object, "metadata"), "managedFields")) {
    const json& fields = child_of(child_of(child_of(entry, "fieldsV1"), "f:metadata"), "f:labels");
    for (const std::string& label : labels) {
      if (fields.is_object() && fields.contains("f:" + label))
        newest = std::max(newest, unix_seconds(text_at(entry, "time")));
    }
  }
  return newest;
}

doctor::LabelSelector selector_from(const json& selector) {
  doctor::LabelSelector out;
  out.labels = labels_at(selector, "matchLabels");
  for (const json& expression : child_of(selector, "matchExpressions")) {
    out.expressions.push_back(
        {text_at(expression, "key"), text_at(expression, "operator"), texts_at(expression, "values")});
  }
  return out;
}

void read_containers(const json& pod, doctor::PodFact& out) {
  const json& spec = child_of(pod, "spec");
  for (const char* list : {"containers", "initContainers"}) {
    for (const json& container : child_of(spec, list)) {
      if (text_at(container, "name") == "istio-proxy") out.has_proxy = true;
      else if (out.image.empty() && std::string(list) == "containers") out.image = text_at(container, "image");
    }
  }
  for (const json& status : child_of(child_of(pod, "status"), "containerStatuses")) {
    out.restarts += static_cast<int>(number_at(status, "restartCount"));
    const json& waiting = child_of(child_of(status, "state"), "waiting");
    const std::string reason = text_at(waiting, "reason");
    if (out.waiting.empty()) out.waiting = printable(reason);
    if (reason == "CreateContainerConfigError")
      out.missing = printable(text_at(waiting, "message").substr(0, kMaxMessage));
  }
}

template <class Fact, class Read>
std::vector<Fact> read_list(const std::string& text, Read read) {
  std::vector<Fact> out;
  const json list = json::parse(text, nullptr, false);
  const json& items = child_of(list, "items");
  for (const json& item : items) {
    if (out.size() >= kMaxObjects) break;
    read(item, out);
  }
  return out;
}

template <class Fact>
std::vector<Fact> sorted(std::vector<Fact> facts) {
  std::sort(facts.begin(), facts.end(),
            [](const Fact& a, const Fact& b) { return std::tie(a.ns, a.name) < std::tie(b.ns, b.name); });
  return facts;
}

}  // namespace

int64_t unix_seconds(const std::string& rfc3339) {
  std::tm parts{};
  if (strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return 0;
  return static_cast<int64_t>(timegm(&parts));
}

std::vector<doctor::NamespaceFact> namespaces_from_json(const std::string& list) {
  return read_list<doctor::NamespaceFact>(list, [](const json& item, std::vector<doctor::NamespaceFact>& out) {
    out.push_back({name_of(item), labels_at(child_of(item, "metadata"), "labels"),
                   written_at(item, {"istio-injection", "istio.io/rev"})});
  });
}

std::vector<doctor::PodFact> pods_from_json(const std::string& list) {
  return sorted(read_list<doctor::PodFact>(list, [](const json& item, std::vector<doctor::PodFact>& out) {
    doctor::PodFact pod;
    const json& metadata = child_of(item, "metadata");
    const json& spec = child_of(item, "spec");
    const json& status = child_of(item, "status");
    pod.ns = ns_of(item);
    pod.name = name_of(item);
    pod.node = text_at(spec, "nodeName");
    pod.phase = text_at(status, "phase");
    pod.labels = labels_at(metadata, "labels");
    pod.inject_annotation = text_at(child_of(metadata, "annotations"), "sidecar.istio.io/inject");
    pod.owner = owner_of(item);
    pod.created = unix_seconds(text_at(metadata, "creationTimestamp"));
    pod.deleting = metadata.is_object() && metadata.contains("deletionTimestamp");
    pod.host_network = flag_at(spec, "hostNetwork");
    for (const json& condition : child_of(status, "conditions")) {
      if (text_at(condition, "type") == "Ready") pod.ready = text_at(condition, "status") == "True";
    }
    read_containers(item, pod);
    out.push_back(std::move(pod));
  }));
}

std::vector<doctor::ServiceFact> services_from_json(const std::string& list) {
  return sorted(read_list<doctor::ServiceFact>(list, [](const json& item, std::vector<doctor::ServiceFact>& out) {
    const json& spec = child_of(item, "spec");
    doctor::ServiceFact service;
    service.ns = ns_of(item);
    service.name = name_of(item);
    service.selector = labels_at(spec, "selector");
    service.local_policy = text_at(spec, "internalTrafficPolicy") == "Local";
    for (const json& port : child_of(spec, "ports")) {
      service.ports.push_back(
          {text_at(port, "name"), text_at(port, "appProtocol"), static_cast<int>(number_at(port, "port"))});
    }
    out.push_back(std::move(service));
  }));
}

std::vector<doctor::DeploymentFact> deployments_from_json(const std::string& list) {
  return sorted(read_list<doctor::DeploymentFact>(list, [](const json& item, std::vector<doctor::DeploymentFact>& out) {
    const json& spec = child_of(item, "spec");
    const json& pod = child_of(spec, "template");
    doctor::DeploymentFact deployment;
    deployment.ns = ns_of(item);
    deployment.name = name_of(item);
    deployment.labels = labels_at(child_of(item, "metadata"), "labels");
    deployment.pod_labels = labels_at(child_of(pod, "metadata"), "labels");
    deployment.wanted =
        spec.is_object() && spec.contains("replicas") ? static_cast<int>(number_at(spec, "replicas")) : 1;
    deployment.ready = static_cast<int>(number_at(child_of(item, "status"), "readyReplicas"));
    for (const json& container : child_of(child_of(pod, "spec"), "containers")) {
      deployment.image = text_at(container, "image");
      break;
    }
    out.push_back(std::move(deployment));
  }));
}

std::vector<doctor::WebhookFact> webhooks_from_json(const std::string& list) {
  return read_list<doctor::WebhookFact>(list, [](const json& item, std::vector<doctor::WebhookFact>& out) {
    const std::string app = text_at(child_of(child_of(item, "metadata"), "labels"), "app");
    if (app != "sidecar-injector" && name_of(item).find("sidecar-injector") == std::string::npos) return;
    int index = 0;
    for (const json& hook : child_of(item, "webhooks")) {
      const json& client = child_of(hook, "clientConfig");
      const json& service = child_of(client, "service");
      out.push_back({name_of(item), text_at(hook, "name"), selector_from(child_of(hook, "namespaceSelector")),
                     selector_from(child_of(hook, "objectSelector")), text_at(service, "namespace"),
                     text_at(service, "name"), !text_at(client, "caBundle").empty(), index++});
    }
  });
}

std::vector<doctor::TelemetryFact> telemetries_from_json(const std::string& list) {
  return sorted(read_list<doctor::TelemetryFact>(list, [](const json& item, std::vector<doctor::TelemetryFact>& out) {
    const json& spec = child_of(item, "spec");
    doctor::TelemetryFact telemetry;
    telemetry.ns = ns_of(item);
    telemetry.name = name_of(item);
    telemetry.selects_workloads = spec.is_object() && (spec.contains("selector") || spec.contains("targetRef") ||
                                                       spec.contains("targetRefs"));
    for (const json& entry : child_of(spec, "tracing")) {
      doctor::TracingFact tracing;
      for (const json& provider : child_of(entry, "providers")) tracing.providers.push_back(text_at(provider, "name"));
      const json& percentage = child_of(entry, "randomSamplingPercentage");
      if (percentage.is_number()) tracing.percentage = percentage.get<double>();
      tracing.disabled = flag_at(entry, "disableSpanReporting");
      telemetry.tracing.push_back(std::move(tracing));
    }
    out.push_back(std::move(telemetry));
  }));
}

std::vector<std::string> service_entry_hosts(const std::string& list) {
  return read_list<std::string>(list, [](const json& item, std::vector<std::string>& out) {
    for (std::string& host : texts_at(child_of(item, "spec"), "hosts")) out.push_back(std::move(host));
  });
}

std::vector<doctor::SidecarFact> sidecars_from_json(const std::string& list) {
  return sorted(read_list<doctor::SidecarFact>(list, [](const json& item, std::vector<doctor::SidecarFact>& out) {
    const json& spec = child_of(item, "spec");
    doctor::SidecarFact sidecar;
    sidecar.ns = ns_of(item);
    sidecar.name = name_of(item);
    sidecar.selector = labels_at(child_of(spec, "workloadSelector"), "labels");
    int part = 0;
    bool open = false;
    for (const json& egress : child_of(spec, "egress")) {
      for (std::string& host : texts_at(egress, "hosts")) sidecar.hosts.push_back(std::move(host));
      if (!open && !egress.contains("port")) {
        open = true;
        sidecar.open_part = part;
      }
      ++part;
    }
    out.push_back(std::move(sidecar));
  }));
}

doctor::TelemetryApi telemetry_api_from_json(const std::string& api_group) {
  doctor::TelemetryApi out;
  const json group = json::parse(api_group, nullptr, false);
  for (const json& version : child_of(group, "versions")) out.served.push_back(text_at(version, "version"));
  return out;
}

std::string preferred_version(const std::string& api_group) {
  const json group = json::parse(api_group, nullptr, false);
  return text_at(child_of(group, "preferredVersion"), "version");
}

ReplicaSets replica_sets_from_json(const std::string& list) {
  ReplicaSets out;
  const json parsed = json::parse(list, nullptr, false);
  for (const json& item : child_of(parsed, "items")) {
    if (out.owners.size() >= kMaxObjects) break;
    const doctor::OwnerFact owner = owner_of(item);
    out.owners[ns_of(item) + "/" + name_of(item)] = owner;
    for (const json& condition : child_of(child_of(item, "status"), "conditions")) {
      const std::string message = text_at(condition, "message");
      const size_t at = message.find("failed calling webhook \"");
      if (text_at(condition, "type") != "ReplicaFailure" || at == std::string::npos) continue;
      const std::string name = message.substr(at + 24, message.find('"', at + 24) - at - 24);
      if (name.find("istio") != std::string::npos) out.refused.push_back({ns_of(item), owner, printable(name)});
    }
  }
  return out;
}

void set_owners(std::vector<doctor::PodFact>& pods, const ReplicaSets& sets) {
  for (doctor::PodFact& pod : pods) {
    if (pod.owner.kind != "ReplicaSet") continue;
    const auto known = sets.owners.find(pod.ns + "/" + pod.owner.name);
    const auto hash = pod.labels.find("pod-template-hash");
    if (known != sets.owners.end() && !known->second.kind.empty()) {
      pod.owner = known->second;
    } else if (hash != pod.labels.end() && pod.owner.name.size() > hash->second.size() + 1) {
      pod.owner = {"Deployment", pod.owner.name.substr(0, pod.owner.name.size() - hash->second.size() - 1)};
    }
  }
}

PodParts parts_of_pod(const std::string& pod_list, const std::string& ns, const std::string& name) {
  PodParts out;
  const json list = json::parse(pod_list, nullptr, false);
  for (const json& item : child_of(list, "items")) {
    if (ns_of(item) != ns || name_of(item) != name) continue;
    for (const json& volume : child_of(child_of(item, "spec"), "volumes")) {
      const std::string map = text_at(child_of(volume, "configMap"), "name");
      if (!map.empty()) out.config_maps.push_back(map);
    }
    for (const json& container : child_of(child_of(item, "spec"), "containers"))
      out.images.push_back(text_at(container, "image"));
  }
  return out;
}

}  // namespace hopcheck::mesh
