// What plays the app of a local workload where it is not hopcheck-demo: arguments, environment and files of real
// servers. Pure.
#pragma once

#include <vector>

#include "mesh/local_mesh.h"
#include "mesh/local_processes.h"

namespace hopcheck::mesh {

enum class LocalApp : uint8_t {
  kDemo,
  kRedis,   // role redis: redis-server, which keeps nothing
  kBroker,  // role amqp: RabbitMQ with a node name, a port mapper and folders of its own
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
  std::string broker;        // the program that starts RabbitMQ
  uint16_t epmd_port = 0;    // of Erlang's port mapper, which binds 127.0.0.1 as well as the app's address
  uint16_t dist_port = 0;    // of the broker's Erlang node; it asks whether 127.0.0.1 has that port free
};
struct RealApp {
  std::vector<ChildSpec> children;  // to be started in this order; the last is the app. Logs are the caller's
  std::map<std::string, std::string> files;  // path → text, to be written before
};
// For every app but the demo. kUsage when it cannot be played here.
Result<RealApp> real_app(const LocalAppPlace& place, const LocalWorkload& workload);

}  // namespace hopcheck::mesh
