#include "doctor/view.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>

#include "base/text.h"

namespace hopcheck::doctor {
namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool matches(const LabelSelector::Expression& expression, const Labels& labels) {
  const auto label = labels.find(expression.key);
  const bool there = label != labels.end();
  const bool among = there && std::find(expression.values.begin(), expression.values.end(), label->second) !=
                                  expression.values.end();
  if (expression.op == "In") return among;
  if (expression.op == "NotIn") return !among;
  if (expression.op == "Exists") return there;
  return !there;  // DoesNotExist
}

}  // namespace

bool selects(const LabelSelector& selector, const Labels& labels) {
  for (const auto& [key, value] : selector.labels) {
    const auto label = labels.find(key);
    if (label == labels.end() || label->second != value) return false;
  }
  return std::all_of(selector.expressions.begin(), selector.expressions.end(),
                     [&](const LabelSelector::Expression& expression) { return matches(expression, labels); });
}

std::string host_of(const ServiceFact& service) { return service.name + "." + service.ns + ".svc.cluster.local"; }

std::optional<Version> version_in(const std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!is_digit(text[i]) || (i > 0 && (is_digit(text[i - 1]) || text[i - 1] == '.'))) continue;
    size_t at = i;
    Version out;
    while (at < text.size() && is_digit(text[at]) && at - i < 4) out.major = out.major * 10 + (text[at++] - '0');
    if (at >= text.size() || text[at] != '.') continue;
    const size_t minor = ++at;
    while (at < text.size() && is_digit(text[at]) && at - minor < 5) out.minor = out.minor * 10 + (text[at++] - '0');
    if (at > minor) return out;
  }
  return std::nullopt;
}

std::string to_string(const Version& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

std::vector<const MeshConfigFact*> mesh_configs_in_use(const ClusterEvidence& evidence) {
  std::set<std::string> revisions;
  for (const DeploymentFact& deployment : evidence.deployments.value) {
    const auto app = deployment.pod_labels.find("app");
    if (app == deployment.pod_labels.end() || app->second != "istiod") continue;
    const auto revision = deployment.pod_labels.find("istio.io/rev");
    revisions.insert(revision == deployment.pod_labels.end() || revision->second == "default" ? "" : revision->second);
  }
  std::vector<const MeshConfigFact*> out;
  for (const MeshConfigFact& config : evidence.mesh_configs.value) {
    if (revisions.empty() || revisions.count(config.revision) > 0) out.push_back(&config);
  }
  return out;
}

std::string root_namespace(const ClusterEvidence& evidence) {
  for (const MeshConfigFact* config : mesh_configs_in_use(evidence)) {
    if (!config->root_namespace.empty()) return config->root_namespace;
  }
  return evidence.control_namespace;
}

std::vector<std::string> providers_asked_for(const ClusterEvidence& evidence) {
  std::set<std::string> out;
  bool any_telemetry = false;
  for (const TelemetryFact& telemetry : evidence.telemetries.value) {
    for (const TracingFact& tracing : telemetry.tracing) {
      any_telemetry = true;
      if (!tracing.providers.empty()) out.insert(tracing.providers.front());  // Istio uses the first alone
    }
  }
  if (!any_telemetry || out.empty()) {
    for (const MeshConfigFact* config : mesh_configs_in_use(evidence)) {
      if (!config->default_providers.empty()) out.insert(config->default_providers.front());
    }
  }
  return {out.begin(), out.end()};
}

std::optional<std::string> near_provider(const ClusterEvidence& evidence, const std::string& name) {
  std::vector<std::string> names;
  for (const MeshConfigFact* config : mesh_configs_in_use(evidence)) {
    for (const ProviderFact& provider : config->providers) names.push_back(provider.name);
  }
  return nearest(name, names);
}

std::vector<UsedProvider> used_providers(const ClusterEvidence& evidence) {
  std::set<std::string> names;
  for (const std::string& name : providers_asked_for(evidence))
    names.insert(near_provider(evidence, name).value_or(name));
  std::vector<UsedProvider> used, registered;
  for (const MeshConfigFact* config : mesh_configs_in_use(evidence)) {
    for (const ProviderFact& provider : config->providers) {
      if (provider.kind != "opentelemetry") continue;
      registered.push_back({config, &provider});
      if (names.count(provider.name) > 0) used.push_back({config, &provider});
    }
  }
  return names.empty() ? registered : used;
}

const ServiceFact* service_of(const ClusterEvidence& evidence, const std::string& host) {
  for (const ServiceFact& service : evidence.services.value) {
    // The cluster's domain may be another than cluster.local.
    const std::string prefix = service.name + "." + service.ns + ".svc.";
    if (host.rfind(prefix, 0) == 0 && host.size() > prefix.size()) return &service;
  }
  return nullptr;
}

const ServiceFact* near_service(const ClusterEvidence& evidence, const std::string& host) {
  std::vector<std::string> hosts;
  for (const ServiceFact& service : evidence.services.value) {
    const std::string short_name = service.name + "." + service.ns;
    if (host == service.name || host == short_name || host == short_name + ".svc") return &service;
    hosts.push_back(host_of(service));
  }
  const std::optional<std::string> near = nearest(host, hosts);
  return near ? service_of(evidence, *near) : nullptr;
}

bool in_service_entry(const ClusterEvidence& evidence, const std::string& host) {
  for (const std::string& entry : evidence.service_entries.value) {
    if (entry == host) return true;
    if (entry.rfind("*.", 0) == 0 && host.size() > entry.size() - 1 &&
        host.compare(host.size() - entry.size() + 1, std::string::npos, entry, 1) == 0)
      return true;
  }
  return false;
}

const ServiceFact* meant_service(const ClusterEvidence& evidence, const ProviderFact& provider) {
  const ServiceFact* named = service_of(evidence, provider.service);
  // Where ServiceEntry objects cannot be read, a host outside may well be one of theirs.
  if (named != nullptr || !evidence.service_entries.seen()) return named;
  if (in_service_entry(evidence, provider.service)) return nullptr;
  const ServiceFact* near = near_service(evidence, provider.service);
  if (near != nullptr) return near;
  const ServiceFact* likely = only_likely_collector(evidence);
  return likely != nullptr && port_of(*likely, provider.port) != nullptr ? likely : nullptr;
}

std::vector<const ServiceFact*> collector_services(const ClusterEvidence& evidence) {
  const std::vector<UsedProvider> used = used_providers(evidence);
  if (used.empty()) return likely_collectors(evidence);
  std::vector<const ServiceFact*> out;
  for (const UsedProvider& one : used) {
    const ServiceFact* service = meant_service(evidence, *one.provider);
    if (service != nullptr && std::find(out.begin(), out.end(), service) == out.end()) out.push_back(service);
  }
  return out;
}

std::vector<const ServiceFact*> likely_collectors(const ClusterEvidence& evidence) {
  std::vector<const ServiceFact*> out;
  for (const ServiceFact& service : evidence.services.value) {
    if (service.name.find("collector") == std::string::npos && service.name.find("otel") == std::string::npos) continue;
    if (port_of(service, 4317) != nullptr || port_of(service, 4318) != nullptr) out.push_back(&service);
  }
  return out;
}

const ServiceFact* only_likely_collector(const ClusterEvidence& evidence) {
  const std::vector<const ServiceFact*> likely = likely_collectors(evidence);
  return likely.size() == 1 ? likely.front() : nullptr;
}

const PortFact* port_of(const ServiceFact& service, int port) {
  for (const PortFact& one : service.ports) {
    if (one.port == port) return &one;
  }
  return nullptr;
}

const PodFact* pod_named(const ClusterEvidence& evidence, const std::string& ns, const std::string& name) {
  for (const PodFact& pod : evidence.pods.value) {
    if (pod.ns == ns && pod.name == name) return &pod;
  }
  return nullptr;
}

std::string outbound_cluster(const std::string& host, int port) {
  return "outbound|" + std::to_string(port) + "||" + host;
}

std::vector<const PodFact*> pods_behind(const ClusterEvidence& evidence, const ServiceFact& service) {
  std::vector<const PodFact*> out;
  if (service.selector.empty()) return out;
  for (const PodFact& pod : evidence.pods.value) {
    if (pod.ns == service.ns && !pod.deleting && selects({service.selector, {}}, pod.labels)) out.push_back(&pod);
  }
  return out;
}

const CollectorEvidence* collector_of(const ClusterEvidence& evidence, const ServiceFact& service) {
  for (const CollectorEvidence& collector : evidence.collectors) {
    if (collector.ns == service.ns && collector.service == service.name) return &collector;
  }
  return nullptr;
}

std::string shell_word(const std::string& text) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || std::strchr("-_./:=,@%+", c) != nullptr; };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string sed_pattern(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::strchr(".[]*^$\\/", c) != nullptr) out += '\\';
    out += c == '\'' ? '.' : c;  // no quote within quotes: any character stands for it
  }
  return out;
}

std::string sed_replacement(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::strchr("&\\/", c) != nullptr) out += '\\';
    if (c != '\'') out += c;
  }
  return out;
}

std::string through(const std::string& ns, const std::string& config_map, const std::string& filter) {
  return "kubectl -n " + shell_word(ns) + " get cm " + shell_word(config_map) + " -o yaml | " + filter +
         " | kubectl replace -f -";
}

std::string joined(const std::vector<std::string>& parts, const std::string& separator) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : separator) + part;
  return out;
}

std::string counted(size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace hopcheck::doctor
