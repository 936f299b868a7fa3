#include "app/mesh_environment.h"

#include <fmt/format.h>

#include "config/load.h"
#include "mesh/kind_provider.h"
#include "mesh/local_provider.h"

namespace hopcheck::app {
namespace {

class KindEnvironment final : public MeshEnvironment {
 public:
  KindEnvironment(std::unique_ptr<mesh::KindProvider> provider, bool standing)
      : provider_(std::move(provider)), standing_(standing) {}
  run::Provider& provider() override { return *provider_; }
  Result<void> finish(bool keep, PhaseLog& log) override {
    if (standing_) return {};
    if (!keep) return provider_->release(log);
    if (auto kept = provider_->keep(); !kept) return kept;
    const std::string& id = provider_->record().id;
    log.note(fmt::format("environment {} is kept: hopcheck down --env {}", id, id));
    return {};
  }

 private:
  std::unique_ptr<mesh::KindProvider> provider_;
  bool standing_ = false;
};

class LocalEnvironment final : public MeshEnvironment {
 public:
  explicit LocalEnvironment(mesh::LocalOptions options) : provider_(std::move(options)) {}
  run::Provider& provider() override { return provider_; }
  Result<void> finish(bool keep, PhaseLog& log) override {
    if (keep) log.note("a local mesh ends with its run: --keep has no effect");
    return provider_.release(log);
  }

 private:
  mesh::LocalProvider provider_;
};

std::string topology_text(const Topology& topology) { return config::to_yaml(topology); }

Result<mesh::KindOptions> kind_options(const RunOptions& options, Context& context) {
  mesh::KindOptions kind;
  kind.share = context.share;
  kind.executable = context.executable;
  kind.images_file = options.images;
  kind.istio = options.istio;
  kind.id = options.env;
  kind.topology_to_yaml = topology_text;
  auto overrides = image_overrides(options.image_overrides);
  if (!overrides) return tl::unexpected(overrides.error());
  kind.image_overrides = std::move(*overrides);
  return kind;
}

Result<std::unique_ptr<MeshEnvironment>> open_kind(const RunOptions& options, const RunPlace& place,
                                                   Context& context) {
  auto kind = kind_options(options, context);
  if (!kind) return tl::unexpected(kind.error());
  kind->run = place.run_id;
  kind->log_dir = place.log_dir;
  const bool standing = !options.env.empty();
  auto provider = standing ? mesh::KindProvider::open(std::move(*kind), *context.stop)
                           : mesh::KindProvider::create(std::move(*kind), *context.stop);
  if (!provider) return tl::unexpected(provider.error());
  return std::make_unique<KindEnvironment>(std::move(*provider), standing);
}

}  // namespace

Result<std::map<std::string, std::string>> image_overrides(const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> out;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == pair.size()) {
      return fail(ErrorKind::kUsage, "--image " + pair + " is not ROLE=REF", "",
                  "for example --image collector=otel/opentelemetry-collector-contrib:0.161.0");
    }
    out[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return out;
}

Result<ProviderChoice> choose_provider(const RunOptions& options, Context& context) {
  if (!options.env.empty()) {
    if (options.provider == "local")
      return fail(ErrorKind::kUsage, "--env names a kind environment", "a local mesh ends with its run",
                  "leave --env out, or use --provider kind");
    return ProviderChoice{"kind", options.provider == "auto" ? "--env names a kind environment" : ""};
  }
  if (options.provider != "auto") return ProviderChoice{options.provider, ""};
  const auto kind = kind_options(options, context);
  if (!kind) return tl::unexpected(kind.error());
  const auto obstacle = mesh::obstacle_to_kind(*kind, *context.stop);
  if (!obstacle) return tl::unexpected(obstacle.error());
  if (obstacle->empty()) return ProviderChoice{"kind", "Docker answers and its images are at hand"};
  return ProviderChoice{"local", *obstacle};
}

Result<ProviderFacts> facts_of(const std::string& provider, const RunOptions& options, Context& context) {
  if (provider == "local") {
    Result<std::string> istio = options.istio;
    if (options.istio.empty()) istio = mesh::default_istio_of_parts(context.share);
    if (!istio) return tl::unexpected(istio.error());
    return ProviderFacts{mesh::local_capabilities(context.share), std::move(*istio)};
  }
  const auto kind = kind_options(options, context);
  if (!kind) return tl::unexpected(kind.error());
  auto istio = mesh::istio_version_of(*kind);
  if (!istio) return tl::unexpected(istio.error());
  ProviderFacts facts{mesh::kind_capabilities(), std::move(*istio)};
  const auto more = mesh::role_capabilities(*kind);
  if (!more) return tl::unexpected(more.error());
  facts.capabilities.insert(facts.capabilities.end(), more->begin(), more->end());
  return facts;
}

Result<void> preflight(const std::string& provider, const RunOptions& options, Context& context) {
  if (provider == "local") {
    // With auto they were meant for kind, and what was chosen instead, and why, has been said.
    if (options.provider == "local" && (!options.images.empty() || !options.image_overrides.empty()))
      return fail(ErrorKind::kUsage, "the local provider runs no images", "--images and --image name some",
                  "leave them out, or use --provider kind");
    return {};  // parts are got when they are missing, as its first step
  }
  const auto kind = kind_options(options, context);
  if (!kind) return tl::unexpected(kind.error());
  return options.env.empty() ? mesh::preflight(*kind, *context.stop) : Result<void>{};
}

Result<std::unique_ptr<MeshEnvironment>> open_environment(const std::string& provider, const RunOptions& options,
                                                          const RunPlace& place, const RunRequest& request,
                                                          Context& context) {
  if (provider != "local") return open_kind(options, place, context);
  mesh::LocalOptions local;
  local.share = context.share;
  local.executable = context.executable;
  local.istio = options.istio;
  local.run = place.run_id;
  local.log_dir = place.log_dir;
  local.profiles = request.profiles;
  local.topology_to_yaml = topology_text;
  return std::make_unique<LocalEnvironment>(std::move(local));
}

}  // namespace hopcheck::app
