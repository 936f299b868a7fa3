#include "app/kind_environment.h"

#include <fmt/format.h>

#include "config/load.h"
#include "mesh/kind_provider.h"

namespace hopcheck::app {

KindEnvironment::KindEnvironment(std::unique_ptr<mesh::KindProvider> provider, bool standing)
    : provider_(std::move(provider)), standing_(standing) {}
KindEnvironment::KindEnvironment(KindEnvironment&&) noexcept = default;
KindEnvironment::~KindEnvironment() = default;

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

std::vector<std::string> KindEnvironment::capabilities() { return mesh::kind_capabilities(); }

namespace {

Result<mesh::KindOptions> kind_options(const RunOptions& options, Context& context) {
  mesh::KindOptions kind;
  kind.share = context.share;
  kind.executable = context.executable;
  kind.images_file = options.images;
  kind.istio = options.istio;
  kind.id = options.env;
  kind.topology_to_yaml = [](const Topology& topology) { return config::to_yaml(topology); };
  auto overrides = image_overrides(options.image_overrides);
  if (!overrides) return tl::unexpected(overrides.error());
  kind.image_overrides = std::move(*overrides);
  return kind;
}

}  // namespace

Result<void> KindEnvironment::preflight(const RunOptions& options, Context& context) {
  const auto kind = kind_options(options, context);
  if (!kind) return tl::unexpected(kind.error());
  return options.env.empty() ? mesh::preflight(*kind, *context.stop) : Result<void>{};
}

Result<KindEnvironment> KindEnvironment::open(const RunOptions& options, const RunPlace& place, Context& context) {
  auto kind = kind_options(options, context);
  if (!kind) return tl::unexpected(kind.error());
  kind->run = place.run_id;
  kind->log_dir = place.log_dir;
  const bool standing = !options.env.empty();
  auto provider = standing ? mesh::KindProvider::open(std::move(*kind), *context.stop)
                           : mesh::KindProvider::create(std::move(*kind), *context.stop);
  if (!provider) return tl::unexpected(provider.error());
  return KindEnvironment(std::move(*provider), standing);
}

run::Provider& KindEnvironment::provider() { return *provider_; }

Result<void> KindEnvironment::finish(bool keep, PhaseLog& log) {
  if (standing_) return {};
  if (keep) {
    if (auto kept = provider_->keep(); !kept) return kept;
    log.note(
        fmt::format("environment {} is kept: hopcheck down --env {}", provider_->record().id, provider_->record().id));
    return {};
  }
  return provider_->release(log);
}

}  // namespace hopcheck::app
