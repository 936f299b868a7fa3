// Configuration and self-description read into the doctor's facts: MeshConfig, a Collector's configuration, its
// counters and its log. Pure. Of headers nothing is read, of a log only what kind of failure a line tells of.
#pragma once

#include <string>
#include <vector>

#include "doctor/evidence.h"

namespace hopcheck::mesh {

// MeshConfigs among the ConfigMaps of the control plane's namespace: istio, and istio-REVISION, key mesh.
std::vector<doctor::MeshConfigFact> mesh_configs_from_json(const std::string& config_map_list);
doctor::MeshConfigFact mesh_config_from_yaml(const std::string& text);  // without names

// Of one ConfigMap's values the first that is a Collector's configuration (has receivers and service).
doctor::Seen<doctor::CollectorConfig> collector_config_from_json(const std::string& config_map);

// Adds one pod's Prometheus exposition.
void add_collector_counters(const std::string& exposition, doctor::CollectorCounters& counters);
std::string collector_version_of(const std::string& exposition);  // label service_version, "" = not there
void add_collector_log(const std::string& log, doctor::CollectorLog& counts);

}  // namespace hopcheck::mesh
