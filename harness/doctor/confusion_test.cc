#include "doctor/confusion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "doctor/causes.h"

namespace hopcheck::doctor {
namespace {

Injection injection(const std::string& cause, Flow flow, std::vector<std::string> touches) {
  Injection out;
  out.cause = cause;
  out.flow = flow;
  out.touches = std::move(touches);
  return out;
}

InjectionSuite suite(size_t pairs) {
  InjectionSuite out;
  out.pairs = pairs;
  out.injections = {injection("telemetry-zero-percent", Flow::kNone, {"telemetry"}),
                    injection("telemetry-missing", Flow::kNone, {"telemetry"}),
                    injection("provider-service-unknown", Flow::kNone, {"mesh-config"}),
                    injection("collector-missing", Flow::kNone, {"collector"}),
                    injection("export-auth", Flow::kNeeded, {"collector"}),
                    injection("collector-receives-nothing", Flow::kNone, {"network"}),
                    injection("sidecar-opted-out", Flow::kSome, {"injection"})};
  return out;
}

std::set<std::string> names_of(const InjectionSuite& suite, const std::pair<size_t, size_t>& pair) {
  return {suite.injections[pair.first].cause, suite.injections[pair.second].cause};
}

Trial healthy_trial(std::vector<std::string> causes) {
  Trial out;
  out.injected = causes;
  out.diagnosed = std::move(causes);
  out.findings = out.expected_findings = {"HOP0102"};
  out.exit_after = 0;
  return out;
}

TEST(Confusion, PairsShareNothingAndHideNothing) {
  const InjectionSuite all = suite(100);
  const auto pairs = draw_pairs(all, 1);
  std::set<std::set<std::string>> seen;
  for (const auto& pair : pairs) EXPECT_TRUE(seen.insert(names_of(all, pair)).second) << "each pair once";
  using Pair = std::set<std::string>;
  EXPECT_EQ(seen.count(Pair{"telemetry-zero-percent", "telemetry-missing"}), 0u) << "both change Telemetry";
  EXPECT_EQ(seen.count(Pair{"telemetry-zero-percent", "export-auth"}), 0u) << "without spans nothing is refused";
  EXPECT_EQ(seen.count(Pair{"collector-missing", "collector-receives-nothing"}), 0u) << "one follows from the other";
  EXPECT_EQ(seen.count(Pair{"telemetry-zero-percent", "provider-service-unknown"}), 1u);
  EXPECT_EQ(seen.count(Pair{"export-auth", "sidecar-opted-out"}), 1u);
  EXPECT_EQ(seen.size(), 11u);
}

TEST(Confusion, TheSeedDrawsAndEachInjectionHasItsTurn) {
  const InjectionSuite some = suite(3);
  EXPECT_EQ(draw_pairs(some, 7), draw_pairs(some, 7));
  bool differs = false;
  for (uint64_t seed = 1; seed < 10; ++seed) {
    const auto pairs = draw_pairs(some, seed);
    ASSERT_EQ(pairs.size(), 3u);
    std::set<size_t> used;
    for (const auto& [a, b] : pairs) used.insert({a, b});
    EXPECT_GE(used.size(), 5u) << "seed " << seed;
    differs = differs || pairs != draw_pairs(some, 7);
  }
  EXPECT_TRUE(differs);
}

TEST(Confusion, OneOrTwoCausesAreNamedExactlyOrNot) {
  EXPECT_TRUE(healthy_trial({"telemetry-missing"}).named());
  EXPECT_TRUE(healthy_trial({"telemetry-missing"}).mended());
  Trial more = healthy_trial({"telemetry-missing"});
  more.diagnosed.push_back("collector-missing");
  EXPECT_FALSE(more.named());
  Trial place = healthy_trial({"telemetry-missing"});
  place.wrong_subjects = {"telemetry-missing of a/b, expected c/d"};
  EXPECT_FALSE(place.named());
  Trial verdict = healthy_trial({"telemetry-missing"});
  verdict.findings = {"HOP0201"};
  EXPECT_FALSE(verdict.named());
  verdict.findings_asked = false;
  EXPECT_TRUE(verdict.named()) << "of a pair the verdict is not foretold";
  Trial after = healthy_trial({"telemetry-missing"});
  after.exit_after = 1;
  EXPECT_FALSE(after.mended());
  after = healthy_trial({"telemetry-missing"});
  after.after = {"telemetry-missing"};
  EXPECT_FALSE(after.mended());
  after = healthy_trial({"telemetry-missing"});
  after.problem = "a command failed";
  EXPECT_FALSE(after.named() || after.mended());
}

TEST(Confusion, TheTableHasTheDiagonalAndWhatIsBesideIt) {
  std::vector<Trial> trials = {healthy_trial({"telemetry-missing"}), healthy_trial({"collector-missing"}),
                               healthy_trial({"telemetry-missing", "collector-missing"})};
  EXPECT_TRUE(all_right(trials));
  EXPECT_EQ(to_text(trials),
            "injected \\ diagnosed              1  2\n"
            " 1 telemetry-missing              1  .\n"
            " 2 collector-missing              .  1\n"
            "\n"
            "pairs\n"
            "  telemetry-missing + collector-missing                          both named, nothing else\n"
            "\n"
            "3 trials: 3 named exactly, 3 whole again after the fix (3 by the commands as printed)\n");
  trials[1].diagnosed = {"collector-missing", "export-auth"};
  trials[0].exit_after = 1;
  trials[0].fix_printed = false;
  EXPECT_FALSE(all_right(trials));
  const std::string text = to_text(trials);
  EXPECT_NE(text.find(" 2 collector-missing              .  1  1\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" 3 export-auth                     never injected\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  telemetry-missing: after the fix the run exits 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  collector-missing: diagnosed collector-missing, export-auth\n"), std::string::npos) << text;
  EXPECT_NE(to_json(trials).find("\"asExpected\": false"), std::string::npos);
}

TEST(Confusion, ACauseOutsideTheCatalogueIsNamedWithTheNearest) {
  InjectionSuite one = suite(0);
  EXPECT_EQ(unknown_cause(one), "");
  one.injections[0].cause = "telemetry-mising";
  EXPECT_EQ(unknown_cause(one),
            "\"telemetry-mising\" is no cause that the doctor knows; did you mean telemetry-missing?");
}

}  // namespace
}  // namespace hopcheck::doctor
