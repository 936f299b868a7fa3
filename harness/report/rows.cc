#include "report/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "base/text.h"

namespace hopcheck::report {
namespace {

// What the last record of each result says, by row.
struct Latest {
  std::vector<Proof> current;  // at this commit, in the order of their first record
  bool held_elsewhere = false;
};

std::map<std::string, Latest> fold(const std::vector<Proof>& proofs, const std::string& commit) {
  using Key = std::tuple<std::string, Polarity, std::string, std::string, std::string>;
  std::map<Key, size_t> place;
  std::map<std::string, Latest> out;
  for (const Proof& proof : proofs) {
    Latest& latest = out[proof.row];
    if (proof.commit != commit) {
      latest.held_elsewhere = latest.held_elsewhere || proof.held;
      continue;
    }
    const auto [at, added] =
        place.emplace(Key{proof.row, proof.polarity, proof.result, proof.provider, proof.istio}, latest.current.size());
    if (added) latest.current.push_back(proof);
    else latest.current[at->second] = proof;
  }
  return out;
}

void keep_strongest(std::optional<Proof>& best, const Proof& proof) {
  if (!best || proof.kind < best->kind) best = proof;
}

JudgedRow judge_row(const ConformanceRow& row, const Latest& latest) {
  JudgedRow out;
  out.row = row;
  for (const Proof& proof : latest.current) {
    if (!proof.held) out.failed.push_back(proof);
    else keep_strongest(proof.polarity == Polarity::kPositive ? out.positive : out.negative, proof);
  }
  if (!out.failed.empty()) out.state = RowState::kFailed;
  else if (out.positive && out.negative) out.state = RowState::kProven;
  else if (out.positive) out.state = RowState::kPositiveOnly;
  else if (out.negative) out.state = RowState::kNegativeOnly;
  else out.state = latest.held_elsewhere ? RowState::kStale : RowState::kUnclaimed;
  return out;
}

}  // namespace

const char* to_string(RowState state) {
  switch (state) {
    case RowState::kProven: return "proven";
    case RowState::kFailed: return "failed";
    case RowState::kPositiveOnly: return "positive only";
    case RowState::kNegativeOnly: return "negative only";
    case RowState::kStale: return "stale";
    case RowState::kUnclaimed: return "unclaimed";
  }
  return "";
}

RowsReport judge_rows(const ConformanceRows& rows, const std::vector<Proof>& proofs, const std::string& commit,
                      const std::vector<std::string>& sections) {
  RowsReport out;
  out.sections = rows.sections;
  out.commit = commit;
  const auto folded = fold(proofs, commit);
  std::set<std::string> known;
  for (const ConformanceRow& row : rows.rows) {
    known.insert(row.id);
    if (!sections.empty() && std::find(sections.begin(), sections.end(), row.section) == sections.end()) continue;
    const auto at = folded.find(row.id);
    out.rows.push_back(judge_row(row, at == folded.end() ? Latest{} : at->second));
  }
  for (const auto& [id, latest] : folded) {
    if (!known.contains(id)) out.strangers.push_back(printable(id));
  }
  out.any_live = std::any_of(proofs.begin(), proofs.end(), [&](const Proof& proof) {
    return proof.commit == commit && proof.kind == ProofKind::kLive;
  });
  return out;
}

bool all_proven(const RowsReport& report) {
  return std::all_of(report.rows.begin(), report.rows.end(),
                     [](const JudgedRow& row) { return row.state == RowState::kProven; });
}

std::vector<std::string> live_rows(const RowsReport& report) {
  std::vector<std::string> out;
  for (const JudgedRow& row : report.rows) {
    if (row.state == RowState::kProven && row.positive->kind == ProofKind::kLive) out.push_back(row.row.id);
  }
  return out;
}

std::string count_line(const RowsReport& report) {
  std::array<size_t, 5> counts{};
  for (const JudgedRow& row : report.rows) {
    if (row.state == RowState::kProven) ++counts[static_cast<size_t>(row.positive->kind)];
  }
  std::string out;
  for (size_t kind = 0; kind < counts.size(); ++kind)
    out += fmt::format("{}{} {}", kind == 0 ? "" : ", ", to_string(static_cast<ProofKind>(kind)), counts[kind]);
  return out;
}

std::vector<std::string> missing_live(const RowsReport& report, const std::string& list) {
  const std::vector<std::string> live = live_rows(report);
  std::vector<std::string> out;
  std::string_view rest = list;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (std::find(live.begin(), live.end(), line) == live.end()) out.push_back(printable(std::string(line)));
  }
  return out;
}

}  // namespace hopcheck::report
