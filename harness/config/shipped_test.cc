// Every file of fixtures/topologies, fixtures/profiles, fixtures/captures/scenarios and scenarios/ loads, and what is
// written out is read back as the same value.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "config/load.h"
#include "config/walkthrough.h"

namespace hopcheck::config {
namespace {

namespace fs = std::filesystem;

const std::string kRoot = HOPCHECK_SOURCE_DIR;
const SearchPath kShare{kRoot};

std::vector<std::string> yaml_files(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot + "/" + folder)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> files_of_kind(const std::string& kind) {
  std::vector<std::string> out;
  for (const char* folder : {"scenarios", "fixtures/captures/scenarios"}) {
    for (const std::string& path : yaml_files(folder)) {
      if (kind_of_file(path) == kind) out.push_back(path);
    }
  }
  return out;
}

template <class T>
T loaded(Loaded<T> value) {
  EXPECT_TRUE(value) << (value ? "" : to_text(value.error()));
  return value.value_or(T{});
}

TEST(Shipped, TopologiesLoad) {
  const auto files = yaml_files("fixtures/topologies");
  EXPECT_GE(files.size(), 4u);
  for (const std::string& path : files)
    EXPECT_EQ(loaded(load_topology(path, "", kShare)).name, fs::path(path).stem().string());
}

TEST(Shipped, TopologiesComeBackEqual) {
  std::vector<std::string> files = yaml_files("fixtures/topologies");
  files.push_back(kRoot + "/fixtures/config/valid-topology-full.yaml");
  for (const std::string& path : files) {
    const Topology topology = loaded(load_topology(path, "", kShare));
    EXPECT_EQ(loaded(parse_topology(to_yaml(topology), path)), topology) << path;
  }
}

TEST(Shipped, ScenariosComeBackEqual) {
  std::vector<std::string> files = files_of_kind("Scenario");
  EXPECT_GE(files.size(), 46u);
  for (const char* name : {"full", "minimal", "inline-topology"}) {
    files.push_back(kRoot + "/fixtures/config/valid-scenario-" + name + ".yaml");
  }
  for (const std::string& path : files) {
    const Scenario scenario = loaded(load_scenario(path, kShare));
    EXPECT_EQ(loaded(parse_scenario(to_yaml(scenario), path)), scenario) << path << "\n" << to_yaml(scenario);
  }
}

TEST(Shipped, SuitesComeBackEqual) {
  std::vector<std::string> files = files_of_kind("Suite");
  EXPECT_GE(files.size(), 1u);
  files.push_back(kRoot + "/fixtures/config/valid-suite.yaml");
  for (const std::string& path : files) {
    Suite suite = loaded(load_suite(path, kShare));
    const fs::path copy = fs::temp_directory_path() / ("hopcheck-suite-test-" + std::to_string(::getpid()) + ".yaml");
    std::ofstream(copy) << to_yaml(suite);
    const Suite again = loaded(load_suite(copy.string(), kShare));
    fs::remove(copy);
    // What is written names its scenarios and stands in one file.
    suite.file = copy.string();
    for (SuiteEntry& entry : suite.entries) {
      entry.scenario_ref = entry.scenario.name;
      entry.scenario.file = copy.string();
    }
    EXPECT_EQ(again, suite) << path;
  }
}

TEST(Shipped, FileNamesAreScenarioNames) {
  for (const std::string& path : files_of_kind("Scenario")) {
    EXPECT_EQ(loaded(load_scenario(path, kShare)).name, fs::path(path).stem().string());
  }
}

TEST(Shipped, WalkthroughsLoadAndTheirScenariosStandBesideThem) {
  const auto files = files_of_kind("Walkthrough");
  EXPECT_GE(files.size(), 1u);
  for (const std::string& path : files) {
    const Walkthrough guide = loaded(load_walkthrough(path));
    EXPECT_EQ(guide.name, fs::path(path).stem().string());
    EXPECT_FALSE(loaded(load_topology(guide.topology, path, kShare)).services.empty());
    for (const WalkStep& step : guide.steps) {
      if (step.action != StepAction::kScenario) continue;
      const std::string beside = (fs::path(path).parent_path() / step.scenario).string();
      EXPECT_EQ(loaded(load_scenario(beside, kShare)).topology.name, guide.topology);
    }
  }
}

// A row that a step proves has a counter-test beside it, and the other way round.
TEST(Shipped, EveryRowOfAWalkthroughIsAskedBothWays) {
  for (const std::string& path : files_of_kind("Walkthrough")) {
    std::set<std::string> positive, negative;
    for (const WalkStep& step : loaded(load_walkthrough(path)).steps)
      (step.is_counter_test() ? negative : positive).insert(step.rows.begin(), step.rows.end());
    EXPECT_EQ(positive, negative) << path;
  }
}

TEST(Shipped, EndToEndSuiteSendsEnoughThroughTheGateway) {
  const Suite suite = loaded(load_suite(kRoot + "/scenarios/suites/e2e.yaml", kShare));
  uint64_t gateway = 0, headerless = 0;
  size_t failing = 0, drawn = 0;
  for (const SuiteEntry& entry : suite.entries) {
    failing += entry.expect_verdict == "fail";
    drawn += entry.expect_verdict == "drawn";
    if (entry.expect_verdict != "pass" || entry.scenario.entry != Entry::kGateway) continue;
    gateway += entry.scenario.load.requests;
    if (entry.scenario.load.traceparent == TraceparentMode::kNone) headerless += entry.scenario.load.requests;
  }
  EXPECT_EQ(suite.rate, 50);
  EXPECT_GE(gateway, 1000u);
  EXPECT_GE(headerless, 500u);
  EXPECT_EQ(failing, 4u);
  EXPECT_EQ(drawn, 1u);
}

TEST(Shipped, EveryCoreScenarioHasItsHeaderlessTwin) {
  for (const std::string& path : yaml_files("scenarios/core")) {
    if (path.find("-headerless") != std::string::npos) continue;
    const Scenario one = loaded(load_scenario(path, kShare));
    const Scenario twin = loaded(load_scenario(path.substr(0, path.size() - 5) + "-headerless.yaml", kShare));
    EXPECT_EQ(one.load.traceparent, TraceparentMode::kSampled);
    EXPECT_EQ(one.load.trace_state, "hop=t{n}");
    EXPECT_EQ(twin.load.traceparent, TraceparentMode::kNone);
    EXPECT_EQ(one.topology, twin.topology);
    EXPECT_EQ(one.entry, twin.entry);
    EXPECT_FALSE(one.rows.empty());
    EXPECT_FALSE(twin.rows.empty());
  }
}

TEST(Shipped, EveryCaptureHasItsScenario) {
  size_t captures = 0;
  for (const auto& entry : fs::directory_iterator(kRoot + "/fixtures/captures")) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() != ".jsonl" || stem.rfind("1.", 0) != 0) continue;
    if (stem.find("raw-requests") != std::string::npos) continue;  // HTTP requests, not exports
    ++captures;
    const Scenario scenario = loaded(load_scenario(kRoot + "/fixtures/captures/scenarios/" + stem + ".yaml", kShare));
    EXPECT_EQ(scenario.profile, "istio-" + stem.substr(0, 4));
    uint64_t weights = 0;
    for (const Journey& journey : scenario.load.journeys) weights += static_cast<uint64_t>(journey.weight);
    // With several journeys the weights are the exact counts.
    if (scenario.load.journeys.size() > 1) {
      EXPECT_EQ(weights, scenario.load.requests) << stem;
    }
  }
  EXPECT_GE(captures, 30u);
}

MeshProfile profile_named(const std::string& name) {
  for (const MeshProfile& profile : loaded(load_profiles(kShare))) {
    if (profile.name == name) return profile;
  }
  ADD_FAILURE() << "no profile " << name;
  return {};
}

std::string value_of(const std::vector<AttributeRule>& rules, const std::string& key) {
  for (const AttributeRule& rule : rules) {
    if (rule.key == key) return rule.value;
  }
  return "(absent)";
}

TEST(Shipped, ProfilesDifferWhereTheVersionsDo) {
  const auto profiles = loaded(load_profiles(kShare));
  ASSERT_EQ(profiles.size(), 10u);
  for (const MeshProfile& profile : profiles) {
    SCOPED_TRACE(profile.name);
    const int minor = std::stoi(profile.istio_minor.substr(2));
    const bool before_30 = minor < 30, since_31 = minor >= 31;
    EXPECT_EQ(profile.envoy_minor, "1." + std::to_string(minor + 8));
    EXPECT_EQ(profile.name, "istio-" + profile.istio_minor);
    EXPECT_EQ(profile.proof, minor >= 30 ? "live" : minor >= 28 ? "envoy" : "source");
    EXPECT_EQ(profile.scope_present, minor >= 25);
    EXPECT_EQ(profile.scope_name, minor >= 25 ? "envoy" : "");
    EXPECT_EQ(profile.gateway_spawn, minor <= 25   ? GatewaySpawn::kNever
                                     : minor <= 27 ? GatewaySpawn::kDefaultOff
                                     : minor <= 30 ? GatewaySpawn::kDefaultOn
                                                   : GatewaySpawn::kAlways);
    EXPECT_EQ(profile.waypoint_takes_service_name, minor == 28 || minor == 29);
    EXPECT_EQ(profile.before.text.empty(), minor != 22);
    EXPECT_EQ(profile.parent_decides_sampling, !since_31);
    EXPECT_EQ(profile.gateway_single.empty(), since_31);
    if (!since_31) {
      EXPECT_EQ(profile.gateway_single[0].kind, SpanKind::kClient);
    }
    // The chain behind the label app, and serviceAttributeEnrichment, came with 1.30.
    EXPECT_EQ(profile.naming.at(NamingMode::kAppLabelAndNamespace).steps.size(), before_30 ? 3u : 5u);
    EXPECT_EQ(profile.naming.count(NamingMode::kOtelSemanticConventions), before_30 ? 0u : 1u);
    const auto& resource = profile.resource;
    EXPECT_EQ(std::any_of(resource.begin(), resource.end(),
                          [](const AttributeRule& rule) { return rule.key == "service.instance.id"; }),
              !before_30);
    const SpanRule* spawned = profile.rule(ProxyRole::kGatewayClient, true);
    EXPECT_EQ(spawned != nullptr, minor >= 26);
    if (spawned != nullptr) {
      EXPECT_EQ(spawned->parent, "gatewayServer");
    }
    EXPECT_EQ(profile.rule(ProxyRole::kGatewayClient, std::nullopt) != nullptr, minor >= 28);
    EXPECT_EQ(profile.rule(ProxyRole::kGatewayServer, std::nullopt)->kind,
              minor >= 28 ? SpanKind::kServer : SpanKind::kClient);
    const bool routed = minor >= 23;
    EXPECT_EQ(profile.rule(ProxyRole::kInbound, true)->name, routed ? "{host}:{port}{route}" : "ingress");
    EXPECT_EQ(profile.rule(ProxyRole::kOutbound, true)->name, routed ? "{host}:{port}{route}" : "egress {authority}");
    const SpanRule* inbound = profile.rule(ProxyRole::kInbound, true);
    EXPECT_EQ(value_of(inbound->attributes, "upstream_cluster.name"), minor >= 24 ? "{cluster};" : "{cluster}");
    EXPECT_EQ(value_of(inbound->attributes, "component"), "proxy");
    for (const auto& list : {profile.spans, profile.gateway_single}) {
      for (const SpanRule& span : list) {
        EXPECT_FALSE(span.source.empty());
        for (const AttributeRule& attribute : span.attributes) EXPECT_FALSE(attribute.source.empty()) << attribute.key;
      }
    }
    // What showed a fact on another version is no proof here.
    if (minor < 28) {
      for (const SpanRule& span : profile.spans) {
        EXPECT_EQ(span.source.find("run"), std::string::npos) << span.source;
        EXPECT_EQ(span.source.find("captures"), std::string::npos) << span.source;
      }
    }
    for (const StatusRule& row : profile.status) {
      EXPECT_FALSE(row.source.empty());
      if (minor < 23) {
        EXPECT_EQ(row.status, StatusCode::kUnset);
      }
      if (row.from == 500) {
        EXPECT_TRUE(row.error_tag);
        EXPECT_EQ(row.status, minor >= 23 ? StatusCode::kError : StatusCode::kUnset);
      }
    }
  }
}

// What the facts of the Python SDK say of versions is what the app's packages are pinned to.
TEST(Shipped, TheSdkAppRunsTheVersionsItsFactsAreOf) {
  std::ifstream file(kRoot + "/kind/sdk-app/requirements.txt");
  const std::string pins{std::istreambuf_iterator<char>(file), {}};
  const Topology topology = loaded(load_topology("sdk-app", "", kShare));
  ASSERT_EQ(topology.instrumentations.known.size(), 1u);
  size_t seen = 0;
  for (const AttributeRule& rule : topology.instrumentations.known[0].resource) {
    const char* package = rule.key == "telemetry.sdk.version"    ? "opentelemetry-sdk"
                          : rule.key == "telemetry.auto.version" ? "opentelemetry-distro"
                                                                 : nullptr;
    if (package == nullptr) continue;
    EXPECT_NE(pins.find(std::string(package) + "==" + rule.value + " "), std::string::npos) << package;
    ++seen;
  }
  EXPECT_EQ(seen, 2u);
}

// kind/local-parts.yaml holds one field a line; what it pins must be judged by a profile of its own.
TEST(Shipped, EveryPinnedEnvoyHasItsProfile) {
  std::ifstream file(kRoot + "/kind/local-parts.yaml");
  std::string key, value, part, istio;
  std::vector<std::string> pinned;
  while (file >> key) {
    if (key == "part:") file >> part;
    if (part != "envoy") continue;
    if (key == "istio:") {
      file >> value;
      istio = value.substr(1, value.size() - 2);  // "1.30" in quotes
    }
    if (key != "version:") continue;
    file >> value;
    SCOPED_TRACE(istio + " " + value);
    const MeshProfile profile = profile_named("istio-" + istio);
    EXPECT_EQ(profile.istio_minor, istio);
    EXPECT_EQ(profile.envoy_minor, value.substr(0, value.rfind('.')));
    const auto version = std::find_if(profile.resource.begin(), profile.resource.end(), [](const AttributeRule& rule) {
      return rule.key == "telemetry.sdk.version";
    });
    ASSERT_NE(version, profile.resource.end());
    const std::string pattern = version->value.substr(1, version->value.size() - 2);
    EXPECT_TRUE(std::regex_match("0a1b2c/" + value + "/Clean/RELEASE/BoringSSL", std::regex(pattern))) << pattern;
    pinned.push_back(istio);
  }
  EXPECT_EQ(pinned, (std::vector<std::string>{"1.28", "1.29", "1.30", "1.31"}));
}

}  // namespace
}  // namespace hopcheck::config
