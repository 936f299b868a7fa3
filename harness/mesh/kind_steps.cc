// How an environment comes to be: the step graph of a new one, the difference for a standing one.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "mesh/kind_provider.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kNodeMs = 120'000;
constexpr int64_t kIstioMs = 300'000;
constexpr int64_t kReadyMs = 240'000;
constexpr int64_t kSinkMs = 30'000;
constexpr int kSinkPollMs = 250;

void move_into(std::vector<KubeObject>& from, std::vector<KubeObject>& to) {
  for (KubeObject& object : from) to.push_back(std::move(object));
  from.clear();
}

std::vector<KubeObject> without_deployments(const std::vector<KubeObject>& objects) {
  std::vector<KubeObject> out;
  std::copy_if(objects.begin(), objects.end(), std::back_inserter(out),
               [](const KubeObject& o) { return o.kind != "Deployment"; });
  return out;
}

KubeObject istio_namespace(const std::string& env) {
  return {
      "v1", "Namespace", "", "istio-system",
      "{apiVersion: v1, kind: Namespace, metadata: {name: istio-system, labels: {hopcheck.dev/run: \"" + env + "\"}}}"};
}

}  // namespace

Result<void> KindProvider::provide_role_images(const run::EnvironmentState& state, const std::atomic<bool>& stop) {
  std::set<std::string> roles;
  for (const run::TopologyInstance& instance : state.instances) {
    for (const Service& service : instance.topology.services) {
      for (const Workload& workload : service.workloads) {
        if (!service.image_role.empty()) roles.insert(role_of(service, workload));
      }
    }
  }
  RoleRequest request{&images_, {roles.begin(), roles.end()}, RoleRequest::Wishes::kLocalOnly};
  // With nothing but our own pins in use, this machine is expected to reach the registries.
  if (images_.files.size() == 1) request.wishes = RoleRequest::Wishes::kPull;
  Result<std::vector<NeededImage>> provided = provide_roles(*runner_, tools_, request, stop);
  if (!provided) return tl::unexpected<Error>(provided.error());
  for (const auto& [role, reference] : made_role_images(*runner_, options_.share, stop)) {
    if (roles.count(role) == 0 || images_.roles.count(role) > 0) continue;  // what the images file says wins
    std::vector<NeededImage> one{{role, reference, ""}};
    const Result<void> there = provide_images(*runner_, tools_, "Never", one, stop);
    if (!there) return there;
    provided->push_back(std::move(one[0]));
  }
  for (const NeededImage& image : *provided) {
    context_.roles[image.role] = image.reference;
    needed_.push_back(image);
  }
  return {};
}

// Role images of new instances, into the node of a standing environment.
Result<void> KindProvider::load_roles(const std::atomic<bool>& stop) {
  std::vector<std::string> references;
  for (const auto& [role, reference] : context_.roles) references.push_back(reference);
  if (references.empty()) return {};
  return load_images_into(*runner_, tools_, record_.cluster, references, scaled_ms(kNodeMs), stop);
}

Result<void> KindProvider::pack_harness(const std::atomic<bool>& stop) {
  const Result<std::string> image = build_harness_image(*runner_, tools_, {options_.share, options_.build_dir}, stop);
  if (!image) return tl::unexpected<Error>(image.error());
  record_.harness_image = context_.harness_image = *image;
  return {};
}

Result<void> KindProvider::make_cluster(const std::atomic<bool>& stop) {
  const Result<std::string> config = kind_config(options_.share, record_.gateway_port, dir_ + "/owner.json");
  if (!config) return tl::unexpected<Error>(config.error());
  Result<void> done = write_private(dir_ + "/kind.yaml", *config);
  if (done)
    done = create_cluster(*runner_, tools_, {record_.cluster, images_.node, dir_ + "/kind.yaml", kubeconfig()}, stop);
  if (done) done = connect();
  return done;
}

Result<void> KindProvider::render_all(const run::EnvironmentState& state) {
  manifest_ = {};
  platform_.clear();
  std::set<std::string> hosts;
  for (const run::TopologyInstance& instance : state.instances) {
    const std::string& ns = instance.topology.ns;
    if (!hosts.insert(gateway_host(instance.topology)).second) {
      return fail(ErrorKind::kUsage, "two copies of a topology share the host " + gateway_host(instance.topology),
                  "the gateway could not tell them apart");
    }
    if (record_.complete && record_.instances.count(ns) > 0) {
      const bool has_agent = std::find(record_.agents.begin(), record_.agents.end(), ns) != record_.agents.end();
      if (!instance.mesh_client || has_agent) continue;
      Result<std::vector<KubeObject>> agent = loadgen_manifest(context_, ns, true);
      if (!agent) return tl::unexpected<Error>(agent.error());
      move_into(*agent, manifest_.workloads);
      continue;
    }
    Result<InstanceManifest> one = instance_manifest(context_, instance, options_.topology_to_yaml(instance.topology));
    if (!one) return tl::unexpected<Error>(one.error());
    move_into(one->base, manifest_.base);
    move_into(one->routing, manifest_.routing);
    move_into(one->workloads, manifest_.workloads);
  }
  if (record_.complete) return {};
  Result<std::vector<KubeObject>> parts[] = {collector_manifest(context_), sink_manifest(context_),
                                             loadgen_manifest(context_, "hopcheck-system", false)};
  platform_.push_back(istio_namespace(record_.id));
  for (Result<std::vector<KubeObject>>& part : parts) {
    if (!part) return tl::unexpected<Error>(part.error());
    move_into(*part, platform_);
  }
  return {};
}

Result<void> KindProvider::wait_crds(const std::atomic<bool>& stop) {
  const auto any = [](const std::string&) { return true; };
  for (const char* path :
       {"/apis/telemetry.istio.io/v1/telemetries?limit=1", "/apis/networking.istio.io/v1/gateways?limit=1",
        "/apis/networking.istio.io/v1/virtualservices?limit=1"}) {
    const Result<void> served =
        wait_until(*client_, path, any, scaled_ms(kIstioMs), "waiting for Istio's resource types", stop);
    if (!served) return served;
  }
  return {};
}

Result<void> KindProvider::wait_all(const std::vector<KubeObject>& objects, const std::atomic<bool>& stop) {
  std::set<ObjectName> names;
  for (const KubeObject& object : objects) {
    if (object.kind == "Deployment") names.insert({object.ns, object.name});
  }
  return wait_deployments(*client_, names, scaled_ms(kReadyMs), stop);
}

// A ready pod is not yet a reachable Service: until kube-proxy has written its rules, a connection to the Service's
// address leaves the node by the default route, and whatever answers there would make the Collector drop spans for
// good. Both ports of the Service come with the same rules, so the control port's answer proves the other one.
Result<void> KindProvider::wait_sink_path(const std::atomic<bool>& stop) {
  const Result<std::string> body = kube_get(*client_, "/api/v1/namespaces/hopcheck-system/services/sink");
  if (!body) return tl::unexpected<Error>(body.error());
  const nlohmann::json service = nlohmann::json::parse(*body, nullptr, false);
  const std::string address = service.is_object() ? service.value("/spec/clusterIP"_json_pointer, "") : "";
  ProcessSpec spec;
  spec.argv = {tools_.docker,
               "exec",
               node_of(record_.cluster),
               "curl",
               "-s",
               "--noproxy",
               "*",
               "-m",
               "2",
               "-o",
               "/dev/null",
               "-w",
               "%{http_code} %{content_type}",
               "http://" + address + ":8080/status"};
  const int64_t deadline = system_clock().monotonic_nanos() / 1'000'000 + scaled_ms(kSinkMs);
  while (!stop.load()) {
    const Result<ProcessResult> asked = runner_->run(spec, stop);
    if (!asked) return tl::unexpected<Error>(asked.error());
    if (asked->out.rfind("401 ", 0) == 0) return {};  // only the sink asks for its token
    if (system_clock().monotonic_nanos() / 1'000'000 >= deadline) {
      return fail(ErrorKind::kEnvironment, "the sink's Service " + address + " cannot be reached from the node",
                  "last answer: " + asked->out + last_lines(asked->err, 1), "look at kube-proxy's log");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kSinkPollMs));
  }
  return fail(ErrorKind::kInterrupted, "waiting for the sink's Service was interrupted");
}

Result<void> KindProvider::create_all(const run::EnvironmentState& state, run::StepLog& log,
                                      const std::atomic<bool>& stop) {
  record_.naming = state.naming;
  record_.naming_unset = state.naming_unset;
  record_.gateway_spawn = state.gateway_spawn;
  std::vector<std::string> third_party, hosts;
  for (const NeededImage& image : needed_) {
    record_.images.push_back(image.role + ": " + image.reference + "@" + image.id);
    if (image.role != "node") third_party.push_back(image.reference);
  }
  for (const run::TopologyInstance& instance : state.instances) hosts.push_back(gateway_host(instance.topology));
  using Stop = const std::atomic<bool>&;
  constexpr StepGraph::Time kTool = StepGraph::Time::kTool;  // what a person would wait for by hand as well
  StepGraph graph;
  const size_t pack = graph.add("harness image", {}, [&](Stop s) { return pack_harness(s); });
  const size_t cluster = graph.add("kind cluster", {}, [&](Stop s) { return make_cluster(s); }, kTool);
  const size_t load = graph.add("images into the node", {}, [&, third_party](Stop s) {
    return load_images_into(*runner_, tools_, record_.cluster, third_party, scaled_ms(kNodeMs), s);
  });
  const size_t load_own = graph.add("harness image into the node", {pack}, [&](Stop s) {
    return load_images_into(*runner_, tools_, record_.cluster, {record_.harness_image}, scaled_ms(kNodeMs), s);
  });
  const size_t base = graph.add("namespaces and services", {cluster, pack}, [&](Stop s) {
    const Result<void> rendered = render_all(state);
    if (!rendered) return rendered;
    std::vector<KubeObject> objects = without_deployments(platform_);
    objects.insert(objects.end(), manifest_.base.begin(), manifest_.base.end());
    return kube_apply_all(*client_, objects, s);
  });
  const size_t platform = graph.add("Collector, sink, load agent", {base, load, load_own}, [&](Stop s) {
    const Result<void> applied = kube_apply_all(*client_, platform_, s);
    const Result<void> up = applied ? wait_all(platform_, s) : applied;
    return up ? wait_sink_path(s) : up;
  }, kTool);
  const size_t istio = graph.add(
      "istioctl install", {base, load}, [&](Stop s) { return install_istio(state, "", s); }, kTool);
  const size_t telemetry = graph.add("Telemetry and routes", {base}, [&](Stop s) {
    Result<void> done = wait_crds(s);
    Result<std::vector<KubeObject>> objects = telemetry_manifest(context_, state);
    if (done && !objects) return Result<void>(tl::unexpected<Error>(objects.error()));
    if (!done) return done;
    objects->insert(objects->end(), manifest_.routing.begin(), manifest_.routing.end());
    return kube_apply_all(*client_, *objects, s);
  });
  std::vector<size_t> injectors{
      graph.add("injection webhook", {base}, [&](Stop s) { return wait_webhook("", s); }, kTool)};
  size_t before = istio;  // one istioctl at a time
  for (const auto& [revision, version] : further_) {
    const std::string name = revision;
    before = graph.add(
        "istioctl install, revision " + name, {before},
        [&, name](Stop s) {
          const Result<void> installed = install_istio(state, name, s);
          return installed ? wait_webhook(name, s) : installed;
        },
        kTool);
    injectors.push_back(before);
  }
  injectors.insert(injectors.end(), {telemetry, load_own});
  const size_t apply = graph.add("demo workloads", injectors,
                                 [&](Stop s) { return kube_apply_all(*client_, manifest_.workloads, s); });
  const size_t ready =
      graph.add("demo ready", {apply}, [&](Stop s) { return wait_all(manifest_.workloads, s); }, kTool);
  graph.add("routes in the proxies", {istio, telemetry, platform, ready}, [&, hosts](Stop s) {
    const Result<void> routed = wait_routes(hosts, s);
    return routed ? wait_faults(state.instances, s) : routed;
  });
  const Result<void> done = graph.run(log, stop);
  if (!done) return done;
  log.note("environment: " + to_text(graph.critical_path()));
  run_begun_ = true;
  return {};
}

// A run in a standing environment gets a capture of its own: the sink starts anew in another folder of the node.
Result<void> KindProvider::begin_run(const std::string& run, run::StepLog& log, const std::atomic<bool>& stop) {
  const size_t token = log.begin("new capture");
  context_.run = run;
  Result<void> done;
  const Result<std::vector<KubeObject>> objects = sink_manifest(context_);
  if (!objects) done = tl::unexpected<Error>(objects.error());
  if (done) done = kube_apply_all(*client_, *objects, stop);
  if (done) done = wait_all(*objects, stop);
  if (done) done = wait_sink_path(stop);
  forget_pod({"hopcheck-system", "app=sink", 0});
  if (done) clear_switches();
  log.end(token, done ? "ok" : "failed");
  if (!done) return done;
  record_.run = run;
  run_begun_ = true;
  return save_env(options_.state_dir, record_);
}

}  // namespace hopcheck::mesh
