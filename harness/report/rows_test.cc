// Rows folded from recorded proofs: what proves, what does not, which record counts.
#include "report/rows.h"

#include <gtest/gtest.h>

namespace hopcheck::report {
namespace {

ConformanceRows two_sections() {
  ConformanceRows rows;
  rows.sections = {{"1", "One"}, {"2", "Two"}};
  for (const char* id : {"O-1", "O-2", "O-3"})
    rows.rows.push_back({id, "1", std::string("text of ") + id, {}, false, ""});
  rows.rows.push_back({"M-8a", "2", "text of M-8a", ProofKind::kSource, false, "no mesh takes part"});
  return rows;
}

struct Said {
  Polarity polarity = Polarity::kPositive;
  std::string result = "test A.B";
  bool held = true;
  std::string commit = "c1";
  ProofKind kind = ProofKind::kCapture;
  std::string provider = "", istio = "";
};

Proof proof(const std::string& row, const Said& said) {
  Proof out;
  out.row = row;
  out.polarity = said.polarity;
  out.result = said.result;
  out.held = said.held;
  out.commit = said.commit;
  out.kind = said.kind;
  out.provider = said.provider;
  out.istio = said.istio;
  return out;
}

RowState state_of(const std::vector<Proof>& proofs) {
  return judge_rows(two_sections(), proofs, "c1", {}).rows.at(0).state;
}

const Said kNegative{Polarity::kNegative};

TEST(Rows, ProvenByBothFormsAtThisCommitOnly) {
  EXPECT_EQ(state_of({}), RowState::kUnclaimed);
  EXPECT_EQ(state_of({proof("O-1", {})}), RowState::kPositiveOnly);
  EXPECT_EQ(state_of({proof("O-1", kNegative)}), RowState::kNegativeOnly);
  EXPECT_EQ(state_of({proof("O-1", {}), proof("O-1", kNegative)}), RowState::kProven);
  EXPECT_EQ(state_of({proof("O-2", {}), proof("O-1", kNegative)}), RowState::kNegativeOnly);
  Said old;
  old.commit = "c0";
  EXPECT_EQ(state_of({proof("O-1", old), proof("O-1", kNegative)}), RowState::kNegativeOnly);
  EXPECT_EQ(state_of({proof("O-1", old)}), RowState::kStale);
  old.commit = "c1-dirty";
  EXPECT_EQ(state_of({proof("O-1", old)}), RowState::kStale);
  old.held = false;
  EXPECT_EQ(state_of({proof("O-1", old)}), RowState::kUnclaimed) << "a failure elsewhere says nothing";
}

TEST(Rows, TheLastRecordOfAResultCounts) {
  Said fails;
  fails.held = false;
  const std::vector<Proof> both = {proof("O-1", {}), proof("O-1", kNegative)};
  std::vector<Proof> proofs = both;
  proofs.push_back(proof("O-1", fails));
  EXPECT_EQ(state_of(proofs), RowState::kFailed);
  proofs.push_back(proof("O-1", {}));
  EXPECT_EQ(state_of(proofs), RowState::kProven);
}

// A rule that is switched off must not leave its rows proven by whatever else mentions them.
TEST(Rows, OneFailedResultOutweighsOthersThatHeld) {
  Said other{Polarity::kNegative, "selftest drop"};
  other.kind = ProofKind::kSimulated;
  other.held = false;
  const std::vector<Proof> proofs = {proof("O-1", {}), proof("O-1", kNegative), proof("O-1", other)};
  const RowsReport report = judge_rows(two_sections(), proofs, "c1", {});
  EXPECT_EQ(report.rows[0].state, RowState::kFailed);
  ASSERT_EQ(report.rows[0].failed.size(), 1u);
  EXPECT_EQ(report.rows[0].failed[0].result, "selftest drop");
  EXPECT_FALSE(all_proven(report));
}

TEST(Rows, OtherProvidersAndVersionsAreOtherResults) {
  Said live{Polarity::kPositive, "run checkout", true, "c1", ProofKind::kLive, "kind", "1.30.4"};
  Said newer = live;
  newer.istio = "1.31.0";
  newer.held = false;
  EXPECT_EQ(state_of({proof("O-1", newer), proof("O-1", live), proof("O-1", kNegative)}), RowState::kFailed);
}

TEST(Rows, TheStrongestPositiveDecidesTheKind) {
  Said live{Polarity::kPositive, "run checkout", true, "c1", ProofKind::kLive, "kind", "1.30.4"};
  Said simulated{Polarity::kPositive, "selftest clean", true, "c1", ProofKind::kSimulated};
  const RowsReport report = judge_rows(
      two_sections(),
      {proof("O-1", simulated), proof("O-1", {}), proof("O-1", live), proof("O-1", kNegative), proof("O-2", {}),
       proof("O-2", kNegative), proof("O-3", live)},
      "c1", {});
  EXPECT_EQ(live_rows(report), std::vector<std::string>{"O-1"});
  EXPECT_EQ(count_line(report), "live 1, capture 1, local 0, simulated 0, source 0");
  EXPECT_TRUE(report.any_live);
  EXPECT_EQ(missing_live(report, "# proven live before\nO-1\n\nO-3\r\nO-2\n"),
            (std::vector<std::string>{"O-3", "O-2"}));
}

TEST(Rows, SectionsSelectAndStrangersAreNamed) {
  const RowsReport report =
      judge_rows(two_sections(), {proof("M-8a", {}), proof("M-8a", kNegative), proof("O-99", {})}, "c1", {"2"});
  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_TRUE(all_proven(report));
  EXPECT_EQ(report.strangers, std::vector<std::string>{"O-99"});
  EXPECT_FALSE(report.any_live);
}

TEST(Rows, TextListsWhatIsNotProvenAndEndsWithTheCounts) {
  Said fails{Polarity::kNegative, "run \x1b[31mcanary", false, "c1", ProofKind::kLocal, "local", "1.30.4"};
  const RowsReport report = judge_rows(
      two_sections(), {proof("M-8a", {}), proof("M-8a", kNegative), proof("O-2", {}), proof("O-3", fails)}, "c1", {});
  RowsStyle style;
  EXPECT_EQ(rows_to_text(report, style),
            "1 One\n"
            "  row  state          wanted  positive           negative\n"
            "  O-1  unclaimed      live    -                  -\n"
            "  O-2  positive only  live    capture: test A.B  -\n"
            "  O-3  failed         live    -                  -\n"
            "\n"
            "2 Two\n"
            "  row   state   wanted  positive           negative\n"
            "  M-8a  proven  source  capture: test A.B  capture: test A.B\n"
            "\n"
            "not proven at c1:\n"
            "O-1 unclaimed: text of O-1\n"
            "O-2 positive only: text of O-2\n"
            "O-3 failed: text of O-3\n"
            "    negative result that did not hold: local local 1.30.4: run \\x1b[31mcanary\n"
            "\n"
            "live 0, capture 1, local 0, simulated 0, source 0\n");
  style.only_unclaimed = true;
  EXPECT_EQ(rows_to_text(report, style).rfind("not proven at c1:", 0), 0u);
  const std::string json = rows_to_json(report);
  EXPECT_NE(json.find("\"state\": \"positive only\""), std::string::npos);
  EXPECT_EQ(json.find('\x1b'), std::string::npos);
}

TEST(Rows, ReasonsShareALineAmongNeighbours) {
  ConformanceRows rows = two_sections();
  rows.rows.push_back({"M-9", "2", "text", ProofKind::kSource, false, "no mesh takes part"});
  rows.rows.push_back({"M-10", "2", "text", ProofKind::kSimulated, false, "too old"});
  EXPECT_EQ(reasons_to_markdown(rows),
            "| rows | proof | why not live |\n|---|---|---|\n"
            "| M-8a, M-9 | source | no mesh takes part |\n| M-10 | simulated | too old |\n");
}

}  // namespace
}  // namespace hopcheck::report
