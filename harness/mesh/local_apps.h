// What plays the app of a local workload where it is not hopcheck-demo: arguments and environment of real servers.
// Pure.
#pragma once

#include "mesh/local_mesh.h"
#include "mesh/local_processes.h"

namespace hopcheck::mesh {

enum class LocalApp : uint8_t {
  kDemo,
  kRedis,   // role redis: redis-server, which keeps nothing
  kSdkApp,  // instrumentation auto: kind/sdk-app under opentelemetry-instrument
};
LocalApp app_of(const LocalWorkload& workload);
// Only the demo has a control port; the others are ready when they accept connections.
inline bool has_control(const LocalWorkload& workload) { return app_of(workload) == LocalApp::kDemo; }

struct LocalAppPlace {
  const LocalMesh& mesh;
  std::string dir;           // the run's own
  std::string share;         // root that holds kind/
  std::string sdk_packages;  // find_sdk_app()
};
// For every app but the demo; name and log are the caller's. kUsage when it cannot be played here.
Result<ChildSpec> real_app(const LocalAppPlace& place, const LocalWorkload& workload);

}  // namespace hopcheck::mesh
