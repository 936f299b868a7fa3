// fixtures/config: every valid-* loads, every invalid-* gives exactly the text of its golden file.
// HOPCHECK_UPDATE_GOLDEN=1 rewrites the golden files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "config/answers.h"
#include "config/load.h"
#include "config/walkthrough.h"

namespace hopcheck::config {
namespace {

namespace fs = std::filesystem;

const std::string kRoot = HOPCHECK_SOURCE_DIR;
const SearchPath kShare{kRoot};

std::vector<fs::path> files_starting_with(const std::string& prefix) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(kRoot + "/fixtures/config")) {
    if (entry.path().filename().string().rfind(prefix, 0) == 0) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

template <class T>
std::string text_of(const Loaded<T>& loaded) {
  std::string out = loaded ? "" : to_text(loaded.error());
  for (size_t at = out.find(kRoot + "/"); at != std::string::npos; at = out.find(kRoot + "/"))
    out.erase(at, kRoot.size() + 1);
  return out;
}

// "" when the file is right. Files whose kind cannot be told are read as scenarios.
std::string problems_of(const std::string& path) {
  const std::string kind = kind_of_file(path);
  if (kind == "Topology") return text_of(load_topology(path, "", kShare));
  if (kind == "Suite") return text_of(load_suite(path, kShare));
  if (kind == "InjectionSuite") return text_of(load_injection_suite(path, kShare));
  if (kind == "MeshProfile") return text_of(load_profile(path, kShare));
  if (kind == "Instrumentation") return text_of(parse_instrumentation(read(path), path));
  if (kind == "Walkthrough") return text_of(load_walkthrough(path));
  if (kind == "Answers") return text_of(parse_answers(read(path), path));
  if (kind == "Rows") return text_of(parse_rows(read(path), path));
  return text_of(load_scenario(path, kShare));
}

TEST(ConfigFixtures, ValidFilesLoad) {
  const auto files = files_starting_with("valid-");
  EXPECT_GE(files.size(), 6u);
  for (const fs::path& file : files) EXPECT_EQ(problems_of(file.string()), "") << file;
}

TEST(ConfigFixtures, InvalidFilesGiveTheirGoldenText) {
  const auto files = files_starting_with("invalid-");
  EXPECT_GE(files.size(), 15u);
  for (const fs::path& file : files) {
    const std::string text = problems_of(file.string());
    const fs::path golden = fs::path(kRoot) / "fixtures/golden/config" / (file.stem().string() + ".txt");
    if (std::getenv("HOPCHECK_UPDATE_GOLDEN")) std::ofstream(golden) << text;
    EXPECT_NE(text, "") << file;
    EXPECT_EQ(text, read(golden)) << file;
  }
}

TEST(ConfigFixtures, AnExtendingProfileHasItsOwnAndItsBasesFacts) {
  const auto loaded = load_profile(kRoot + "/fixtures/config/valid-profile-extends.yaml", kShare);
  ASSERT_TRUE(loaded) << text_of(loaded);
  EXPECT_EQ(loaded->base, "istio-1.31");
  EXPECT_EQ(loaded->proof, "source");
  EXPECT_EQ(loaded->gateway_service, "istio-ingressgateway");
  EXPECT_FALSE(loaded->scope_present);
  EXPECT_TRUE(loaded->changes.empty()) << "what the base changed is not what this version changed";
  std::vector<std::string> resource;
  for (const AttributeRule& rule : loaded->resource) resource.push_back(rule.key + " (" + rule.source + ")");
  EXPECT_EQ(resource, (std::vector<std::string>{
                          "service.name (judged by the naming rules)",
                          "telemetry.sdk.language (envoy resource_provider.cc)",
                          "telemetry.sdk.version (release notes)",
                          "service.namespace (enrichment OTEL_SEMANTIC_CONVENTIONS)",
                          "service.version (enrichment OTEL_SEMANTIC_CONVENTIONS)",
                          "service.instance.id (enrichment OTEL_SEMANTIC_CONVENTIONS)", "host.name (release notes)"}));
  const SpanRule* outbound = loaded->rule(ProxyRole::kOutbound, std::nullopt);
  const SpanRule* inbound = loaded->rule(ProxyRole::kInbound, std::nullopt);
  ASSERT_TRUE(outbound != nullptr && inbound != nullptr);
  EXPECT_EQ(outbound->name, "to {host}");
  EXPECT_EQ(outbound->kind, SpanKind::kClient);
  EXPECT_EQ(inbound->name, "{host}:{port}{route}");
  const auto peer = std::find_if(inbound->attributes.begin(), inbound->attributes.end(),
                                 [](const AttributeRule& rule) { return rule.key == "peer.address"; });
  ASSERT_NE(peer, inbound->attributes.end());
  EXPECT_EQ(peer->when, AttributeRule::When::kOptional);
}

// profile name → file text
Loaded<MeshProfile> parse_chain(const std::map<std::string, std::string>& bases, const std::string& own) {
  const std::string head = "apiVersion: hopcheck.dev/v1alpha1\nkind: MeshProfile\nmetadata: {name: own}\nspec:\n";
  return parse_profile(head + own, "own.yaml", [&](const std::string& name) -> std::optional<std::string> {
    const auto found = bases.find(name);
    if (found == bases.end()) return std::nullopt;
    return head + found->second;
  });
}

TEST(ConfigFixtures, CyclesAndBrokenBasesOfProfilesAreNamed) {
  EXPECT_EQ(text_of(parse_chain({{"a", "  extends: b\n"}, {"b", "  extends: own\n"}}, "  extends: a\n")),
            "own.yaml:5:12: spec.extends: profile a is not valid itself: spec.extends: profile b is not valid itself: "
            "spec.extends: a cycle: own -> a -> b -> own\n");
  EXPECT_EQ(text_of(parse_chain({{"a", "  - x\n"}}, "  extends: a\n")),
            "own.yaml:5:12: spec.extends: profile a is not valid itself: expected one document with a spec\n");
  std::map<std::string, std::string> chain;
  for (int i = 0; i < 20; ++i) chain["p" + std::to_string(i)] = "  extends: p" + std::to_string(i + 1) + "\n";
  EXPECT_NE(text_of(parse_chain(chain, "  extends: p0\n")).find("more than 16 profiles in a row"), std::string::npos);
  EXPECT_EQ(text_of(parse_chain({}, "  extends: [a]\n")),
            "own.yaml:5:12: spec.extends: expected the name of a profile\n");
}

TEST(ConfigFixtures, KindOfFile) {
  EXPECT_EQ(kind_of_file(kRoot + "/fixtures/config/valid-suite.yaml"), "Suite");
  EXPECT_EQ(kind_of_file(kRoot + "/fixtures/config/invalid-empty.yaml"), "");
  EXPECT_EQ(kind_of_file(kRoot + "/no-such-file"), "");
}

TEST(ConfigFixtures, AMissingFileIsNamed) {
  const auto scenario = load_scenario("no/such/file.yaml", kShare);
  ASSERT_FALSE(scenario);
  EXPECT_EQ(to_text(scenario.error()), "no/such/file.yaml: cannot read: no such file\n");
  const auto folder = load_scenario(kRoot + "/fixtures", kShare);
  ASSERT_FALSE(folder);
  EXPECT_EQ(text_of(folder), "fixtures: cannot read: not a regular file\n");
}

TEST(ConfigFixtures, FullScenarioHasEveryValue) {
  const auto loaded = load_scenario(kRoot + "/fixtures/config/valid-scenario-full.yaml", kShare);
  ASSERT_TRUE(loaded) << text_of(loaded);
  const Scenario& s = *loaded;
  EXPECT_EQ(s.topology.name, "shop");
  EXPECT_EQ(s.profile, "istio-1.30");
  EXPECT_EQ(s.entry, Entry::kMesh);
  EXPECT_EQ(s.environment.transport, Transport::kHttp);
  EXPECT_EQ(s.environment.naming, NamingMode::kCanonicalNameOnly);
  EXPECT_EQ(s.environment.gateway_spawn, false);
  EXPECT_EQ(s.environment.sampling, 12.5);
  EXPECT_EQ(s.environment.without_sidecar, std::vector<std::string>{"payments"});
  EXPECT_EQ(s.environment.mtls_off, std::vector<std::string>{"checkout"});
  EXPECT_TRUE(s.environment.app_export_through_sidecar);
  EXPECT_EQ(s.load.requests, 225u);  // 90 s at 2.5 per second
  EXPECT_EQ(s.load.traceparent, TraceparentMode::kUnsampled);
  EXPECT_EQ(s.load.tag, TagMode::kUserAgent);
  EXPECT_EQ(s.load.journeys[1].name, "GET /other");
  ASSERT_EQ(s.faults.size(), 10u);
  EXPECT_EQ(s.faults[1].delay_nanos, 1'500'000'000);
  EXPECT_EQ(s.faults[1].journey, "buy");
  EXPECT_EQ(s.faults[2].percent, 30);
  EXPECT_EQ(s.faults[2].status, 500);
  EXPECT_EQ(s.faults[3].kind, Fault::Kind::kCallTwice);
  EXPECT_EQ(s.faults[4].status, 418);
  EXPECT_EQ(s.faults[5].times, 2);
  EXPECT_EQ(s.faults[5].status, 502);
  EXPECT_EQ(s.faults[5].attempts, 4);
  EXPECT_EQ(s.faults[6].kind, Fault::Kind::kWireDelay);
  EXPECT_EQ(s.faults[6].delay_nanos, 250'000'000);
  EXPECT_EQ(s.faults[7].kind, Fault::Kind::kTimeout);
  EXPECT_EQ(s.faults[8].kind, Fault::Kind::kAppDown);
  EXPECT_EQ(s.faults[9].kind, Fault::Kind::kNoEndpoint);
  EXPECT_EQ(s.inject[0].header, "tracestate");
  EXPECT_EQ(s.inject[1].header, "all");
  EXPECT_EQ(s.environment.telemetry_scope, "workload/checkout");
  EXPECT_FALSE(s.environment.mesh_tracing);
  EXPECT_FALSE(s.environment.naming_restart);
  EXPECT_EQ(s.environment.telemetry_provider, "not-there");
  ASSERT_TRUE(s.expect_environment);
  EXPECT_EQ(s.expect_environment->naming, NamingMode::kCanonicalNameAndNamespace);
  EXPECT_EQ(s.expect_environment->sampling, 25);
  EXPECT_EQ(s.expect_environment->telemetry_scope, kScopeNamespace);
  EXPECT_FALSE(s.expect_environment->mesh_tracing) << "what is not claimed otherwise is as it is set";
  EXPECT_EQ(s.expect_overrides[0].service_name, "other.shop");
  EXPECT_EQ(s.expect_overrides[1].port_name, "tcp-raw");
  EXPECT_TRUE(s.tracing_changed_before_start);
  EXPECT_EQ(s.rules.nesting_tolerance_nanos, 2'000'000);
  EXPECT_EQ(s.rules.overhang_tolerance_nanos, 250'000'000);
}

TEST(ConfigFixtures, UnsetSamplingIsNotZero) {
  const auto loaded = load_scenario(kRoot + "/fixtures/config/valid-scenario-inline-topology.yaml", kShare);
  ASSERT_TRUE(loaded) << text_of(loaded);
  EXPECT_EQ(loaded->environment.sampling, std::nullopt);
  EXPECT_TRUE(loaded->load.request_id);
  EXPECT_EQ(loaded->environment.naming, NamingMode::kOtelSemanticConventions);
  EXPECT_EQ(loaded->load.journeys, (std::vector<Journey>{{"GET /", 1, "GET", "/"}}));
  EXPECT_EQ(loaded->topology.services[1].labels.at("app"), "back");
}

}  // namespace
}  // namespace hopcheck::config
