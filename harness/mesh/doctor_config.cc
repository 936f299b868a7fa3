#include "mesh/doctor_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "mesh/json_walk.h"
#include "mesh/prometheus.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;

constexpr size_t kMaxProviders = 200;
constexpr size_t kMaxLogLines = 2'000;

std::string scalar(const YAML::Node& map, const char* key) {
  if (!map.IsDefined() || !map.IsMap()) return "";
  const YAML::Node value = map[key];
  return value.IsDefined() && value.IsScalar() ? value.Scalar() : "";
}

YAML::Node at(const YAML::Node& map, const char* key) {
  if (!map.IsDefined() || !map.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
  return map[key];
}

// One item of the list in `text`, which begins "- name: NAME" as Istio writes it, and no other item does.
bool is_plain(const std::string& text, const std::string& name) {
  const std::string head = "\n- name: " + name + "\n";
  const size_t at = text.find(head);
  return !name.empty() && at != std::string::npos && text.find(head, at + 1) == std::string::npos;
}

doctor::ProviderFact provider_from(const YAML::Node& node, const std::string& text) {
  doctor::ProviderFact out;
  out.name = scalar(node, "name");
  out.plain = is_plain(text, out.name);
  for (const auto& entry : node) {
    if (entry.first.Scalar() != "name") out.kind = entry.first.Scalar();
  }
  const YAML::Node otel = at(node, "opentelemetry");
  if (!otel.IsDefined() || !otel.IsMap()) return out;
  out.kind = "opentelemetry";
  out.service = scalar(otel, "service");
  const size_t slash = out.service.find('/');  // [<Namespace>/]<Hostname>
  if (slash != std::string::npos) out.service = out.service.substr(slash + 1);
  out.port = otel["port"].IsDefined() ? otel["port"].as<int>(0) : 0;
  const YAML::Node http = at(otel, "http");
  out.http = http.IsDefined();
  if (out.http && http.IsMap()) out.path = scalar(http, "path");
  out.resource_detectors = at(otel, "resource_detectors").IsDefined() || at(otel, "resourceDetectors").IsDefined();
  return out;
}

std::optional<double> number(const YAML::Node& node) {
  if (!node.IsDefined() || !node.IsScalar()) return std::nullopt;
  try {
    return node.as<double>();
  } catch (const YAML::Exception&) {
    return std::nullopt;
  }
}

// The receiver's address for one protocol: nullopt when the protocol is not there, "" when it says no endpoint.
std::optional<std::string> endpoint_of(const YAML::Node& protocols, const char* protocol) {
  const YAML::Node node = at(protocols, protocol);
  if (!node.IsDefined()) return std::nullopt;
  return scalar(node, "endpoint");
}

// "logging" or "logging/debug": a component's type is what stands before the slash.
bool has_type(const YAML::Node& components, const std::string& type) {
  if (!components.IsDefined() || !components.IsMap()) return false;
  for (const auto& entry : components) {
    const std::string name = entry.first.Scalar();
    if (name.substr(0, name.find('/')) == type) return true;
  }
  return false;
}

// Exporters of the types otlp, otlp_grpc, otlp_http and otlphttp need an endpoint, which may be one of traces alone.
std::string exporter_without_endpoint(const YAML::Node& exporters) {
  if (!exporters.IsDefined() || !exporters.IsMap()) return "";
  for (const auto& entry : exporters) {
    const std::string name = entry.first.Scalar();
    const bool otlp = name.substr(0, 4) == "otlp";
    if (otlp && scalar(entry.second, "endpoint").empty() && scalar(entry.second, "traces_endpoint").empty())
      return name;
  }
  return "";
}

std::optional<doctor::CollectorConfig> collector_config_from_yaml(const std::string& text) {
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap() || !at(root, "receivers").IsDefined() || !at(root, "service").IsDefined()) return std::nullopt;
    doctor::CollectorConfig out;
    const YAML::Node protocols = at(at(at(root, "receivers"), "otlp"), "protocols");
    out.grpc = endpoint_of(protocols, "grpc");
    out.http = endpoint_of(protocols, "http");
    out.logging_exporter = has_type(at(root, "exporters"), "logging");
    out.without_endpoint = printable(exporter_without_endpoint(at(root, "exporters")));
    const YAML::Node health = at(at(root, "extensions"), "health_check");
    out.health_check_port = health.IsDefined() && health.IsMap() && health["port"].IsDefined();
    return out;
  } catch (const YAML::Exception&) {
    return std::nullopt;
  }
}

bool has_any(const std::string& line, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return line.find(word) != std::string::npos; });
}

}  // namespace

doctor::MeshConfigFact mesh_config_from_yaml(const std::string& text) {
  doctor::MeshConfigFact out;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) {
      out.damage = "its key mesh is no mapping";
      return out;
    }
    out.plain_list = text.find("\nextensionProviders:\n- ") != std::string::npos;
    size_t read = 0;
    for (const YAML::Node& provider : root["extensionProviders"]) {
      if (++read > kMaxProviders) break;
      if (provider.IsMap()) out.providers.push_back(provider_from(provider, text));
    }
    for (const YAML::Node& name : at(at(root, "defaultProviders"), "tracing")) {
      if (name.IsScalar()) out.default_providers.push_back(name.Scalar());
    }
    out.sampling = number(at(at(at(root, "defaultConfig"), "tracing"), "sampling"));
    out.registry_only = scalar(at(root, "outboundTrafficPolicy"), "mode") == "REGISTRY_ONLY";
    out.root_namespace = scalar(root, "rootNamespace");
  } catch (const YAML::Exception& error) {
    out.damage = "its key mesh is no YAML: " + printable(std::string(error.what()).substr(0, 120));
  }
  return out;
}

std::vector<doctor::MeshConfigFact> mesh_configs_from_json(const std::string& config_map_list) {
  std::vector<doctor::MeshConfigFact> out;
  const json list = json::parse(config_map_list, nullptr, false);
  for (const json& item : child_of(list, "items")) {
    const std::string name = text_at(child_of(item, "metadata"), "name");
    const json& data = child_of(item, "data");
    const bool is_revision = name.rfind("istio-", 0) == 0;
    if ((name != "istio" && !is_revision) || !data.is_object() || !data.contains("mesh")) continue;
    doctor::MeshConfigFact fact = mesh_config_from_yaml(text_at(data, "mesh"));
    fact.config_map = name;
    fact.revision = is_revision ? name.substr(6) : "";
    out.push_back(std::move(fact));
  }
  std::sort(out.begin(), out.end(), [](const doctor::MeshConfigFact& a, const doctor::MeshConfigFact& b) {
    return a.config_map < b.config_map;
  });
  return out;
}

doctor::Seen<doctor::CollectorConfig> collector_config_from_json(const std::string& config_map) {
  using Seen = doctor::Seen<doctor::CollectorConfig>;
  const json object = json::parse(config_map, nullptr, false);
  const std::string name = text_at(child_of(object, "metadata"), "name");
  for (const auto& [key, value] : labels_at(object, "data")) {
    std::optional<doctor::CollectorConfig> config = collector_config_from_yaml(value);
    if (!config) continue;
    config->config_map = name;
    return Seen::of(std::move(*config));
  }
  return Seen::none("ConfigMap " + printable(name) + " holds no Collector configuration that is YAML");
}

void add_collector_counters(const std::string& exposition, doctor::CollectorCounters& counters) {
  const Metrics metrics(exposition, {"otelcol_receiver_", "otelcol_exporter_"});
  counters.received += metrics.sum("otelcol_receiver_accepted_spans").value_or(0);
  counters.refused += metrics.sum("otelcol_receiver_refused_spans").value_or(0);
  counters.failed += metrics.sum("otelcol_exporter_send_failed_spans").value_or(0) +
                     metrics.sum("otelcol_exporter_enqueue_failed_spans").value_or(0);
  counters.queued += metrics.sum("otelcol_exporter_queue_size").value_or(0);
  // A debug or logging exporter is no backend: what counts is the one that sent least.
  std::map<std::string, uint64_t> sent;
  for (const Sample& sample : metrics.samples()) {
    if (sample.name.rfind("otelcol_exporter_sent_spans", 0) != 0) continue;
    const auto exporter = sample.labels.find("exporter");
    const std::string name = exporter == sample.labels.end() ? "" : exporter->second;
    if (name.rfind("debug", 0) != 0 && name.rfind("logging", 0) != 0)
      sent[name] += static_cast<uint64_t>(std::max(sample.value, 0.0));
  }
  for (const auto& [exporter, spans] : sent) counters.sent += spans;
}

std::string collector_version_of(const std::string& exposition) {
  const Metrics metrics(exposition, {"otelcol_", "target_info"});
  for (const Sample& sample : metrics.samples()) {
    const auto version = sample.labels.find("service_version");
    if (version != sample.labels.end()) return printable(version->second);
  }
  return "";
}

// The words are those of the Collector's exporter helper and of Go's net, tls and grpc packages.
void add_collector_log(const std::string& log, doctor::CollectorLog& counts) {
  size_t lines = 0;
  for (const std::string_view part : split(log, '\n')) {
    if (++lines > kMaxLogLines) break;
    std::string line(part.substr(0, 4'000));
    std::transform(line.begin(), line.end(), line.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!has_any(line, {"exporting failed", "transport: error", "connection error", "transient failure"})) continue;
    if (has_any(line, {"unauthenticated", "permissiondenied", "permission denied", "code 401", "code 403",
                       "status code 401", "status code 403"})) {
      ++counts.auth;
    } else if (has_any(line, {"x509", "tls:", "certificate", "first record does not look like", "handshake",
                              "server gave http response to https", "malformed http response", "eof"})) {
      ++counts.tls;
    } else if (has_any(line, {"throttle", "code 429", "code 502", "code 503", "code 504"})) {
      ++counts.other;  // it answers, and takes nothing at the moment
    } else if (has_any(line, {"connection refused", "no such host", "i/o timeout", "deadline exceeded",
                              "deadlineexceeded", "name resolver", "no route to host", "unavailable", "code 404",
                              "status code 404"})) {
      ++counts.address;
    } else {
      ++counts.other;
    }
  }
}

}  // namespace hopcheck::mesh
