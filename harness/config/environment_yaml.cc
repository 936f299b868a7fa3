// What a scenario says of its environment, and what it claims of it.
#include <fmt/format.h>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

const std::vector<std::pair<std::string, NamingMode>> kNamings{
    {"APP_LABEL_AND_NAMESPACE", NamingMode::kAppLabelAndNamespace},
    {"CANONICAL_NAME_ONLY", NamingMode::kCanonicalNameOnly},
    {"CANONICAL_NAME_AND_NAMESPACE", NamingMode::kCanonicalNameAndNamespace},
    {"unset", NamingMode::kAppLabelAndNamespace}};

// Fields of the format that this version knows with one value only; another value is refused by name.
void only(Reader& reader, const std::string& key, const std::string& value) {
  const std::string got = reader.text(key, value);
  if (got != value)
    reader.problem(key, fmt::format("\"{}\" is not supported by this version, only \"{}\" is", printable(got), value));
}

// What may be claimed of the environment as well as set in it.
void read_claimable(Reader& reader, SpecEnvironment& environment) {
  const Node* naming = reader.has("naming") ? reader.take("naming") : nullptr;
  if (naming != nullptr) environment.naming_unset = naming->text == "unset";
  environment.naming = reader.choice("naming", environment.naming, kNamings);
  const bool enriched = reader.choice<bool>(
      "enrichment", false, {{"ISTIO_CANONICAL", false}, {"OTEL_SEMANTIC_CONVENTIONS", true}});
  if (enriched && naming != nullptr)
    reader.problem("naming", "has no effect with enrichment OTEL_SEMANTIC_CONVENTIONS");
  if (enriched) environment.naming = NamingMode::kOtelSemanticConventions;
  environment.mesh_tracing = reader.boolean("meshTracing", environment.mesh_tracing);
  const Node* sampling = reader.take("sampling");
  if (sampling && sampling->kind == Node::Kind::kScalar && sampling->text == "unset") {
    environment.sampling = std::nullopt;
  } else {
    environment.sampling = reader.number("sampling", environment.sampling.value_or(100.0), {0, 100});
  }
}

void read_scope(Reader& reader, const std::string& where, ScenarioDraft& draft, SpecEnvironment& environment) {
  const Node* node = reader.has("telemetryScope") ? reader.take("telemetryScope") : nullptr;
  environment.telemetry_scope = reader.text("telemetryScope", environment.telemetry_scope);
  const std::string& scope = environment.telemetry_scope;
  const std::string prefix = kScopeWorkload;
  if (scope == kScopeMesh || scope == kScopeNamespace || node == nullptr) return;
  if (scope.rfind(prefix, 0) != 0 || scope.size() == prefix.size()) {
    reader.problem("telemetryScope",
                   fmt::format("\"{}\" is none of mesh, namespace, workload/SERVICE", printable(scope)));
    return;
  }
  use_service(draft, *node, where + ".telemetryScope", scope.substr(prefix.size()));
}

}  // namespace

void use_service(ScenarioDraft& draft, const Node& at, const std::string& where, const std::string& service) {
  if (!service.empty()) draft.uses.push_back({service, where, at.line, at.column});
}

namespace {

// "1.31" or "1.31.0-dev": at least the minor.
void check_istio_version(Reader& reader, const std::string& key, const std::string& version) {
  const auto digit = [&](size_t i) { return i < version.size() && version[i] >= '0' && version[i] <= '9'; };
  size_t dot = 0;
  while (digit(dot)) ++dot;
  const bool minor = dot > 0 && dot < version.size() && version[dot] == '.' && digit(dot + 1);
  if (!version.empty() && (!minor || version.size() > 32))
    reader.problem(key, fmt::format("\"{}\" is no Istio version: write 1.31", printable(version)));
}

void read_proxy_versions(Reader& environment, ScenarioDraft& draft) {
  draft.scenario.environment.proxy_versions = environment.text_map("proxyVersions");
  const Node* node = environment.take("proxyVersions");
  for (const auto& [service, version] : draft.scenario.environment.proxy_versions) {
    check_istio_version(environment, "proxyVersions", version);
    use_service(draft, *node, "spec.environment.proxyVersions", service);
  }
}

}  // namespace

void read_environment(Reader& spec, ScenarioDraft& draft) {
  Reader reader(spec.take("environment"), "spec.environment", spec.problems());
  SpecEnvironment& environment = draft.scenario.environment;
  environment.transport =
      reader.choice<Transport>("transport", Transport::kGrpc, {{"grpc", Transport::kGrpc}, {"http", Transport::kHttp}});
  read_claimable(reader, environment);
  read_scope(reader, "spec.environment", draft, environment);
  if (reader.has("gatewaySpawn")) environment.gateway_spawn = reader.boolean("gatewaySpawn", true);
  environment.telemetry_provider = reader.text("telemetryProvider", "");
  environment.naming_restart = reader.boolean("namingRestart", true);
  environment.without_sidecar = reader.texts("withoutSidecar");
  environment.mtls_off = reader.texts("mtlsOff");
  for (const Node* item : reader.items("mtlsOff"))
    use_service(draft, *item, "spec.environment.mtlsOff", item->text);
  for (const Node* item : reader.items("withoutSidecar"))
    use_service(draft, *item, "spec.environment.withoutSidecar", item->text);
  environment.app_export_through_sidecar = reader.boolean("appExportThroughSidecar", false);
  environment.istio = reader.text("istio", "");
  check_istio_version(reader, "istio", environment.istio);
  read_proxy_versions(reader, draft);
  only(reader, "mtls", "PERMISSIVE");
  only(reader, "ports", "http");
  only(reader, "injection", "namespace");
  reader.finish();
}

// What the expectation takes for granted although the environment is set otherwise: how a canary is wrong.
void read_expected_environment(Reader& spec, ScenarioDraft& draft) {
  if (!spec.has("expectEnvironment")) return;
  Reader reader(spec.take("expectEnvironment"), "spec.expectEnvironment", spec.problems());
  SpecEnvironment claimed = draft.scenario.environment;
  read_claimable(reader, claimed);
  read_scope(reader, "spec.expectEnvironment", draft, claimed);
  reader.finish();
  draft.scenario.expect_environment = std::move(claimed);
}

}  // namespace hopcheck::config
