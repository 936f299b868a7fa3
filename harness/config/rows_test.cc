// fixtures/rows.yaml against its page and against the scenarios that claim rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "config/load.h"
#include "config/walkthrough.h"
#include "report/rows.h"
#include "testing/claims.h"
#include "testing/source_tree.h"

namespace hopcheck::config {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;
const SearchPath kShare{kRoot};
const std::string kPage = kRoot + "/docs/reference/conformance-rows.md";

ConformanceRows shipped() {
  auto rows = load_rows(kShare);
  EXPECT_TRUE(rows) << to_text(rows.error());
  return rows ? *rows : ConformanceRows{};
}

std::string page() {
  std::ifstream in(kPage);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(RowsData, PageAndDataListTheSameRowsInTheSameSections) {
  std::vector<std::pair<std::string, std::string>> in_page, in_data;  // section, id
  std::istringstream lines(page());
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("## ", 0) == 0) {
      const size_t dot = line.find('.');
      section = dot == std::string::npos ? "" : line.substr(3, dot - 3);
    } else if (!section.empty() && line.rfind("- ", 0) == 0) {
      in_page.emplace_back(section, line.substr(2, line.find(' ', 2) - 2));
    }
  }
  for (const ConformanceRow& row : shipped().rows) in_data.emplace_back(row.section, row.id);
  EXPECT_EQ(in_page, in_data);
  EXPECT_GE(in_data.size(), 150u);
}

TEST(RowsData, PageListsTheReasonsOfRowsThatCannotBeShownLive) {
  const std::string text = page();
  const std::string open = "<!-- made from fixtures/rows.yaml -->\n", close = "<!-- end -->\n";
  const size_t from = text.find(open), to = text.find(close);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::string made =
      text.substr(0, from + open.size()) + report::reasons_to_markdown(shipped()) + text.substr(to);
  EXPECT_EQ(hopcheck::testing::golden_difference(kPage, made), "");
}

TEST(RowsData, ScenariosClaimRowsThatExistAndHeaderlessOnesWhereTheRowAsksForIt) {
  std::map<std::string, ConformanceRow> rows;
  for (const ConformanceRow& row : shipped().rows) rows[row.id] = row;
  size_t claims = 0;
  for (const char* folder : {"scenarios", "fixtures/captures/scenarios"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot + "/" + folder)) {
      const std::string path = entry.path().string();
      if (entry.path().extension() == ".yaml" && kind_of_file(path) == "Walkthrough") {
        const auto guide = load_walkthrough(path);
        ASSERT_TRUE(guide) << to_text(guide.error());
        for (const WalkStep& step : guide->steps) {
          for (const std::string& id : step.rows) EXPECT_TRUE(rows.contains(id)) << path << " claims " << id;
        }
      }
      if (entry.path().extension() != ".yaml" || kind_of_file(path) != "Scenario") continue;
      const auto scenario = load_scenario(path, kShare);
      ASSERT_TRUE(scenario) << to_text(scenario.error());
      std::set<std::string> seen;
      for (const std::string& id : scenario->rows) {
        ++claims;
        ASSERT_TRUE(rows.contains(id)) << path << " claims " << id << ", which fixtures/rows.yaml does not have";
        EXPECT_TRUE(seen.insert(id).second) << path << " claims " << id << " twice";
        if (rows[id].headerless) {
          EXPECT_EQ(scenario->load.traceparent, TraceparentMode::kNone)
              << path << " claims " << id << ", which a run with our own traceparent does not prove";
        }
      }
    }
  }
  EXPECT_GE(claims, 100u);
}

std::string with_naming(const std::string& mode) {
  return "apiVersion: hopcheck.dev/v1alpha1\nkind: Scenario\nmetadata: {name: naming}\nspec:\n"
         "  topology: checkout\n  entry: gateway\n  environment: {naming: " + mode + "}\n"
         "  load: {requests: 1, journeys: [{name: a, method: GET, path: /a}]}\n";
}

TEST(NamingModes, KnownOnesAreTaken) {
  proof::claim({"M-55"}, Polarity::kPositive, ProofKind::kSource);
  for (const char* mode : {"APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"}) {
    const auto scenario = parse_scenario(with_naming(mode), "naming.yaml");
    EXPECT_TRUE(scenario) << to_text(scenario.error());
  }
}

TEST(NamingModes, AnUnknownOneIsRefused) {
  proof::claim({"M-55"}, Polarity::kNegative, ProofKind::kSource);
  for (const char* mode : {"WORKLOAD_NAME", "app_label_and_namespace", "\"\""}) {
    const auto scenario = parse_scenario(with_naming(mode), "naming.yaml");
    ASSERT_FALSE(scenario) << mode;
    EXPECT_NE(to_text(scenario.error()).find("spec.environment.naming"), std::string::npos)
        << to_text(scenario.error());
  }
}

}  // namespace
}  // namespace hopcheck::config
