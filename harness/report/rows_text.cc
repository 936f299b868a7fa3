#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/rows.h"
#include "report/table.h"

namespace hopcheck::report {
namespace {

using Json = nlohmann::ordered_json;

Tone tone_of(RowState state) {
  switch (state) {
    case RowState::kProven: return Tone::kGood;
    case RowState::kFailed: return Tone::kBad;
    case RowState::kPositiveOnly:
    case RowState::kNegativeOnly:
    case RowState::kStale: return Tone::kUnsure;
    case RowState::kUnclaimed: break;
  }
  return Tone::kPlain;
}

// "live kind 1.30.4: run checkout-gateway".
std::string describe(const Proof& proof) {
  std::string where;
  if (!proof.provider.empty()) where += " " + proof.provider;
  if (!proof.istio.empty()) where += " " + proof.istio;
  return printable(fmt::format("{}{}: {}", to_string(proof.kind), where, proof.result));
}

Json to_json(const Proof& proof) {
  return {{"result", proof.result},     {"kind", to_string(proof.kind)}, {"provider", proof.provider},
          {"istio", proof.istio},       {"envoy", proof.envoy},          {"verdict", proof.verdict},
          {"commit", proof.commit}};
}

std::string open_rows(const RowsReport& report) {
  std::string out;
  for (const JudgedRow& row : report.rows) {
    if (row.state == RowState::kProven) continue;
    out += fmt::format("{} {}: {}\n", row.row.id, to_string(row.state), row.row.text);
    for (const Proof& proof : row.failed)
      out += fmt::format("    {} result that did not hold: {}\n", to_string(proof.polarity), describe(proof));
  }
  return out;
}

}  // namespace

std::string rows_to_text(const RowsReport& report, const RowsStyle& style) {
  std::string out;
  for (const ConformanceSection& section : report.sections) {
    if (style.only_unclaimed) break;
    Table table({{"row", Table::Align::kLeft},
                 {"state", Table::Align::kLeft},
                 {"wanted", Table::Align::kLeft},
                 {"positive", Table::Align::kLeft},
                 {"negative", Table::Align::kLeft}});
    for (const JudgedRow& row : report.rows) {
      if (row.row.section != section.number) continue;
      table.add({{row.row.id, Tone::kPlain},
                 {to_string(row.state), tone_of(row.state)},
                 {to_string(row.row.wanted), Tone::kFaint},
                 {row.positive ? describe(*row.positive) : "-", Tone::kPlain},
                 {row.negative ? describe(*row.negative) : "-", Tone::kPlain}});
    }
    if (table.empty()) continue;
    out += fmt::format("{} {}\n", section.number, section.title);
    out += table.render({style.color, style.width, "  "});
    out += '\n';
  }
  const std::string open = open_rows(report);
  if (!open.empty()) out += "not proven at " + report.commit + ":\n" + open + "\n";
  return out + count_line(report) + "\n";
}

std::string rows_to_json(const RowsReport& report) {
  Json rows = Json::array();
  for (const JudgedRow& row : report.rows) {
    Json item;
    item["id"] = row.row.id;
    item["section"] = row.row.section;
    item["text"] = row.row.text;
    item["wanted"] = to_string(row.row.wanted);
    item["reason"] = row.row.reason;
    item["state"] = to_string(row.state);
    item["positive"] = row.positive ? to_json(*row.positive) : Json();
    item["negative"] = row.negative ? to_json(*row.negative) : Json();
    item["failed"] = Json::array();
    for (const Proof& proof : row.failed) {
      item["failed"].push_back(to_json(proof));
      item["failed"].back()["polarity"] = to_string(proof.polarity);
    }
    rows.push_back(std::move(item));
  }
  Json out;
  out["commit"] = report.commit;
  out["counts"] = count_line(report);
  out["live"] = live_rows(report);
  out["rows"] = std::move(rows);
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string reasons_to_markdown(const ConformanceRows& rows) {
  std::string out = "| rows | proof | why not live |\n|---|---|---|\n";
  for (size_t i = 0; i < rows.rows.size();) {
    const ConformanceRow& first = rows.rows[i];
    std::string ids;
    // Neighbours with the same reason share a line.
    for (; i < rows.rows.size() && rows.rows[i].wanted == first.wanted && rows.rows[i].reason == first.reason; ++i)
      ids += (ids.empty() ? "" : ", ") + rows.rows[i].id;
    if (first.wanted != ProofKind::kLive)
      out += fmt::format("| {} | {} | {} |\n", ids, to_string(first.wanted), first.reason);
  }
  return out;
}

}  // namespace hopcheck::report
