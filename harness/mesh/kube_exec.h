// Runs a command in a container by the exec subresource of a pod, over a WebSocket with the subprotocol
// v4.channel.k8s.io (k8s.io/apimachinery, pkg/util/remotecommand): each message begins with its channel, 1 for stdout,
// 2 for stderr, 3 for a metav1.Status when the command has ended. Needs the permission for pods/exec.
#pragma once

#include "mesh/kube_client.h"
#include "mesh/kubeconfig.h"

namespace hopcheck::mesh {

// Error when there was no HTTP answer in time, or more output than the limit; any status is a value: 200 with stdout,
// 500 with the API's message when the command failed, else why the API server refused.
Result<KubeResponse> exec_in_pod(const Kubeconfig& config, const PodCommand& command);

// /api/v1/namespaces/NS/pods/POD/exec?container=…&command=…
std::string exec_path(const PodCommand& command);

}  // namespace hopcheck::mesh
