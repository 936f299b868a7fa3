// What a walkthrough starts from: a cluster with a mock backend and images in its node, and nothing of a mesh.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "mesh/json_walk.h"
#include "mesh/kind_provider.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kNodeMs = 120'000;
constexpr const char* kGuideCollector = "docker.io/otel/opentelemetry-collector:";
constexpr const char* kOldCollector = "0.54.0";

// The name under which containerd knows an image that Docker calls `reference`.
std::string full_name(const std::string& reference) {
  const size_t slash = reference.find('/');
  if (slash == std::string::npos) return "docker.io/library/" + reference;
  const std::string first = reference.substr(0, slash);
  const bool host =
      first.find('.') != std::string::npos || first.find(':') != std::string::npos || first == "localhost";
  return host ? reference : "docker.io/" + reference;
}

std::string tag_of(const std::string& reference) {
  const size_t colon = reference.rfind(':');
  return colon == std::string::npos || reference.find('/', colon) != std::string::npos ? ""
                                                                                       : reference.substr(colon + 1);
}

std::string documents(const std::vector<KubeObject>& objects) {
  std::string out;
  for (const KubeObject& object : objects) {
    if (object.kind == "Namespace") continue;  // whose label is a step of the walkthrough
    out += "---\n" + object.body;
    if (out.back() != '\n') out += "\n";
  }
  return out;
}

}  // namespace

// The guide's own image names, where this machine is not expected to pull them: another name in the node for what is
// at hand, so that the guide's manifest is applied as it stands.
Result<void> KindProvider::name_images_as_the_guide(const std::atomic<bool>& stop) {
  for (const auto& [reference, name] : aliases_) {
    ProcessSpec spec;
    spec.argv = {tools_.docker, "exec",  node_of(record_.cluster), "ctr",      "--namespace=k8s.io", "images", "tag",
                 "--force",     full_name(reference), name};
    spec.timeout_ms = 30'000;
    spec.log_path = tools_.log("images");
    const Result<ProcessResult> done = run_checked(*runner_, spec, stop, "naming an image " + name);
    if (!done) return tl::unexpected<Error>(done.error());
  }
  return {};
}

Result<void> KindProvider::make_ground(run::StepLog& log, const std::atomic<bool>& stop) {
  std::vector<std::string> images;
  for (const NeededImage& image : needed_) {
    record_.images.push_back(image.role + ": " + image.reference + "@" + image.id);
    if (image.role != "node") images.push_back(image.reference);
  }
  for (const auto& [reference, name] : aliases_) {
    if (std::find(images.begin(), images.end(), reference) == images.end()) images.push_back(reference);
  }
  using Stop = const std::atomic<bool>&;
  StepGraph graph;
  const size_t pack = graph.add("harness image", {}, [&](Stop s) { return pack_harness(s); });
  const size_t cluster = graph.add("kind cluster", {}, [&](Stop s) { return make_cluster(s); });
  graph.add("images into the node", {}, [&](Stop s) {
    const Result<void> loaded = load_images_into(*runner_, tools_, record_.cluster, images, scaled_ms(kNodeMs), s);
    return loaded ? name_images_as_the_guide(s) : loaded;
  });
  const size_t load_own = graph.add("harness image into the node", {pack}, [&](Stop s) {
    return load_images_into(*runner_, tools_, record_.cluster, {record_.harness_image}, scaled_ms(kNodeMs), s);
  });
  graph.add("mock backend", {cluster, load_own}, [&](Stop s) {
    const Result<std::vector<KubeObject>> sink = sink_manifest(context_);
    if (!sink) return Result<void>(tl::unexpected<Error>(sink.error()));
    const Result<void> applied = kube_apply_all(*client_, *sink, s);
    const Result<void> up = applied ? wait_all(*sink, s) : applied;
    return up ? wait_sink_path(s) : up;
  });
  const Result<void> done = graph.run(log, stop);
  if (!done) return done;
  record_.ground = run_begun_ = true;
  return save_env(options_.state_dir, record_);
}

Result<Ground> KindProvider::ground_files(const run::EnvironmentState& state) {
  Ground out;
  out.folder = dir_ + "/walkthrough";
  const Result<void> made = make_private_dir(out.folder);
  if (!made) return tl::unexpected<Error>(made.error());
  out.kubectl = tools_.kubectl;
  out.istioctl = istio_.istioctl;
  const Result<std::string> settings_text = read_template(options_.share, "istio/walkthrough.yaml");
  if (!settings_text) return tl::unexpected<Error>(settings_text.error());
  const Result<std::string> settings =
      render(*settings_text, {{"hub", istio_.hub}, {"tag", istio_.tag}}, "kind/istio/walkthrough.yaml");
  if (!settings) return tl::unexpected<Error>(settings.error());
  const std::string settings_file = out.folder + "/istio-settings.yaml";
  out.bookinfo_file = out.folder + "/bookinfo.yaml";
  out.token_file = out.folder + "/backend-token";
  std::string bookinfo;
  for (const run::TopologyInstance& instance : state.instances) {
    const Result<InstanceManifest> manifest =
        instance_manifest(context_, instance, options_.topology_to_yaml(instance.topology));
    if (!manifest) return tl::unexpected<Error>(manifest.error());
    bookinfo += documents(manifest->base) + documents(manifest->workloads);
    for (const Service& service : instance.topology.services) {
      const bool stock = !service.workloads.empty() && !service.image_role.empty() &&
                         context_.roles.count(role_of(service, service.workloads[0])) > 0;
      if (stock) out.stock_services.insert(service.name);
    }
  }
  for (const auto& [path, text] : {std::pair{settings_file, *settings}, {out.bookinfo_file, bookinfo},
                                   {out.token_file, tokens_.backend}}) {
    const Result<void> written = write_private(path, text);
    if (!written) return tl::unexpected<Error>(written.error());
  }
  out.istio_files = {settings_file};
  if (!istio_.overlay.empty()) out.istio_files.push_back(istio_.overlay);
  out.backend = "sink.hopcheck-system.svc.cluster.local:4317";
  out.collector_version = tag_of(images_.collector);
  out.istio_version = istio_.version;
  out.gateway_port = record_.gateway_port;
  for (const auto& [reference, name] : aliases_) {
    out.notes.push_back(name + " is not pulled: in the node it is " + reference);
    if (tag_of(name) == kOldCollector) out.capabilities.insert("collector054");
  }
  if (images_.files.size() == 1) out.capabilities.insert("collector054");  // the node pulls it
  if (!istio_.overlay.empty())
    out.notes.push_back("Istio is installed with the images file's own IstioOperator laid over it");
  return out;
}

Result<Ground> KindProvider::ensure_ground(const run::EnvironmentState& state, run::StepLog& log,
                                           const std::atomic<bool>& stop) {
  if (!options_.topology_to_yaml) return fail(ErrorKind::kInternal, "KindOptions::topology_to_yaml is not set");
  if (opened_ && !record_.ground) {
    return fail(ErrorKind::kUsage, "environment " + record_.id + " has a mesh of its own already",
                "a walkthrough installs Istio and the Collector anew, which would break what stands there",
                "leave --env out, or name one that a walkthrough has left (--keep always)");
  }
  const size_t token = log.begin("tools and images");
  const Result<void> begun = start(state, stop);
  log.end(token, begun ? "ok" : "failed");
  if (!begun) return tl::unexpected<Error>(begun.error());
  if (images_.files.size() > 1) {
    aliases_.emplace_back(images_.collector, kGuideCollector + tag_of(images_.collector));
    const auto made = made_role_images(*runner_, options_.share, stop);
    const auto old = made.find("collector054");
    if (old != made.end()) aliases_.emplace_back(old->second, std::string(kGuideCollector) + kOldCollector);
  }
  const Result<void> done = opened_ ? begin_run(options_.run, log, stop) : make_ground(log, stop);
  if (!done) return tl::unexpected<Error>(done.error());
  return ground_files(state);
}

Result<void> KindProvider::adopt(const run::EnvironmentState& state, const std::string& run) {
  for (const auto& [ns, hash] : hashes_of(state)) record_.instances[ns] = hash;
  note_tracing(state);
  record_.naming = state.naming;
  record_.naming_unset = state.naming_unset;
  record_.naming_restart = state.naming_restart;
  record_.gateway_spawn = state.gateway_spawn;
  record_.complete = true;
  options_.run = run;
  run_begun_ = false;
  const std::lock_guard<std::mutex> lock(mutex_);
  pods_.clear();
  return save_env(options_.state_dir, record_);
}

Result<IngressAddress> KindProvider::ingress() {
  if (!client_) return fail(ErrorKind::kEnvironment, "the environment is not up");
  const Result<std::string> service =
      kube_get(*client_, "/api/v1/namespaces/istio-system/services/istio-ingressgateway");
  if (!service) return tl::unexpected<Error>(service.error());
  return ingress_address(*service, {"http2", record_.gateway_port});
}

Result<std::string> KindProvider::kubernetes_version() {
  if (!client_) return fail(ErrorKind::kEnvironment, "the environment is not up");
  const Result<std::string> version = kube_get(*client_, "/version");
  if (!version) return version;
  return text_at(nlohmann::json::parse(*version, nullptr, false), "gitVersion");
}

}  // namespace hopcheck::mesh
