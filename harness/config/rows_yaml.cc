#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

struct Seen {
  std::set<std::string> rows, sections;
};

ConformanceRow read_row(const Node* item, const Reader& section, Seen& seen, size_t index, Problems& problems) {
  Reader reader(item, fmt::format("{}.rows[{}]", section.where(), index), problems);
  ConformanceRow row;
  row.id = reader.text("id", "", Need::kRequired);
  if (!row.id.empty() && !is_row_id(row.id)) {
    reader.problem("id", fmt::format("\"{}\" is no conformance row: O-, M-, D- or F- and a number", printable(row.id)));
  } else if (!row.id.empty() && !seen.rows.insert(row.id).second) {
    reader.problem("id", fmt::format("\"{}\" is listed twice", row.id));
  }
  row.text = reader.text("text", "", Need::kRequired);
  row.wanted = reader.choice<ProofKind>("proof", ProofKind::kLive,
                                        {{"live", ProofKind::kLive},
                                         {"capture", ProofKind::kCapture},
                                         {"local", ProofKind::kLocal},
                                         {"simulated", ProofKind::kSimulated},
                                         {"source", ProofKind::kSource}});
  row.headerless = reader.boolean("headerless", false);
  row.reason = reader.text("reason", "");
  if (row.reason.empty() != (row.wanted == ProofKind::kLive))
    reader.problem("reason", "stands where, and only where, proof is not live: why nothing stronger can be had");
  reader.finish();
  return row;
}

}  // namespace

bool is_row_id(const std::string& text) {
  if (text.size() < 3 || std::string_view("OMDF").find(text[0]) == std::string_view::npos || text[1] != '-')
    return false;
  std::string number = text.substr(2);
  if (number.back() >= 'a' && number.back() <= 'z') number.pop_back();
  return !number.empty() && std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Loaded<ConformanceRows> parse_rows(const std::string& text, const std::string& file) {
  Problems problems(file);
  ConformanceRows out;
  const std::vector<Node> documents = parse_yaml(text, problems);
  if (documents.size() > 1) problems.add(documents[1], "expected one document");
  const auto head = documents.empty() ? std::nullopt : read_head(documents[0], "Rows", problems);
  if (head && head->spec) {
    Reader spec(head->spec, "spec", problems);
    Seen seen;
    for (const Node* item : spec.items("sections", Need::kRequired)) {
      Reader section(item, fmt::format("spec.sections[{}]", out.sections.size()), problems);
      ConformanceSection made{section.text("number", "", Need::kRequired), section.text("title", "", Need::kRequired)};
      if (!seen.sections.insert(made.number).second)
        section.problem("number", fmt::format("\"{}\" is used twice", printable(made.number)));
      size_t index = 0;
      for (const Node* row : section.items("rows", Need::kRequired)) {
        out.rows.push_back(read_row(row, section, seen, index++, problems));
        out.rows.back().section = made.number;
      }
      section.finish();
      out.sections.push_back(std::move(made));
    }
    spec.finish();
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return out;
}

}  // namespace hopcheck::config
