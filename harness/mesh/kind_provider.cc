#include "mesh/kind_provider.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"

namespace hopcheck::mesh {
namespace {

std::string default_images(const KindOptions& options) { return options.share + "/kind/images.yaml"; }

std::vector<NeededImage> platform_images(const Images& images, const IstioVersion& istio) {
  return {{"node", images.node, ""},
          {"pilot", pilot_image(istio), ""},
          {"proxyv2", proxy_image(istio), ""},
          {"collector", images.collector, ""}};
}

}  // namespace

int64_t scaled_ms(int64_t ms) {
  const char* text = std::getenv("HOPCHECK_TIME_FACTOR");
  const double factor = text == nullptr ? 1.0 : std::strtod(text, nullptr);
  return factor > 1.0 && factor < 1000.0 ? static_cast<int64_t>(static_cast<double>(ms) * factor) : ms;
}

Result<void> preflight(const KindOptions& options, const std::atomic<bool>& stop) {
  const Result<Images> images = load_images(default_images(options), options.images_file, options.image_overrides);
  if (!images) return tl::unexpected<Error>(images.error());
  const Result<IstioVersion> istio = select_istio(*images, options.istio);
  if (!istio) return tl::unexpected<Error>(istio.error());
  const Result<Tools> tools = find_tools();
  if (!tools) return tl::unexpected<Error>(tools.error());
  const Result<std::string> istioctl = find_istioctl(*istio);
  if (!istioctl) return tl::unexpected<Error>(istioctl.error());
  if (options.gateway_port != 0) {
    const Result<uint16_t> port = pick_port(options.gateway_port);
    if (!port) return tl::unexpected<Error>(port.error());
  }
  const std::unique_ptr<ProcessRunner> runner = make_process_runner();
  const Result<void> docker = check_docker(*runner, *tools, stop);
  if (!docker) return docker;
  std::vector<NeededImage> needed = platform_images(*images, *istio);
  return provide_images(*runner, *tools, images->pull_policy, needed, stop);
}

Result<std::string> obstacle_to_kind(const KindOptions& options, const std::atomic<bool>& stop) {
  const Result<Images> images = load_images(default_images(options), options.images_file, options.image_overrides);
  if (!images) return tl::unexpected<Error>(images.error());
  const Result<Tools> tools = find_tools();
  if (!tools) return tools.error().what;
  const Result<IstioVersion> istio = select_istio(*images, options.istio);
  if (!istio) return istio.error().what;
  const Result<std::string> istioctl = find_istioctl(*istio);
  if (!istioctl) return istioctl.error().what;
  const std::unique_ptr<ProcessRunner> runner = make_process_runner();
  return obstacle_in_docker(*runner, *tools, images->pull_policy, platform_images(*images, *istio), stop);
}

KindProvider::KindProvider(KindOptions options) : options_(std::move(options)) {
  if (options_.state_dir.empty()) options_.state_dir = default_state_dir();
  if (options_.run.empty()) options_.run = random_hex(4);
  if (options_.build_dir.empty())
    options_.build_dir = std::filesystem::path(options_.executable).parent_path().string();
  runner_ = make_process_runner([this](pid_t group, bool started) {
    if (reaper_) reaper_->group(group, started);
  });
}

KindProvider::~KindProvider() = default;

Result<std::unique_ptr<KindProvider>> KindProvider::create(KindOptions options, const std::atomic<bool>& stop) {
  std::unique_ptr<KindProvider> provider(new KindProvider(std::move(options)));
  KindOptions& own = provider->options_;
  if (own.id.empty()) own.id = random_hex(4);
  if (!is_env_id(own.id))
    return fail(ErrorKind::kUsage, "\"" + printable(own.id) + "\" is no environment id", "",
                "use lower-case letters, digits and inner dashes, at most 32");
  provider->dir_ = own.state_dir + "/" + own.id;
  if (std::filesystem::exists(provider->dir_ + "/env.json")) {
    return fail(ErrorKind::kUsage, "environment " + own.id + " exists already", "",
                "hopcheck down --env " + own.id + ", or use it with --env " + own.id);
  }
  provider->record_.id = own.id;
  provider->record_.cluster = "hopcheck-" + own.id;
  const Result<void> prepared = provider->prepare(stop);
  if (!prepared) return tl::unexpected<Error>(prepared.error());
  const Result<void> unused = check_name_free(*provider->runner_, provider->tools_, provider->record_.cluster, stop);
  if (!unused) return tl::unexpected<Error>(unused.error());
  return provider;
}

Result<std::unique_ptr<KindProvider>> KindProvider::open(KindOptions options, const std::atomic<bool>& stop) {
  std::unique_ptr<KindProvider> provider(new KindProvider(std::move(options)));
  KindOptions& own = provider->options_;
  Result<EnvRecord> record = load_env(own.state_dir, own.id);
  if (!record) return tl::unexpected<Error>(record.error());
  provider->dir_ = own.state_dir + "/" + own.id;
  provider->record_ = std::move(*record);
  provider->opened_ = true;
  own.istio = provider->record_.istio_version;
  const Result<void> prepared = provider->prepare(stop);
  if (!prepared) return tl::unexpected<Error>(prepared.error());
  const Result<void> connected = provider->connect();
  if (!connected) return tl::unexpected<Error>(connected.error());
  const Result<std::string> answer = kube_get(*provider->client_, "/readyz");
  if (!answer) {
    return fail(ErrorKind::kEnvironment, "environment " + own.id + " does not answer",
                answer.error().what + ": " + answer.error().why, "remove it: hopcheck down --env " + own.id);
  }
  return provider;
}

std::unique_ptr<KindProvider> KindProvider::assemble(KindOptions options, Parts parts) {
  std::unique_ptr<KindProvider> provider(new KindProvider(std::move(options)));
  provider->runner_ = std::move(parts.runner);
  provider->client_ = std::move(parts.client);
  provider->record_ = std::move(parts.record);
  provider->tokens_ = std::move(parts.tokens);
  provider->dir_ = provider->options_.state_dir + "/" + provider->record_.id;
  provider->opened_ = true;
  return provider;
}

std::vector<std::string> KindProvider::capabilities() const { return kind_capabilities(); }

std::vector<std::string> kind_capabilities() {
  return {"gateway",     "injection",   "kubernetes", "telemetry-api", "naming-restart",
          "grpc-export", "http-export", "tcp",        "h2-app",        "upgrade",
          "mtls",        "fault-injection"};
}

Result<std::vector<std::string>> role_capabilities(const KindOptions& options) {
  const Result<Images> images = load_images(default_images(options), options.images_file, options.image_overrides);
  if (!images) return tl::unexpected<Error>(images.error());
  const std::atomic<bool> never{false};
  const auto runner = make_process_runner();
  const auto made = made_role_images(*runner, options.share, never);
  std::vector<std::string> out;
  for (const auto& [role, capability] : {std::pair{"redis", "redis"}, {"amqp", "amqp"}, {"sdkApp", "sdk-app"}}) {
    if (images->roles.count(role) > 0 || made.count(role) > 0) out.emplace_back(capability);
  }
  return out;
}

Result<void> KindProvider::prepare(const std::atomic<bool>& stop) {
  Result<Images> images = load_images(default_images(options_), options_.images_file, options_.image_overrides);
  if (!images) return tl::unexpected<Error>(images.error());
  images_ = std::move(*images);
  Result<Tools> tools = find_tools();
  if (!tools) return tl::unexpected<Error>(tools.error());
  tools_ = std::move(*tools);
  return check_docker(*runner_, tools_, stop);
}

// Everything that comes before the first container: names, folder, tokens, reaper.
Result<void> KindProvider::start(const run::EnvironmentState& state, const std::atomic<bool>& stop) {
  Result<void> done = choose_istio(state);
  if (!done) return done;
  needed_ = platform_images(images_, istio_);
  for (const auto& [revision, version] : further_) {
    needed_.push_back({"pilot " + version.version, pilot_image(version), ""});
    needed_.push_back({"proxyv2 " + version.version, proxy_image(version), ""});
  }
  done = provide_images(*runner_, tools_, images_.pull_policy, needed_, stop);
  if (done && !opened_) {
    const Result<uint16_t> port = pick_port(options_.gateway_port);
    if (!port) return tl::unexpected<Error>(port.error());
    record_.gateway_port = *port;
  }
  if (done) done = make_private_dir(dir_);
  if (done) done = make_private_dir(dir_ + "/logs");
  if (!done) return done;
  tools_.log_dir = options_.log_dir.empty() ? dir_ + "/logs" : options_.log_dir;
  context_.share = options_.share;
  context_.env = record_.id;
  context_.collector_image = images_.collector;
  if (opened_) {
    Result<EnvTokens> tokens = load_tokens(dir_);
    if (!tokens) return tl::unexpected<Error>(tokens.error());
    tokens_ = *tokens;
    context_.harness_image = record_.harness_image;
    context_.collector_image = record_.collector_image;
  } else {
    tokens_ = {random_hex(16), random_hex(16)};
    record_.created = now_rfc3339();
    record_.run = options_.run;
    record_.istio_version = istio_.version;
    record_.istio_tag = istio_.tag;
    for (const auto& [revision, version] : further_) record_.revisions.push_back(revision);
    record_.collector_image = images_.collector;
    record_.notes = {
        "Istio: drainDuration 5s (default 45s), proxyStatsMatcher tracing.opentelemetry, listener_manager and "
        "ssl.handshake, access logs as JSON, NodePort "
        "gateway, small resource requests"};
    for (const std::string& name : images_.unverified) {
      record_.notes.push_back("unverified pin (no digest read from the publisher): " + name);
    }
    done = save_tokens(dir_, tokens_);
    if (done) done = write_private(dir_ + "/owner.json", to_json(owner_of_this_process(record_.id, record_.run)));
    if (done) done = save_env(options_.state_dir, record_);
    if (!done) return done;
    Result<std::unique_ptr<Reaper>> reaper = Reaper::start({options_.executable, record_.id, options_.state_dir});
    if (!reaper) return tl::unexpected<Error>(reaper.error());
    reaper_ = std::move(*reaper);
  }
  context_.backend_token = tokens_.backend;
  context_.control_token = tokens_.control;
  context_.run = record_.run;
  started_ = true;
  return provide_role_images(state, stop);
}

Result<void> KindProvider::connect() {
  Result<Kubeconfig> config = load_kubeconfig(kubeconfig());
  if (!config) return tl::unexpected<Error>(config.error());
  client_ = make_kube_client(std::move(*config));
  return {};
}

std::map<std::string, std::string> KindProvider::hashes_of(const run::EnvironmentState& state) const {
  std::map<std::string, std::string> out;
  for (const run::TopologyInstance& instance : state.instances) {
    out[instance.topology.ns] =
        sha256_hex(instance_key(instance, options_.topology_to_yaml(instance.topology))).substr(0, 16);
  }
  return out;
}

std::string KindProvider::why_not(const run::EnvironmentState& state) const {
  return why_not_fitting(record_, state, hashes_of(state));
}

Result<void> KindProvider::ensure(const run::EnvironmentState& state, run::StepLog& log,
                                  const std::atomic<bool>& stop) {
  if (!options_.topology_to_yaml) return fail(ErrorKind::kInternal, "KindOptions::topology_to_yaml is not set");
  if (!started_) {
    const size_t token = log.begin("tools and images");
    const Result<void> begun = start(state, stop);
    log.end(token, begun ? "ok" : "failed");
    if (!begun) return begun;
  }
  const bool standing = record_.complete;
  Result<void> done = standing && !run_begun_ ? check_prerequisites(log) : Result<void>();
  if (done) done = standing ? apply_difference(state, log, stop) : create_all(state, log, stop);
  if (done && !standing) done = check_prerequisites(log);
  if (!done) return done;
  for (const auto& [ns, hash] : hashes_of(state)) record_.instances[ns] = hash;
  for (const run::TopologyInstance& instance : state.instances) {
    const bool known =
        std::find(record_.agents.begin(), record_.agents.end(), instance.topology.ns) != record_.agents.end();
    if (instance.mesh_client && !known) record_.agents.push_back(instance.topology.ns);
  }
  note_tracing(state);
  record_.naming = state.naming;
  record_.naming_unset = state.naming_unset;
  record_.naming_restart = state.naming_restart;
  record_.gateway_spawn = state.gateway_spawn;
  record_.complete = true;
  return save_env(options_.state_dir, record_);
}

Result<void> KindProvider::keep() {
  if (!std::filesystem::exists(dir_)) return fail(ErrorKind::kEnvironment, "there is no environment to keep");
  record_.kept = true;
  const Result<void> saved = save_env(options_.state_dir, record_);
  if (saved && reaper_) reaper_->keep();
  return saved;
}

Result<void> KindProvider::release(run::StepLog& log) {
  if (record_.kept || released_ || !std::filesystem::exists(dir_)) return {};
  const size_t token = log.begin("remove the cluster");
  const std::atomic<bool> never{false};
  const Result<void> deleted = delete_cluster(*runner_, tools_, {record_.cluster, kubeconfig()}, never);
  log.end(token, deleted ? "ok" : "failed");
  if (!deleted) return deleted;  // the reaper tries again
  released_ = true;
  client_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
  if (reaper_) reaper_->done();
  return {};
}

}  // namespace hopcheck::mesh
