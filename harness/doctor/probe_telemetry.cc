// Who switches tracing on: the providers registered in MeshConfig, and the Telemetry objects that choose one.
#include <fmt/format.h>

#include <algorithm>

#include "doctor/probes.h"
#include "doctor/view.h"

namespace hopcheck::doctor {
namespace {

constexpr double kIstioDefaultPercent = 1;

std::vector<std::string> names_of(const MeshConfigFact& config) {
  std::vector<std::string> out;
  for (const ProviderFact& provider : config.providers) out.push_back(provider.name);
  return out;
}

bool registered(const MeshConfigFact& config, const std::string& name) {
  return std::any_of(config.providers.begin(), config.providers.end(),
                     [&](const ProviderFact& provider) { return provider.name == name; });
}

std::string object_of(const TelemetryFact& telemetry) { return telemetry.ns + "/" + telemetry.name; }

std::string patch(const TelemetryFact& telemetry, const std::string& tracing) {
  return fmt::format("kubectl -n {} patch telemetry {} --type merge -p {}", telemetry.ns, telemetry.name,
                     shell_word("{\"spec\":{\"tracing\":[" + tracing + "]}}"));
}

// The tracing of an object as it should be: its own provider, or the one given, at 100 %.
std::string mended(const TracingFact& tracing, const std::string& provider = "") {
  const std::string name = !provider.empty() ? provider : tracing.providers.empty() ? "" : tracing.providers.front();
  const std::string providers = name.empty() ? "" : fmt::format("\"providers\":[{{\"name\":\"{}\"}}],", name);
  return fmt::format("{{{}\"randomSamplingPercentage\":100}}", providers);
}

std::optional<double> mesh_sampling(const ClusterEvidence& evidence) {
  for (const MeshConfigFact* config : mesh_configs_in_use(evidence)) {
    if (config->sampling) return config->sampling;
  }
  return std::nullopt;
}

// One object by itself; `in_root`: what it leaves out comes from the mesh, not from another object.
void judge_tracing(const ClusterEvidence& evidence, const TelemetryFact& telemetry, const TracingFact& tracing,
                   ProbeResult& result) {
  const std::string object = object_of(telemetry);
  const bool in_root = telemetry.ns == root_namespace(evidence) && !telemetry.selects_workloads;
  if (tracing.disabled) {
    blame(result, {"telemetry-disabled", object, "Telemetry " + object + " switches the reporting of spans off",
                   {"disableSpanReporting: true"}, {patch(telemetry, mended(tracing))}, {}});
    return;
  }
  if (tracing.percentage && *tracing.percentage <= 0) {
    blame(result, {"telemetry-zero-percent", object, "Telemetry " + object + " samples 0 % of requests",
                   {"randomSamplingPercentage: 0"}, {patch(telemetry, mended(tracing))}, {}});
    return;
  }
  if (tracing.percentage) {
    result.evidence.push_back(fmt::format("Telemetry {}: {} %", object, *tracing.percentage));
    return;
  }
  if (!in_root) return;  // inherited
  const std::optional<double> sampling = mesh_sampling(evidence);
  if (sampling && *sampling > kIstioDefaultPercent) {
    result.evidence.push_back(fmt::format("Telemetry {}: {} % from defaultConfig.tracing.sampling", object, *sampling));
    return;
  }
  blame(result, {"telemetry-default-percent", object,
                 fmt::format("Telemetry {} names no percentage: {} % of requests are sampled", object,
                             sampling.value_or(kIstioDefaultPercent)),
                 {"randomSamplingPercentage is not set",
                  sampling ? fmt::format("defaultConfig.tracing.sampling: {}", *sampling)
                           : std::string("defaultConfig.tracing.sampling is not set: Istio's default of 1 %")},
                 {patch(telemetry, mended(tracing))}, {}});
}

// One line that puts a Telemetry resource for the whole mesh where it belongs.
std::string apply_mesh_wide(const ClusterEvidence& evidence) {
  const std::vector<UsedProvider> used = used_providers(evidence);
  const std::vector<std::string> asked = providers_asked_for(evidence);
  const std::string provider = !used.empty() ? used.front().provider->name : asked.empty() ? "PROVIDER" : asked.front();
  const std::string object = fmt::format(
      R"({{"apiVersion":"telemetry.istio.io/v1","kind":"Telemetry","metadata":{{"name":"mesh-default",)"
      R"("namespace":"{}"}},"spec":{{"tracing":[{{"providers":[{{"name":"{}"}}],)"
      R"("randomSamplingPercentage":100}}]}}}})",
      root_namespace(evidence), provider);
  return "echo " + shell_word(object) + " | kubectl apply -f -";
}

void judge_missing(const ClusterEvidence& evidence, ProbeResult& result) {
  const std::string root = root_namespace(evidence);
  if (!providers_asked_for(evidence).empty()) {  // defaultProviders.tracing switches it on without an object
    const std::optional<double> sampling = mesh_sampling(evidence);
    result.evidence.push_back("tracing is on through defaultProviders.tracing");
    if (sampling && *sampling > kIstioDefaultPercent) return;
    blame(result, {"telemetry-default-percent", "defaultProviders.tracing",
                   fmt::format("no Telemetry resource sets a percentage: {} % of requests are sampled",
                               sampling.value_or(kIstioDefaultPercent)),
                   {"tracing comes from defaultProviders.tracing of MeshConfig"},
                   {"apply a Telemetry resource with randomSamplingPercentage: 100 in namespace " + root}, {}});
    return;
  }
  blame(result, {"telemetry-missing", root, "no Telemetry resource switches tracing on",
                 {counted(evidence.telemetries.value.size(), "Telemetry resource") + " looked at, none has tracing"},
                 {apply_mesh_wide(evidence)}, {}});
}

// First in words, since whoever keeps the mesh's values in a file mends them there. Then the ConfigMap itself, where it
// is known what to send to and the list has Istio's own layout.
std::vector<std::string> registration_fix(const ClusterEvidence& evidence, const MeshConfigFact& config,
                                          const std::string& name) {
  std::vector<std::string> out = {
      "add it under meshConfig.extensionProviders (istioctl install -f, Helm values of istiod, or ConfigMap " +
      evidence.control_namespace + "/" + config.config_map + ")"};
  const ServiceFact* service = only_likely_collector(evidence);
  if (name.empty() || service == nullptr || !config.plain_list || port_of(*service, 4317) == nullptr) return out;
  const std::string added = fmt::format(
      "\\1- name: {0}\\n\\1  opentelemetry:\\n\\1    port: 4317\\n\\1    service: {1}", sed_replacement(name),
      sed_replacement(host_of(*service)));
  out.push_back(through(evidence.control_namespace, config.config_map,
                        "sed 's/^\\( *\\)extensionProviders:$/&\\n" + added + "/'"));
  return out;
}

}  // namespace

// F-4: whoever asks for a provider must find it in the MeshConfig of every revision. A name that is nearly one of those
// registered is the Telemetry resource's mistake (D-07); any other is a provider that was never registered.
void probe_registration(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.mesh_configs, result) || skip_unless(evidence.telemetries, result)) return;
  for (const MeshConfigFact* config : mesh_configs_in_use(evidence)) {
    const std::vector<std::string> names = names_of(*config);
    result.evidence.push_back("ConfigMap " + config->config_map + " registers " +
                              (names.empty() ? "no provider" : joined(names)) +
                              (config->damage.empty() ? "" : " (" + config->damage + ")"));
    const std::vector<std::string> asked = providers_asked_for(evidence);
    if (asked.empty() && used_providers(evidence).empty()) {
      blame(result, {"provider-missing", config->config_map, "no OpenTelemetry provider is registered in ConfigMap " +
                     config->config_map, {result.evidence.back()}, registration_fix(evidence, *config, ""), {}});
    }
    for (const std::string& name : asked) {
      if (registered(*config, name) || near_provider(evidence, name).value_or(name) != name) continue;
      blame(result, {"provider-missing", config->config_map + "/" + name,
                     "provider " + name + " is not in extensionProviders of ConfigMap " + config->config_map,
                     {result.evidence.back()},
                     registration_fix(evidence, *config, name),
                     {}});
    }
  }
  for (const TelemetryFact& telemetry : evidence.telemetries.value) {
    for (const TracingFact& tracing : telemetry.tracing) {
      if (tracing.providers.empty()) continue;
      const std::string& name = tracing.providers.front();
      const std::optional<std::string> near = near_provider(evidence, name);
      if (!near || *near == name) continue;
      blame(result, {"telemetry-provider-unknown", object_of(telemetry),
                     fmt::format("Telemetry {} names provider {}, and there is no such provider: {} is meant",
                                 object_of(telemetry), name, *near),
                     result.evidence, {patch(telemetry, mended(tracing, *near))}, {}});
    }
  }
}

// F-3, D-04, D-06.
void probe_telemetry(const ClusterEvidence& evidence, ProbeResult& result) {
  if (skip_unless(evidence.telemetries, result) || skip_unless(evidence.mesh_configs, result)) return;
  const std::string root = root_namespace(evidence);
  bool any = false, mesh_wide = false;
  const TelemetryFact* first = nullptr;
  for (const TelemetryFact& telemetry : evidence.telemetries.value) {
    for (const TracingFact& tracing : telemetry.tracing) {
      any = true;
      if (first == nullptr) first = &telemetry;
      mesh_wide = mesh_wide || (telemetry.ns == root && !telemetry.selects_workloads);
      judge_tracing(evidence, telemetry, tracing, result);
    }
  }
  if (!any) return judge_missing(evidence, result);
  for (const MeshConfigFact* config : mesh_configs_in_use(evidence)) {
    mesh_wide = mesh_wide || !config->default_providers.empty();
  }
  if (mesh_wide) return;
  blame(result, {"telemetry-outside-root", object_of(*first),
                 fmt::format("Telemetry {} governs {} alone: gateways and other namespaces make no spans",
                             object_of(*first), first->selects_workloads ? "some workloads" : "namespace " + first->ns),
                 {"the root namespace is " + root + ", and no Telemetry resource there has tracing for all workloads"},
                 {apply_mesh_wide(evidence)},
                 {}});
}

}  // namespace hopcheck::doctor
