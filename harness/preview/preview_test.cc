// What explain, compare and the generated page say, as golden texts, and the counts behind them.
#include <gtest/gtest.h>

#include <algorithm>

#include "config/load.h"
#include "preview/compare.h"
#include "preview/exports.h"
#include "preview/facts.h"
#include "testing/source_tree.h"

namespace hopcheck::preview {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

::testing::AssertionResult matches(const std::string& path, const std::string& actual) {
  const std::string difference = hopcheck::testing::golden_difference(kRoot + "/" + path, actual);
  return difference.empty() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << difference;
}

class PreviewTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles) << config::to_text(profiles.error());
    profiles_ = std::move(*profiles);
    question_ = ask("checkout");
  }
  Question ask(const std::string& topology) const {
    Question question;
    const auto loaded = config::load_topology(topology, "", {kRoot});
    EXPECT_TRUE(loaded);
    if (loaded) question.topology = *loaded;
    return question;
  }
  const MeshProfile& named(const std::string& name) const {
    const auto found =
        std::find_if(profiles_.begin(), profiles_.end(), [&](const MeshProfile& p) { return p.name == name; });
    EXPECT_NE(found, profiles_.end()) << name;
    return found == profiles_.end() ? profiles_.front() : *found;
  }
  std::vector<Outline> outlines(const std::string& profile, const Question& question) const {
    plan::ProfileBinding binding;
    binding.fallback = &named(profile);
    auto out = outline(question, binding);
    EXPECT_TRUE(out);
    return out ? *out : std::vector<Outline>{};
  }
  Comparison compared(const std::string& before, const std::string& after, const Question& question,
                      Order order = Order::kGatewayFirst) const {
    auto out = compare({&named(before), &named(after), &profiles_}, question, order);
    EXPECT_TRUE(out);
    return out ? *out : Comparison{};
  }
  static std::vector<std::string> said(const Comparison& comparison) {
    std::vector<std::string> out;
    for (const Difference& item : comparison.differences)
      out.push_back(item.kind + " " + item.what + ": " + item.before + " -> " + item.after);
    return out;
  }
  std::vector<MeshProfile> profiles_;
  Question question_;
};

TEST_F(PreviewTest, ExplainGoldens) {
  for (const char* profile : {"istio-1.22", "istio-1.25", "istio-1.28", "istio-1.31"}) {
    const auto shown = outlines(profile, question_);
    EXPECT_TRUE(matches(std::string("fixtures/golden/preview/explain-") + profile + ".txt",
                        explain_text(named(profile), question_, shown)));
  }
  EXPECT_TRUE(matches("fixtures/golden/preview/explain-istio-1.31.json",
                      explain_json(named("istio-1.31"), question_, outlines("istio-1.31", question_))));
}

TEST_F(PreviewTest, CountsFollowVersionAndEntry) {
  EXPECT_EQ(counts_text(outlines("istio-1.25", question_)[0]),
            "mesh 6, app 5, all 11; checkout 4, frontend 3, gateway 1, payments 3");
  EXPECT_EQ(counts_text(outlines("istio-1.31", question_)[0]),
            "mesh 7, app 5, all 12; checkout 4, frontend 3, gateway 2, payments 3");
  question_.entry = Entry::kMesh;
  EXPECT_EQ(outlines("istio-1.31", question_)[0].by_where.at("loadgen"), 1u);
  const auto bookinfo = outlines("istio-1.30", ask("bookinfo"));
  ASSERT_EQ(bookinfo.size(), 3u);
  EXPECT_EQ(bookinfo[0].mesh, 7u);
  EXPECT_EQ(bookinfo[2].mesh, 9u);
  EXPECT_EQ(outlines("istio-1.27", ask("bookinfo"))[2].mesh, 8u);
}

TEST_F(PreviewTest, CompareGoldens) {
  const Comparison comparison = compared("istio-1.27", "istio-1.31", question_);
  EXPECT_TRUE(matches("fixtures/golden/preview/compare-1.27-1.31.txt", compare_text(comparison, question_)));
  EXPECT_TRUE(matches("fixtures/golden/preview/compare-1.27-1.31.json", compare_json(comparison, question_)));
  EXPECT_TRUE(matches("fixtures/golden/preview/compare-1.22-1.25.txt",
                      compare_text(compared("istio-1.22", "istio-1.25", question_), question_)));
}

TEST_F(PreviewTest, NeighboursDifferInWhatTheReleaseChanged) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(said(compared("istio-1.25", "istio-1.26", question_)),
            (Lines{"gateway spawns a span per attempt: never -> no, unless the flag is set",
                   "resource telemetry.sdk.version: /[0-9a-f]+/1[.]33[.].*/ -> /[0-9a-f]+/1[.]34[.].*/"}));
  EXPECT_EQ(said(compared("istio-1.28", "istio-1.28", question_)), Lines{});
  const auto has = [](const Lines& lines, const std::string& wanted) {
    return std::find(lines.begin(), lines.end(), wanted) != lines.end();
  };
  const Lines spawn = said(compared("istio-1.27", "istio-1.28", question_));
  EXPECT_TRUE(has(spawn, "span gatewayClient gateway: none -> CLIENT `router "
                         "outbound|80||frontend.hop-checkout.svc.cluster.local; egress`"));
  EXPECT_TRUE(has(spawn, "kind : CLIENT -> SERVER"));
  EXPECT_TRUE(has(spawn, "parent : gatewayServer gateway -> gatewayClient gateway"));
  const Lines status = said(compared("istio-1.22", "istio-1.23", question_));
  EXPECT_TRUE(has(status, "status SERVER 500-599: UNSET, error=true -> ERROR, error=true"));
  EXPECT_TRUE(has(status, "name : ingress -> payments.hop-checkout.svc.cluster.local:8080/*"));
  const Lines sampling = said(compared("istio-1.30", "istio-1.31", question_));
  EXPECT_TRUE(has(sampling, "sampling a request with a traceparent is exported by: the traceparent's sampled bit alone "
                            "-> the traceparent's sampled bit and Envoy's own percentage"));
}

TEST_F(PreviewTest, StepsGoThroughTheMeshOneWorkloadAtATime) {
  const auto upgraded = [](const Comparison& comparison) {
    std::vector<std::string> out;
    for (const Step& step : comparison.steps) out.push_back(step.upgraded);
    return out;
  };
  using Names = std::vector<std::string>;
  const Comparison first = compared("istio-1.27", "istio-1.31", question_);
  EXPECT_EQ(upgraded(first), (Names{"", "gateway", "frontend", "checkout", "payments"}));
  EXPECT_EQ(first.steps[0].outlines[0].mesh, 6u);
  EXPECT_EQ(first.steps[1].outlines[0].mesh, 7u);
  EXPECT_TRUE(first.steps[0].notes.empty());
  EXPECT_NE(first.steps[1].notes.at(0).find("can be cut at: gateway ("), std::string::npos);
  EXPECT_TRUE(first.steps.back().notes.empty()) << "the new version alone: said as a difference";
  const Comparison last = compared("istio-1.27", "istio-1.31", question_, Order::kGatewayLast);
  EXPECT_EQ(upgraded(last), (Names{"", "frontend", "checkout", "payments", "gateway"}));
  EXPECT_EQ(last.steps[3].outlines[0].mesh, 6u);
  EXPECT_EQ(last.steps[4].outlines[0].mesh, 7u);
}

TEST_F(PreviewTest, AModeThatOneVersionLacksIsRefused) {
  question_.naming = NamingMode::kOtelSemanticConventions;
  const auto refused =
      compare({&named("istio-1.29"), &named("istio-1.30"), &profiles_}, question_, Order::kGatewayFirst);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
}

TEST_F(PreviewTest, ProofIsThatOfTheVersionsOwnEvidence) {
  EXPECT_EQ(proof_of(named("istio-1.31"), "envoy x.cc; captures"), "live");
  EXPECT_EQ(proof_of(named("istio-1.28"), "envoy x.cc; run"), "envoy");
  EXPECT_EQ(proof_of(named("istio-1.31"), "istio y.go; measured on 1.30"), "measured");
  for (const MeshProfile* profile : by_version(profiles_)) {
    for (const SpanRule& rule : profile->spans) {
      if (profile->proof == "source") {
        EXPECT_EQ(proof_of(*profile, rule.source), "source") << profile->name << ": " << rule.source;
      }
    }
  }
}

// Rewritten by HOPCHECK_UPDATE_GOLDEN=1, or by hopcheck explain --profiles --format markdown.
TEST_F(PreviewTest, ThePageOfAllVersionsIsThatOfTheProfiles) {
  EXPECT_TRUE(matches("docs/what-istio-exports.md", exports_markdown(profiles_)));
}

}  // namespace
}  // namespace hopcheck::preview
