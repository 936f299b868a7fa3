// A mesh with proxies of two versions: what its requests leave, and who cut a trace (HOP0111).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "check/hits.h"
#include "config/load.h"
#include "plan/binding.h"
#include "sim/synthesize.h"

namespace hopcheck::check {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

class MixedMesh : public testing::Test {
 protected:
  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles) << config::to_text(profiles.error());
    profiles_ = std::move(*profiles);
    auto scenario = config::load_scenario(kRoot + "/scenarios/faults/mixed-sampling.yaml", {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    scenario_ = std::move(*scenario);
  }

  ExpectedTree expand() {
    std::string note;
    plan::ProfileBinding binding;
    binding.fallback = plan::choose_profile(profiles_, "1.30", note);
    EXPECT_TRUE(plan::bind_declared(scenario_, profiles_, binding));
    auto expansion = plan::expand(scenario_, binding);
    EXPECT_TRUE(expansion);
    return expansion->trees.at(0);
  }

  // Hits of one request of which the nodes that `seen` refuses left no span.
  template <class Seen>
  std::vector<Hit> hits(const ExpectedTree& tree, Seen seen) {
    sim::SynthesisInput input;
    input.tree = &tree;
    std::memset(input.trace_id.bytes.data(), 1, input.trace_id.bytes.size());
    std::memset(input.root_parent.bytes.data(), 2, input.root_parent.bytes.size());
    Rng rng(3);
    spans_ = sim::synthesize(input, arena_, rng);
    const Classifier classifier(scenario_.topology);
    Observed observed;
    observed.own_trace = input.trace_id;
    observed.own_parent = input.root_parent;
    for (size_t i = 0; i < spans_.size(); ++i) {
      if (!seen(tree, static_cast<int>(i))) continue;
      observed.spans.push_back(&spans_[i]);
      observed.infos.push_back(classifier.classify(spans_[i]));
    }
    const Match match = match_tree(observed, tree);
    PatternCache patterns;
    return request_hits({scenario_, classifier, observed, tree, match, ""}, patterns);
  }

  static std::vector<std::string> causes(const std::vector<Hit>& hits) {
    std::vector<std::string> out;
    for (const Hit& hit : hits) {
      if (hit.cause < 0) out.push_back(std::string(hit.code) + " " + subject_key(hit.subject));
    }
    return out;
  }

  int service(const std::string& name) const { return scenario_.topology.find(name); }

  std::vector<MeshProfile> profiles_;
  Scenario scenario_;
  std::vector<Span> spans_;
  Arena arena_;
};

bool below_inbound_of(const ExpectedTree& tree, int node, int service) {
  for (int e = node; e >= 0; e = tree.spans[e].parent) {
    if (tree.spans[e].role == ProxyRole::kInbound && tree.spans[e].service == service) return true;
  }
  return false;
}

TEST_F(MixedMesh, EachSpanIsOfItsOwnProxysVersion) {
  const ExpectedTree tree = expand();
  for (const ExpectedSpan& span : tree.spans) {
    if (span.role == ProxyRole::kNone) continue;
    EXPECT_EQ(span.envoy_minor, span.service == service("checkout") ? "1.39" : "1.38") << span.name;
  }
  EXPECT_TRUE(causes(hits(tree, [](const ExpectedTree&, int) { return true; })).empty());
}

TEST_F(MixedMesh, TheNewerProxyCutTheTrace) {
  const int checkout = service("checkout");
  const auto found = hits(expand(), [&](const ExpectedTree& t, int e) { return !below_inbound_of(t, e, checkout); });
  EXPECT_EQ(causes(found), (std::vector<std::string>{"HOP0111 service=checkout object=Envoy 1.39"}));
  EXPECT_GT(found.size(), 5u) << "the missing spans stand as consequences";
}

TEST_F(MixedMesh, ACutAtAProxyOfTheSameVersionIsNotExplained) {
  const int payments = service("payments");
  const auto found = hits(expand(), [&](const ExpectedTree& t, int e) { return !below_inbound_of(t, e, payments); });
  EXPECT_EQ(causes(found), (std::vector<std::string>{"HOP0301 service=payments hop=checkout->payments"}));
}

TEST_F(MixedMesh, AHoleIsNoCut) {
  const int checkout = service("checkout");
  const auto found = hits(expand(), [&](const ExpectedTree& t, int e) {
    return t.spans[e].role != ProxyRole::kInbound || t.spans[e].service != checkout;
  });
  for (const std::string& cause : causes(found)) EXPECT_EQ(cause.find("HOP0111"), std::string::npos) << cause;
}

TEST_F(MixedMesh, At100PercentNothingIsDrawn) {
  scenario_.environment.sampling = 100;
  const int checkout = service("checkout");
  const auto found = hits(expand(), [&](const ExpectedTree& t, int e) { return !below_inbound_of(t, e, checkout); });
  EXPECT_EQ(causes(found), (std::vector<std::string>{"HOP0301 service=checkout hop=frontend->checkout"}));
}

}  // namespace
}  // namespace hopcheck::check
