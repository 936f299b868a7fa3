// Pods that should have a sidecar and have none, and why: told by labels, annotations, webhooks and times.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <set>

#include "doctor/probes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

constexpr size_t kMaxPodsShown = 10;
constexpr const char* kInject = "sidecar.istio.io/inject";

std::string value_of(const Labels& labels, const std::string& key) {
  const auto found = labels.find(key);
  return found == labels.end() ? "" : found->second;
}

bool enrolled(const NamespaceFact& ns) {
  const std::string injection = value_of(ns.labels, "istio-injection");
  return injection == "enabled" || (injection.empty() && !value_of(ns.labels, "istio.io/rev").empty());
}

// Its label, or (older) its annotation; the label wins.
std::string own_word(const PodFact& pod) {
  const std::string label = value_of(pod.labels, kInject);
  return label.empty() ? pod.inject_annotation : label;
}

std::string when(int64_t unix_seconds) {
  const std::time_t time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string owner_text(const OwnerFact& owner, const std::string& pod) {
  return owner.kind.empty() ? "pod/" + pod : owner.kind + "/" + owner.name;
}

std::string restart(const std::string& ns, const OwnerFact& owner, const std::string& pod) {
  std::string kind = owner.kind;
  std::transform(kind.begin(), kind.end(), kind.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
  if (kind == "deployment" || kind == "statefulset" || kind == "daemonset")
    return "kubectl rollout restart " + kind + "/" + owner.name + " -n " + ns;
  return "make " + owner_text(owner, pod) + " in namespace " + ns + " again: injection happens when a pod is made";
}

bool covered(const ClusterEvidence& evidence, const NamespaceFact& ns, const PodFact& pod) {
  for (const WebhookFact& webhook : evidence.webhooks.value) {
    if (selects(webhook.namespaces, ns.labels) && selects(webhook.objects, pod.labels)) return true;
  }
  return false;
}

bool webhook_works(const ClusterEvidence& evidence, const NamespaceFact& ns, const PodFact& pod) {
  for (const WebhookFact& webhook : evidence.webhooks.value) {
    if (!selects(webhook.namespaces, ns.labels) || !selects(webhook.objects, pod.labels)) continue;
    if (!webhook.has_ca) return false;
  }
  return true;
}

// Pods of one kind of trouble in one namespace become one cause.
struct Trouble {
  std::set<OwnerFact> owners;
  std::vector<const PodFact*> pods;
};
using Troubles = std::map<std::pair<std::string, std::string>, Trouble>;  // (cause, namespace)

std::string why_without(const ClusterEvidence& evidence, const NamespaceFact& ns, const PodFact& pod) {
  if (own_word(pod) == "false") return "sidecar-opted-out";
  if (evidence.webhooks.seen() && !covered(evidence, ns, pod)) return "sidecar-webhook-missing";
  if (evidence.webhooks.seen() && !webhook_works(evidence, ns, pod)) return "sidecar-webhook-failing";
  // The label is younger than the pod, or its age is not known and nothing else explains it.
  if (ns.injection_since == 0 || pod.created <= ns.injection_since) return "sidecar-label-late";
  return "sidecar-webhook-failing";
}

std::string evidence_of(const std::string& cause, const NamespaceFact& ns, const PodFact& pod) {
  const std::string who = fmt::format("{} ({})", pod.name, owner_text(pod.owner, pod.name));
  if (cause == "sidecar-opted-out") {
    const bool label = !value_of(pod.labels, kInject).empty();
    return fmt::format("{}: {} {}: \"false\"", who, label ? "label" : "annotation", kInject);
  }
  const std::string made = pod.created == 0 ? "made at an unknown time" : "made " + when(pod.created);
  const std::string since =
      ns.injection_since == 0 ? "when the label came is not known" : "label since " + when(ns.injection_since);
  return fmt::format("{}: {}, {}", who, made, since);
}

std::string sentence(const std::string& cause, const std::string& ns, size_t count) {
  const std::string pods = fmt::format("{} of namespace {} without istio-proxy", counted(count, "pod"), ns);
  if (cause == "sidecar-opted-out") return pods + ": injection is switched off on the pods themselves";
  if (cause == "sidecar-webhook-missing") return pods + ": no injection webhook is there for this namespace's label";
  if (cause == "sidecar-webhook-failing") return pods + ": the injection webhook did not answer for them";
  return pods + ": they were running before the injection label was set";
}

// A revision label that no webhook selects: the default's label takes its place where there is a default.
std::vector<std::string> webhook_missing_fix(const ClusterEvidence& evidence, const NamespaceFact& ns) {
  const std::string revision = value_of(ns.labels, "istio.io/rev");
  if (revision.empty()) return {"istioctl install (it makes the webhook istio-sidecar-injector again)"};
  const std::string tag = "istioctl tag set " + revision + " --revision REVISION, or label namespace " + ns.name;
  const auto is_default = [](const WebhookFact& webhook) {
    return selects(webhook.namespaces, {{"istio-injection", "enabled"}}) && selects(webhook.objects, {});
  };
  const auto& webhooks = evidence.webhooks.value;
  if (std::none_of(webhooks.begin(), webhooks.end(), is_default))
    return {tag + " with a revision that is installed"};
  return {tag + " for the default revision:",
          "kubectl label namespace " + ns.name + " istio.io/rev- istio-injection=enabled --overwrite"};
}

// A webhook that calls a Service which is not there is pointed at istiod's; any other is istiod's to mend.
std::vector<std::string> webhook_fix(const ClusterEvidence& evidence) {
  const ServiceFact* istiod = nullptr;
  for (const ServiceFact& service : evidence.services.value) {
    const bool there = service.ns == evidence.control_namespace && value_of(service.selector, "app") == "istiod";
    if (there && istiod == nullptr) istiod = &service;
  }
  std::vector<std::string> out;
  for (const WebhookFact& webhook : evidence.webhooks.value) {
    const auto& services = evidence.services.value;
    const auto is_its = [&](const ServiceFact& service) {
      return service.ns == webhook.service_ns && service.name == webhook.service;
    };
    if (!evidence.services.seen() || istiod == nullptr || std::any_of(services.begin(), services.end(), is_its))
      continue;
    out.push_back(
        fmt::format("kubectl patch mutatingwebhookconfiguration {} --type json -p "
                    "'[{{\"op\":\"replace\",\"path\":\"/webhooks/{}/clientConfig/service/name\",\"value\":\"{}\"}}]'",
                    webhook.configuration, webhook.index, istiod->name));
  }
  if (out.empty()) {
    out.push_back(
        "its caBundle must be set: kubectl get mutatingwebhookconfigurations -l app=sidecar-injector -o yaml; "
        "then restart deployment/istiod of namespace " +
        evidence.control_namespace);
  }
  return out;
}

void blame_trouble(const ClusterEvidence& evidence, const std::string& id, const NamespaceFact& ns,
                   const Trouble& trouble, ProbeResult& result) {
  Cause cause{id, ns.name, sentence(id, ns.name, trouble.pods.size()), {}, {}, {}};
  for (size_t i = 0; i < trouble.pods.size() && i < kMaxPodsShown; ++i)
    cause.evidence.push_back(evidence_of(id, ns, *trouble.pods[i]));
  if (trouble.pods.size() > kMaxPodsShown)
    cause.evidence.push_back(fmt::format("{} more", trouble.pods.size() - kMaxPodsShown));
  if (id == "sidecar-webhook-missing") cause.fix = webhook_missing_fix(evidence, ns);
  if (id == "sidecar-webhook-failing") cause.fix = webhook_fix(evidence);
  for (const OwnerFact& owner : trouble.owners) {
    if (id == "sidecar-opted-out") {
      const bool label = !value_of(trouble.pods.front()->labels, kInject).empty();
      cause.fix.push_back(fmt::format(
          "kubectl -n {} patch {} --type merge -p '{{\"spec\":{{\"template\":{{\"metadata\":{{\"{}\":{{\"{}\":null}}}}"
          "}}}}}}'",
          ns.name, owner_text(owner, trouble.pods.front()->name), label ? "labels" : "annotations", kInject));
    } else {
      cause.fix.push_back(restart(ns.name, owner, trouble.pods.front()->name));
    }
  }
  blame(result, std::move(cause));
}

// Pods that are without a sidecar on purpose: a Collector, and what a topology of ours declares unmeshed.
bool meant_to_be_without(const ClusterEvidence& evidence, const PodFact& pod) {
  if (value_of(pod.labels, "hopcheck.dev/meshed") == "false") return true;
  for (const ServiceFact* service : collector_services(evidence)) {
    if (pod.ns == service->ns && !service->selector.empty() && selects({service->selector, {}}, pod.labels))
      return true;
  }
  return false;
}

bool is_workload(const PodFact& pod) {
  return !pod.deleting && !pod.host_network && pod.phase != "Succeeded" && pod.phase != "Failed" &&
         pod.owner.kind != "Job";
}

const NamespaceFact* namespace_of(const ClusterEvidence& evidence, const std::string& name) {
  for (const NamespaceFact& ns : evidence.namespaces.value) {
    if (ns.name == name) return &ns;
  }
  return nullptr;
}

bool asked(const ClusterEvidence& evidence, const std::string& ns) {
  const auto& names = evidence.namespaces_asked;
  return names.empty() || std::find(names.begin(), names.end(), ns) != names.end();
}

// Pods that a failing webhook keeps from being made (failurePolicy Fail).
void judge_refused(const ClusterEvidence& evidence, ProbeResult& result) {
  for (const RefusedPods& refused : evidence.refused_pods.value) {
    if (!asked(evidence, refused.ns)) continue;
    Cause cause{"sidecar-webhook-failing", refused.ns,
                "pods of namespace " + refused.ns + " are not made: the injection webhook fails",
                {fmt::format("{}: failed calling webhook {}", owner_text(refused.owner, ""), refused.webhook)},
                webhook_fix(evidence), {}};
    cause.fix.push_back(restart(refused.ns, refused.owner, ""));  // rather than wait for the next attempt
    blame(result, std::move(cause));
  }
}

}  // namespace

// F-2, O-05 to O-07.
void probe_sidecars(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.namespaces, result) || skip_unless(evidence.pods, result)) return;
  Troubles troubles;
  size_t with = 0, expected = 0;
  for (const PodFact& pod : evidence.pods.value) {
    if (!asked(evidence, pod.ns) || !is_workload(pod)) continue;
    if (pod.has_proxy) {
      ++with;
      continue;
    }
    const NamespaceFact* ns = namespace_of(evidence, pod.ns);
    if (ns == nullptr || (!enrolled(*ns) && own_word(pod) != "true") || meant_to_be_without(evidence, pod)) continue;
    ++expected;
    Trouble& trouble = troubles[{why_without(evidence, *ns, pod), pod.ns}];
    trouble.pods.push_back(&pod);
    trouble.owners.insert(pod.owner);
  }
  result.evidence.push_back(fmt::format("{} with istio-proxy, {} that should have one and have none",
                                        counted(with, "pod"), expected));
  for (const auto& [key, trouble] : troubles)
    blame_trouble(evidence, key.first, *namespace_of(evidence, key.second), trouble, result);
  judge_refused(evidence, result);
  if (with > 0 || expected > 0 || result.state == ProbeState::kFail) return;
  std::vector<std::string> fix;
  for (const std::string& ns : evidence.namespaces_asked) {
    fix.push_back("kubectl label namespace " + ns + " istio-injection=enabled --overwrite");
    fix.push_back("kubectl rollout restart deployment -n " + ns);
  }
  if (fix.empty()) fix.push_back("kubectl label namespace NAMESPACE istio-injection=enabled; kubectl rollout restart "
                                 "deployment -n NAMESPACE");
  blame(result, {"no-workload-enrolled", joined(evidence.namespaces_asked), "no workload is enrolled in the mesh",
                 {"no pod has istio-proxy, and no namespace looked at is labelled for injection"}, fix, {}});
}

}  // namespace hopcheck::doctor
