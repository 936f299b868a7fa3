#include "mesh/doctor_proxies.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "mesh/json_walk.h"

namespace hopcheck::mesh {
namespace {

using nlohmann::json;
using Cluster = doctor::ProxyFact::Cluster;

PodCommand admin_command(const doctor::PodFact& pod, const std::string& path) {
  PodCommand out;
  out.ns = pod.ns;
  out.pod = pod.name;
  out.container = "istio-proxy";
  out.argv = {"pilot-agent", "request", "GET", path};
  return out;
}

// In a regular expression (RE2).
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(".|\\+*?()[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// The answer begins with the first line that begins with a brace.
json answer_of(const std::string& text) {
  const size_t from = !text.empty() && text[0] == '{' ? 0 : text.find("\n{");
  if (from == std::string::npos) return {};
  return json::parse(text.begin() + static_cast<ptrdiff_t>(from), text.end(), nullptr, false);
}

std::string cluster_of_tracer(const json& tracing) {
  const json& config = child_of(child_of(tracing, "provider"), "typed_config");
  const std::string grpc = text_at(child_of(child_of(config, "grpc_service"), "envoy_grpc"), "cluster_name");
  return grpc.empty() ? text_at(child_of(child_of(config, "http_service"), "http_uri"), "cluster") : grpc;
}

// uint64 of protobuf's JSON: a string; absent when 0.
uint64_t count_of(const json& stat) { return std::strtoull(text_at(stat, "value").c_str(), nullptr, 10); }

Cluster cluster_from(const json& status) {
  Cluster out;
  out.name = printable(text_at(status, "name"));
  for (const json& host : child_of(status, "host_statuses")) {
    ++out.endpoints;
    const json& health = child_of(host, "health_status");
    if (text_at(health, "eds_health_status") == "HEALTHY" && !flag_at(health, "failed_active_health_check"))
      ++out.healthy;
    for (const json& stat : child_of(host, "stats")) {
      if (text_at(stat, "name") == "cx_connect_fail") out.connect_failures += count_of(stat);
    }
  }
  return out;
}

}  // namespace

PodCommand listener_command(const doctor::PodFact& pod) {
  return admin_command(pod, "config_dump?resource=dynamic_listeners&name_regex=virtualInbound");
}

PodCommand clusters_command(const doctor::PodFact& pod, const std::vector<std::string>& names) {
  std::string filter;
  for (const std::string& name : names) filter += (filter.empty() ? "" : "|") + ("^" + escaped(name) + "$");
  return admin_command(pod, "clusters?format=json&filter=" + filter);
}

std::optional<std::vector<std::string>> tracer_clusters_of(const std::string& listener_answer) {
  std::set<std::string> out;
  bool http = false;
  const json answer = answer_of(listener_answer);
  for (const json& config : child_of(answer, "configs")) {
    const json& listener = child_of(child_of(config, "active_state"), "listener");
    for (const json& chain : child_of(listener, "filter_chains")) {
      for (const json& filter : child_of(chain, "filters")) {
        if (text_at(filter, "name") != "envoy.filters.network.http_connection_manager") continue;
        http = true;
        const std::string cluster = cluster_of_tracer(child_of(child_of(filter, "typed_config"), "tracing"));
        if (!cluster.empty()) out.insert(printable(cluster));
      }
    }
  }
  if (!http) return std::nullopt;
  return std::vector<std::string>(out.begin(), out.end());
}

std::vector<Cluster> clusters_of(const std::string& clusters_answer) {
  std::vector<Cluster> out;
  const json answer = answer_of(clusters_answer);
  for (const json& status : child_of(answer, "cluster_statuses")) out.push_back(cluster_from(status));
  std::sort(out.begin(), out.end(), [](const Cluster& a, const Cluster& b) { return a.name < b.name; });
  return out;
}

}  // namespace hopcheck::mesh
