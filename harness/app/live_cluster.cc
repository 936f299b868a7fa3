#include "app/live_cluster.h"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/test_backend.h"
#include "doctor/diagnose.h"
#include "mesh/counters.h"
#include "mesh/doctor_evidence.h"
#include "mesh/kubeconfig.h"

namespace hopcheck {
namespace {

using nlohmann::json;

constexpr int kRequestMs = 30'000;

}  // namespace

void LiveCluster::open() {
  const char* id = std::getenv("HOPCHECK_CI_ENV");
  ASSERT_NE(id, nullptr) << "HOPCHECK_CI_ENV must name a standing environment";
  const std::string dir = mesh::default_state_dir() + "/" + id;
  auto record = mesh::load_env(mesh::default_state_dir(), id);
  ASSERT_TRUE(record) << record.error().what;
  auto tokens = mesh::load_tokens(dir);
  ASSERT_TRUE(tokens) << tokens.error().what;
  auto config = mesh::load_kubeconfig(dir + "/kubeconfig");
  ASSERT_TRUE(config) << config.error().what;
  record_ = std::move(*record);
  tokens_ = std::move(*tokens);
  client_ = mesh::make_kube_client(std::move(*config));
}

mesh::KubeResponse LiveCluster::request(const mesh::KubeRequest& request) {
  const auto response = client_->request(request);
  EXPECT_TRUE(response) << request.method << " " << request.path << ": " << response.error().what;
  return response ? *response : mesh::KubeResponse{};
}

std::string LiveCluster::text_at(const std::string& path, const std::string& pointer) {
  const auto body = mesh::kube_get(*client_, path);
  EXPECT_TRUE(body) << body.error().what << ": " << body.error().why;
  const json object = json::parse(body ? *body : "null", nullptr, false);
  return object.is_object() ? object.value(json::json_pointer(pointer), "") : "";
}

void LiveCluster::apply(const std::string& manifest, const std::string& ns) {
  auto objects = mesh::split_manifest(manifest);
  ASSERT_TRUE(objects) << objects.error().what << "\n" << manifest;
  for (mesh::KubeObject& object : *objects) {
    if (object.ns.empty() && object.kind != "Namespace") object.ns = ns;
  }
  const auto applied = mesh::kube_apply_all(*client_, *objects, never_);
  ASSERT_TRUE(applied) << applied.error().what << ": " << applied.error().why;
}

void LiveCluster::patch(const std::string& path, const std::string& change) {
  const auto answer =
      request({"PATCH", path, change, {{"Content-Type", "application/merge-patch+json"}}, kRequestMs});
  ASSERT_EQ(answer.status / 100, 2) << path << ": " << mesh::kube_message(answer.body);
}

std::string LiveCluster::text_patch(const std::string& pointer, const std::string& value) {
  json out;
  out[json::json_pointer(pointer)] = value;
  return out.dump();
}

void LiveCluster::wait_ready(const std::set<mesh::ObjectName>& deployments) {
  const auto ready = mesh::wait_deployments(*client_, deployments, 180'000, never_);
  ASSERT_TRUE(ready) << ready.error().what << ": " << ready.error().why;
}

std::vector<std::string> LiveCluster::all_pods(const std::string& ns, const std::string& selector) {
  const auto pods = mesh::list_pods(*client_, ns, selector);
  EXPECT_TRUE(pods) << pods.error().what;
  std::vector<std::string> out;
  for (size_t i = 0; pods && i < pods->size(); ++i) {
    if (!(*pods)[i].deleting) out.push_back((*pods)[i].name);
  }
  return out;
}

std::vector<std::string> LiveCluster::ready_pods(const std::string& ns, const std::string& selector) {
  const auto pods = mesh::list_pods(*client_, ns, selector);
  EXPECT_TRUE(pods) << pods.error().what;
  std::vector<std::string> out;
  for (size_t i = 0; pods && i < pods->size(); ++i) {
    if (!(*pods)[i].deleting && (*pods)[i].ready) out.push_back((*pods)[i].name);
  }
  return out;
}

std::string LiveCluster::pod(const std::string& ns, const std::string& selector) {
  const std::vector<std::string> pods = ready_pods(ns, selector);
  EXPECT_FALSE(pods.empty()) << "no ready pod " << selector << " in " << ns;
  return pods.empty() ? "" : pods.front();
}

size_t LiveCluster::pods(const std::string& ns, const std::string& selector) {
  const auto pods = mesh::list_pods(*client_, ns, selector);
  EXPECT_TRUE(pods) << pods.error().what;
  return pods ? pods->size() : 0;
}

void LiveCluster::new_pods(const mesh::ObjectName& deployment) {
  const std::string path = "/apis/apps/v1/namespaces/" + deployment.ns + "/deployments/" + deployment.name;
  patch(path, text_patch("/spec/template/metadata/annotations/hopcheck.dev~1restarted", mesh::random_hex(8)));
}

void LiveCluster::restart(const mesh::ObjectName& deployment, const std::string& selector) {
  new_pods(deployment);
  wait_ready({deployment});
  EXPECT_TRUE(wait_for([&] { return pods(deployment.ns, selector) == 1; })) << "old pods of " << deployment.name;
}

mesh::KubeResponse LiveCluster::ask(const std::string& ns, const std::string& pod, uint16_t port,
                                    const std::string& path) {
  return request({"GET", mesh::pod_proxy_path(ns, pod, port, path), "", {}, kRequestMs});
}

mesh::Metrics LiveCluster::metrics(const std::string& ns, const std::string& pod, uint16_t port,
                                   const std::string& path) {
  return mesh::Metrics(ask(ns, pod, port, path).body);
}

std::string LiveCluster::log_of(const std::string& ns, const std::string& pod) {
  const std::string path = fmt::format("/api/v1/namespaces/{}/pods/{}/log?limitBytes=8388608", ns, pod);
  return request({"GET", path, "", {}, kRequestMs}).body;
}

uint64_t LiveCluster::spans_sent(const std::string& ns, const std::string& pod) {
  return mesh::tracing_counter(metrics(ns, pod, 15090, "/stats/prometheus"), "spans_sent").value_or(0);
}

uint64_t LiveCluster::lookup_failures() {
  uint64_t sum = 0;
  const auto pods = mesh::list_pods(*client_, "istio-system", "app=istiod");
  EXPECT_TRUE(pods) << pods.error().what;
  for (size_t i = 0; pods && i < pods->size(); ++i) {
    const mesh::Metrics read = metrics("istio-system", (*pods)[i].name, 15014, "/metrics");
    sum += read.sum("provider_lookup_cluster_failures").value_or(0);
  }
  return sum;
}

std::set<std::string> LiveCluster::diagnose() {
  const doctor::Diagnosis diagnosis = doctor::diagnose(mesh::gather_evidence(*client_, {{}, 10'000}));
  std::set<std::string> out;
  for (const doctor::Cause& cause : diagnosis.causes) {
    if (cause.id == "sidecar-opted-out") continue;  // our sinks, and what a topology leaves out on purpose
    out.insert(cause.id + " " + cause.subject);
    out.insert(cause.consequences.begin(), cause.consequences.end());
  }
  return out;
}

mesh::KubeResponse LiveSink::call(const std::string& method, const std::string& path, const std::string& body) {
  if (pod_.empty()) pod_ = cluster_.pod(ns_, "app=" + name_);
  return cluster_.request({method,
                           mesh::pod_proxy_path(ns_, pod_, 8080, path),
                           body,
                           {{"X-Hopcheck-Token", cluster_.tokens().control}, {"Content-Type", "application/yaml"}},
                           kRequestMs});
}

std::string LiveSink::status() { return call("GET", "/status", "").body; }

uint64_t LiveSink::count(const std::string& pointer) {
  const json all = json::parse(status(), nullptr, false);
  return all.is_object() ? all.value(json::json_pointer(pointer), uint64_t{0}) : 0;
}

void LiveSink::answer_with(const std::string& steps) {
  const std::string head = "apiVersion: hopcheck.dev/v1alpha1\nkind: Answers\nmetadata: {name: test}\nspec:\n  steps:";
  const auto reply = call("POST", "/answers", head + (steps.empty() ? " []\n" : "\n" + steps));
  ASSERT_EQ(reply.status, 200) << reply.body;
}

StoredCapture LiveSink::capture() {
  StoredCapture out;
  store::CaptureParser parser;
  while (true) {
    const uint64_t from = parser.consumed() + parser.pending();
    const auto piece = call("GET", fmt::format("/capture?from={}&wait=0", from), "");
    EXPECT_EQ(piece.status, 200) << piece.body;
    if (piece.status != 200 || piece.body.empty()) return out;
    const auto fed = parser.feed(piece.body, [&out](const store::Frame& frame) {
      StoredExport one;
      one.transport = frame.transport;
      one.status = frame.status;
      for (const auto& header : frame.headers) one.headers[std::string(header.first)] = header.second;
      if (!frame.body.empty()) {
        EXPECT_TRUE(store::decode_frame(frame, *out.arena, one.spans));
      }
      out.exports.push_back(std::move(one));
    });
    EXPECT_TRUE(fed) << fed.error().what;
    if (!fed) return out;
  }
}

}  // namespace hopcheck
