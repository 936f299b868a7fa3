// The addresses of a mesh that runs as processes on loopback: which workload has which of the 254 addresses of a leased
// /24, what its pod would be called and what its proxy calls itself. Pure: nothing is bound or started here.
//
// Every address plays a pod, so that all sidecars can own the same ports, as they do in pods. A workload with a sidecar
// whose inbound traffic is captured has two addresses: at `ip` callers find the sidecar's inbound listeners (one for
// each target port), at `app_ip` the app listens on the same target ports, and only its sidecar goes there. All other
// workloads have one address, `app_ip == ip`: those without sidecar, the entry of a direct-entry instance (its inbound
// ports are excluded from capture, as by traffic.sidecar.istio.io/excludeInboundPorts) and the load client (which
// serves nothing). Mutual TLS is left out: it leaves no mark on spans (facts/istio-envoy-spans.md, section 9).
//
// An app must bind its outgoing connections to its pod's `ip`: the kernel would choose 127.0.0.1, and that is what the
// sidecar's spans would then say in peer.address.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/topology.h"
#include "run/provider.h"

namespace hopcheck::mesh {

constexpr uint16_t kSidecarOutboundPort = 15001;   // apps with a sidecar send everything here, with the real Host
constexpr uint16_t kRawOutboundPort = 15100;      // first of the ports below, one for each TCP or sniffed service port
constexpr uint16_t kRawOutboundPorts = 256;       // at most so many in one instance
constexpr uint16_t kEnvoyAdminPort = 15000;        // on the workload's own ip, Istio's proxyAdminPort
constexpr uint16_t kGatewayHttpPort = 8080;        // target port of the classic gateway's port 80
constexpr uint16_t kCollectorGrpcPort = 4317;
constexpr uint16_t kCollectorHttpPort = 4318;
constexpr const char* kCollectorService = "opentelemetry-collector";
constexpr const char* kCollectorNamespace = "observability";

// One pod. Values; holds copies of the service and workload it plays.
struct LocalWorkload {
  size_t instance = 0;            // index into LocalMesh::instances; of no meaning for the gateway
  Service service;                // ns always filled
  Workload workload;
  bool gateway = false;           // istio-ingressgateway
  bool load_client = false;       // the meshed load pod "loadgen"
  bool sidecar = false;           // an Envoy plays beside (or is) it
  bool inbound_captured = false;  // callers reach its sidecar, not the app
  std::string ip;                 // the pod's address
  std::string app_ip;             // where the app listens, on its target ports
  std::string pod;                // "<workload>-<hash>-<suffix>", the same in every run
  std::string node_id;            // "sidecar~<ip>~<pod>.<ns>~<ns>.svc.cluster.local", "" without proxy
  std::map<std::string, std::string> labels;
  std::string canonical_service, canonical_revision;
  std::string service_account;
};

struct LocalMesh {
  std::string prefix;                               // first three bytes: "127.93.7"
  std::vector<run::TopologyInstance> instances;
  LocalWorkload gateway;
  std::string collector_ip, sink_ip;
  std::vector<LocalWorkload> workloads;             // by instance, then service, then workload; load clients last
};

// Assigns addresses: .1 the gateway, .2 the Collector, .3 the sink, then workloads in order. With `previous`, a
// workload that is in both keeps its addresses, so that adding an instance moves nobody. Errors: kUsage for a bad
// prefix, a name that occurs twice or a port that belongs to the sidecar; kEnvironment when the /24 is used up.
Result<LocalMesh> plan_local_mesh(const std::string& prefix, const std::vector<run::TopologyInstance>& instances,
                                  const LocalMesh* previous = nullptr);

// The workload called `workload` in `ns`; nullptr when there is none. The pointer lives as long as the mesh.
const LocalWorkload* find_workload(const LocalMesh& mesh, const std::string& ns, const std::string& workload);
// Where a sidecar takes calls to TCP and sniffed service ports of its instance: a connection whose first bytes need not
// be HTTP cannot be routed by Host, and without iptables its destination is not known. 0: the port is plain HTTP and
// goes to kSidecarOutboundPort, or it is unknown.
uint16_t raw_outbound_port(const Topology& topology, const std::string& service, uint16_t port);
// The workloads behind a service of the instance, in the topology's order.
std::vector<const LocalWorkload*> workloads_behind(const LocalMesh& mesh, size_t instance, const std::string& service);
// "ip:port" to which `caller` connects for a call to the instance's service `service`, service port `port` (0: its
// first). A caller with a sidecar always connects to its sidecar; one without, to the first workload behind the service
// (a cluster would choose one at random). "" when the service or port is unknown.
std::string connect_address(const LocalMesh& mesh, const LocalWorkload& caller, const std::string& service,
                            uint16_t port);
// "<gateway ip>:8080", what the host drives; the Host header is mesh/manifests.h gateway_host().
std::string gateway_address(const LocalMesh& mesh);

}  // namespace hopcheck::mesh
