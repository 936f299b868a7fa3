// Ports and addresses of the local provider's processes that are not Envoy's business.
#pragma once

#include <fmt/format.h>

#include <string>

#include "mesh/local_mesh.h"

namespace hopcheck::mesh {

constexpr uint16_t kSinkOtlpPort = 4318;
constexpr uint16_t kSinkGrpcPort = 4317;
constexpr uint16_t kSinkControlPort = 8080;
constexpr uint16_t kCollectorHealthPort = 13133;
constexpr uint16_t kCollectorMetricsPort = 8888;
constexpr uint16_t kDemoControlPort = 9901;

// The port a workload's app listens on: the demo has one endpoint, as in its pod.
inline uint16_t app_port(const LocalWorkload& workload) {
  return workload.service.ports.empty() ? uint16_t{8080} : workload.service.ports[0].target_port;
}
inline std::string tcp_url(const LocalWorkload& workload) {
  return fmt::format("tcp://{}:{}", workload.app_ip, app_port(workload));
}
inline std::string control_url(const LocalWorkload& workload, const std::string& path) {
  return fmt::format("http://{}:{}{}", workload.app_ip, kDemoControlPort, path);
}

}  // namespace hopcheck::mesh
