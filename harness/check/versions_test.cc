// Rows D-10, D-12, D-13, D-14, O-50, O-51, O-52, O-55: what one version's proxies leave passes under that version's
// profile and fails under another's, and mesh spans are told from app spans with and without a scope.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "check/judge.h"
#include "check/span_info.h"
#include "config/load.h"
#include "plan/expand.h"
#include "plan/intent.h"
#include "sim/synthesize.h"

namespace hopcheck::check {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;
constexpr uint64_t kRequests = 3;

class VersionsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles) << config::to_text(profiles.error());
    profiles_ = std::move(*profiles);
    auto scenario = config::load_scenario(kRoot + "/scenarios/core/checkout-gateway.yaml", {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    scenario_ = std::move(*scenario);
    scenario_.load.requests = kRequests;
    tag_.nonce = 0x0123456789abcdef;
  }

  const MeshProfile& named(const std::string& name) const {
    const auto found =
        std::find_if(profiles_.begin(), profiles_.end(), [&](const MeshProfile& p) { return p.name == name; });
    EXPECT_NE(found, profiles_.end()) << name;
    return found == profiles_.end() ? profiles_.front() : *found;
  }

  // kRequests requests as the proxies of `emitted` would leave them.
  void emit(const std::string& emitted) {
    spans_.clear();
    ledger_.clear();
    LoadPlan plan;
    plan.tag = tag_;
    plan.count = kRequests;
    plan.traceparent = scenario_.load.traceparent;
    plan.trace_state = scenario_.load.trace_state;
    plan.journeys = scenario_.load.journeys;
    const plan::TagCipher cipher(tag_);
    plan::ProfileBinding binding;
    binding.fallback = &named(emitted);
    const auto expansion = plan::expand(scenario_, binding);
    ASSERT_TRUE(expansion) << expansion.error().what;
    tree_ = expansion->trees[0];
    Rng rng(7);
    for (uint64_t i = 0; i < kRequests; ++i) {
      LedgerEntry entry;
      entry.intent = plan::intent_at(plan, cipher, i);
      entry.scenario = scenario_.name;
      entry.journey = plan.journeys[0].name;
      entry.outcome = {i, 1000, 2000, 3000, OutcomeKind::kOk, 200};
      sim::SynthesisInput input;
      input.tree = &expansion->trees[0];
      input.trace_id = entry.intent.trace_id;
      input.root_parent = entry.intent.span_id;
      input.trace_state = entry.intent.trace_state;
      input.start_unix_nanos += i * 1'000'000'000;
      const auto spans = sim::synthesize(input, arena_, rng);
      spans_.insert(spans_.end(), spans.begin(), spans.end());
      ledger_.push_back(std::move(entry));
    }
  }

  Result<JudgeResult> judged(const std::string& profile, const std::string& istio = "") {
    JudgeInput input;
    input.spans = &spans_;
    input.bodies = {1, 1, 0, 0};
    input.tag = tag_;
    input.profiles = &profiles_;
    input.environment.istio = istio;
    ScenarioInput item;
    item.scenario = scenario_;
    item.scenario.profile = profile;
    item.ledger = ledger_;
    input.scenarios.push_back(std::move(item));
    return judge(input);
  }

  // Codes of all findings; "error: …" when it could not be judged.
  std::set<std::string> codes(const std::string& profile, const std::string& istio = "") {
    const auto result = judged(profile, istio);
    if (!result) return {"error: " + result.error().what};
    std::set<std::string> out;
    for (const Finding& finding : result->scenarios[0].findings) out.insert(finding.code);
    for (const Finding& finding : result->findings) out.insert(finding.code);
    return out;
  }

  // One attribute of every mesh span's own list, or of its resource's, renamed or moved.
  void set_attribute(Span& span, const std::string& key, const std::string& value) {
    std::vector<Attribute> list(span.attributes.begin(), span.attributes.end());
    for (Attribute& item : list) {
      if (item.key == key) item.value.text = arena_.copy(value);
    }
    Attribute* copy = arena_.array<Attribute>(list.size());
    std::copy(list.begin(), list.end(), copy);
    span.attributes = {copy, static_cast<uint32_t>(list.size())};
  }

  Arena arena_;
  std::vector<MeshProfile> profiles_;
  Scenario scenario_;
  RunTag tag_;
  ExpectedTree tree_;
  std::vector<Span> spans_;
  std::vector<LedgerEntry> ledger_;
};

using Codes = std::set<std::string>;

TEST_F(VersionsTest, EveryVersionPassesUnderItsOwnProfile) {
  for (const MeshProfile& profile : profiles_) {
    for (const Entry entry : {Entry::kGateway, Entry::kMesh, Entry::kUnmeshed}) {
      scenario_.entry = entry;
      emit(profile.name);
      EXPECT_EQ(codes(profile.name), Codes{}) << profile.name << " " << to_string(entry);
      EXPECT_EQ(codes("auto", profile.istio_minor + ".2"), Codes{}) << profile.name << " by the mesh's version";
    }
  }
}

// Through the gateway; what each release changed is what the profile of the release before finds.
TEST_F(VersionsTest, TheNextVersionsProfileFindsWhatChanged) {
  const std::vector<std::pair<std::pair<const char*, const char*>, Codes>> kPairs{
      {{"istio-1.22", "istio-1.23"}, {"HOP0402"}},             // names
      {{"istio-1.23", "istio-1.24"}, {"HOP0504"}},             // upstream_cluster.name
      {{"istio-1.24", "istio-1.25"}, {"HOP0502", "HOP0503"}},  // scope, telemetry.sdk.*
      {{"istio-1.25", "istio-1.26"}, {"HOP0507"}},
      {{"istio-1.27", "istio-1.28"}, {"HOP0304", "HOP0507"}},  // the gateway spawns
      {{"istio-1.28", "istio-1.29"}, {"HOP0507"}},
  };
  for (const auto& [pair, expected] : kPairs) {
    emit(pair.first);
    EXPECT_EQ(codes(pair.second), expected) << pair.first << " under " << pair.second;
    emit(pair.second);
    EXPECT_NE(codes(pair.first), Codes{}) << pair.second << " under " << pair.first;
  }
}

TEST_F(VersionsTest, WithoutAScopeIsRightIn124AndWrongIn130AndTheReverse) {
  scenario_.entry = Entry::kUnmeshed;  // no gateway: only scope, resource and version differ
  emit("istio-1.24");
  EXPECT_EQ(codes("istio-1.24"), Codes{});
  EXPECT_EQ(codes("istio-1.30"), (Codes{"HOP0502", "HOP0503"}));
  emit("istio-1.30");
  EXPECT_EQ(codes("istio-1.30"), Codes{});
  EXPECT_EQ(codes("istio-1.24"), Codes{"HOP0507"}) << "its spans name Envoy 1.38";
  // The same without a version to go by: scope and resource alone tell.
  for (Span& span : spans_) {
    if (!is_mesh_span(span)) continue;
    Resource resource = *span.resource;
    std::vector<Attribute> kept;
    for (const Attribute& item : resource.attributes) {
      if (item.key != "telemetry.sdk.version") kept.push_back(item);
    }
    Attribute* copy = arena_.array<Attribute>(kept.size());
    std::copy(kept.begin(), kept.end(), copy);
    resource.attributes = {copy, static_cast<uint32_t>(kept.size())};
    span.resource = arena_.make(resource);
  }
  EXPECT_EQ(codes("istio-1.24"), (Codes{"HOP0502", "HOP0503"}));
  EXPECT_EQ(codes("istio-1.30"), Codes{"HOP0503"});
}

// Status stays UNSET in 1.22; the tag error tells a failure all the same.
TEST_F(VersionsTest, StatusFollowsTheTableOfTheVersion) {
  for (const char* profile : {"istio-1.22", "istio-1.23"}) {
    emit(profile);
    Span* server = nullptr;
    for (Span& span : spans_) {
      const SpanInfo info = Classifier(scenario_.topology).classify(span);
      if (info.role == ProxyRole::kInbound && info.service == scenario_.topology.find("payments")) server = &span;
    }
    ASSERT_NE(server, nullptr);
    set_attribute(*server, "http.status_code", "404");  // SERVER: UNSET in every version
    EXPECT_EQ(codes(profile).count("HOP0505"), 0u) << profile;
    server->status = StatusCode::kError;
    EXPECT_EQ(codes(profile).count("HOP0505"), 1u) << profile;
  }
  emit("istio-1.22");
  for (Span& span : spans_) {
    if (is_mesh_span(span) && span.kind == SpanKind::kClient) set_attribute(span, "http.status_code", "404");
  }
  EXPECT_EQ(codes("istio-1.22").count("HOP0505"), 0u);
  EXPECT_EQ(codes("istio-1.23").count("HOP0505"), 1u) << "CLIENT 404 is ERROR from 1.23 on";
}

TEST_F(VersionsTest, MeshSpansAreToldWithAndWithoutAScope) {
  for (const MeshProfile& profile : profiles_) {
    SCOPED_TRACE(profile.name);
    emit(profile.name);
    const Classifier classifier(scenario_.topology);
    ASSERT_EQ(spans_.size(), tree_.spans.size() * kRequests);
    for (size_t i = 0; i < spans_.size(); ++i) {
      const ExpectedSpan& expected = tree_.spans[i % tree_.spans.size()];
      const SpanInfo info = classifier.classify(spans_[i]);
      EXPECT_EQ(info.mesh, expected.role != ProxyRole::kNone) << expected.name;
      EXPECT_EQ(spans_[i].scope->present, !info.mesh || profile.scope_present);
      if (!info.mesh) continue;
      EXPECT_EQ(info.role, expected.role) << expected.name;
      EXPECT_EQ(info.service, expected.service) << expected.name;
      EXPECT_EQ(spans_[i].attributes.text("component"), "proxy");
      EXPECT_NE(spans_[i].attributes.text("istio.canonical_service"), "");
      EXPECT_NE(spans_[i].attributes.text("istio.mesh_id"), "");
    }
  }
}

// D-14: tags that something moved to the resource are found there, and the finding says so.
TEST_F(VersionsTest, IstioTagsOnTheResourceAreRecognised) {
  emit("istio-1.30");
  for (Span& span : spans_) {
    if (!is_mesh_span(span)) continue;
    Resource resource = *span.resource;
    std::vector<Attribute> own, moved(resource.attributes.begin(), resource.attributes.end());
    for (const Attribute& item : span.attributes) (item.key.starts_with("istio.") ? moved : own).push_back(item);
    const auto list_of = [&](const std::vector<Attribute>& items) {
      Attribute* copy = arena_.array<Attribute>(items.size());
      std::copy(items.begin(), items.end(), copy);
      return AttributeList{copy, static_cast<uint32_t>(items.size())};
    };
    span.attributes = list_of(own);
    resource.attributes = list_of(moved);
    span.resource = arena_.make(resource);
    EXPECT_NE(Classifier(scenario_.topology).classify(span).revision, "");
  }
  const auto result = judged("istio-1.30");
  ASSERT_TRUE(result);
  size_t tags = 0;
  for (const Finding& finding : result->scenarios[0].findings) {
    EXPECT_EQ(finding.code, "HOP0504");
    EXPECT_EQ(finding.actual.rfind("on the resource: ", 0), 0u) << finding.actual;
    ++tags;
  }
  EXPECT_GT(tags, 0u);
}

TEST_F(VersionsTest, WithoutAScopeAndComponentAMeshSpanIsNotSeenAsOne) {
  emit("istio-1.24");
  for (Span& span : spans_) set_attribute(span, "component", "other");
  EXPECT_NE(codes("istio-1.24"), Codes{});
}

TEST_F(VersionsTest, AutoNeedsToKnowTheVersion) {
  emit("istio-1.24");
  EXPECT_EQ(codes("auto"), Codes{"error: scenario checkout-gateway: profile auto cannot tell the version"});
  EXPECT_EQ(codes("auto", "1.24.1"), Codes{});
  EXPECT_EQ(codes("auto", "1.21.0"), Codes{"error: no mesh profile for Istio 1.21.0"});
  const auto refused = judged("auto", "1.19");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
  EXPECT_NE(refused.error().why.find("telemetry.istio.io/v1 is not served"), std::string::npos) << refused.error().why;
  EXPECT_NE(refused.error().why.find("neither http"), std::string::npos);
}

// D-10 and D-12: the chain behind the label app, and the classic gateway's name, by version.
TEST_F(VersionsTest, NamesFollowTheVersion) {
  Service& checkout = scenario_.topology.services[static_cast<size_t>(scenario_.topology.find("checkout"))];
  checkout.labels = {{"app.kubernetes.io/name", "k8s-name"}};
  for (const MeshProfile& profile : profiles_) {
    emit(profile.name);
    std::set<std::string> names;
    for (const Span& span : spans_) {
      if (is_mesh_span(span)) names.insert(std::string(span.resource->service_name));
    }
    const bool wide = profile.istio_minor >= "1.30";
    EXPECT_EQ(names.count(wide ? "k8s-name.hop-checkout" : "checkout.hop-checkout"), 1u) << profile.name;
    EXPECT_EQ(names.count("istio-ingressgateway.istio-system"), 1u) << profile.name;
    EXPECT_EQ(codes(profile.name), Codes{}) << profile.name;
    EXPECT_EQ(codes(wide ? "istio-1.29" : "istio-1.30").count("HOP0401"), 1u) << profile.name;
  }
}

}  // namespace
}  // namespace hopcheck::check
