// Control planes of the kind provider: the mesh's own, with the gateway, and one revision for each further Istio
// version whose proxies a topology instance asks for.
#include <nlohmann/json.hpp>

#include "mesh/kind_provider.h"

namespace hopcheck::mesh {
namespace {

constexpr int64_t kIstioMs = 300'000;
constexpr int64_t kWebhookMs = 60'000;

bool has_ca_bundle(const std::string& body) {
  const nlohmann::json config = nlohmann::json::parse(body, nullptr, false);
  if (!config.is_object() || !config.contains("webhooks") || !config["webhooks"].is_array() ||
      config["webhooks"].empty())
    return false;
  for (const nlohmann::json& hook : config["webhooks"]) {
    const auto client = hook.find("clientConfig");
    if (client == hook.end() || client->value("caBundle", "").empty()) return false;
  }
  return true;
}

}  // namespace

Result<std::string> istio_version_of(const KindOptions& options) {
  if (!options.id.empty()) {
    const Result<EnvRecord> record =
        load_env(options.state_dir.empty() ? default_state_dir() : options.state_dir, options.id);
    return record ? Result<std::string>(record->istio_version) : tl::unexpected<Error>(record.error());
  }
  const Result<Images> images =
      load_images(options.share + "/kind/images.yaml", options.images_file, options.image_overrides);
  if (!images) return tl::unexpected<Error>(images.error());
  const Result<IstioVersion> istio = select_istio(*images, options.istio);
  return istio ? Result<std::string>(istio->version) : tl::unexpected<Error>(istio.error());
}

Result<void> KindProvider::choose_istio(const run::EnvironmentState& state) {
  const auto choose = [&](const std::string& wanted) -> Result<IstioVersion> {
    Result<IstioVersion> istio = select_istio(images_, wanted);
    if (!istio) return istio;
    Result<std::string> istioctl = find_istioctl(*istio);
    if (!istioctl) return tl::unexpected<Error>(istioctl.error());
    istio->istioctl = std::move(*istioctl);
    return istio;
  };
  Result<IstioVersion> own = choose(options_.istio.empty() ? state.istio : options_.istio);
  if (!own) return tl::unexpected<Error>(own.error());
  istio_ = std::move(*own);
  for (const run::TopologyInstance& instance : state.instances) {
    for (const auto& [service, version] : instance.proxy_versions) {
      Result<IstioVersion> istio = choose(version);
      if (!istio) return with_context(istio.error(), "the proxies of " + service);
      const bool same = istio->version == istio_.version;
      context_.revisions[version] = same ? "" : revision_of(*istio);
      if (!same) further_[revision_of(*istio)] = std::move(*istio);
    }
  }
  return {};
}

// The mesh's own for revision "".
Result<void> KindProvider::install_istio(const run::EnvironmentState& state, const std::string& revision,
                                         const std::atomic<bool>& stop) {
  const IstioVersion& istio = revision.empty() ? istio_ : further_.at(revision);
  const Result<std::string> text = istio_operator(options_.share, istio, state, revision);
  if (!text) return tl::unexpected<Error>(text.error());
  const std::string file = dir_ + "/istio-operator" + (revision.empty() ? "" : "-" + revision) + ".yaml";
  const Result<void> written = write_private(file, *text);
  if (!written) return written;
  ProcessSpec spec;
  spec.argv = {istio.istioctl, "install", "-y", "--kubeconfig", kubeconfig(), "-f", file};
  if (!istio.overlay.empty()) spec.argv.insert(spec.argv.end(), {"-f", istio.overlay});
  spec.argv.insert(spec.argv.end(), {"--readiness-timeout", std::to_string(scaled_ms(kIstioMs) / 1000) + "s"});
  spec.timeout_ms = scaled_ms(kIstioMs);
  spec.log_path = tools_.log("istioctl");
  const Result<ProcessResult> done = run_checked(*runner_, spec, stop, "istioctl install",
                                                 "see the log; hopcheck collects istiod's in the run directory");
  if (!done) return tl::unexpected<Error>(done.error());
  return {};
}

Result<void> KindProvider::install_all(const run::EnvironmentState& state, const std::atomic<bool>& stop) {
  Result<void> done = install_istio(state, "", stop);
  for (const auto& [revision, version] : further_) {
    if (done) done = install_istio(state, revision, stop);
  }
  return done;
}

Result<void> KindProvider::wait_webhook(const std::string& revision, const std::atomic<bool>& stop) {
  const std::string suffix = revision.empty() ? "" : "-" + revision;
  const Result<void> ready =
      wait_deployments(*client_, {{"istio-system", "istiod" + suffix}}, scaled_ms(kIstioMs), stop);
  if (!ready) return ready;
  return wait_until(*client_,
                    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istio-sidecar-injector" +
                        suffix,
                    has_ca_bundle, scaled_ms(kWebhookMs), "waiting for the injection webhook", stop);
}

}  // namespace hopcheck::mesh
