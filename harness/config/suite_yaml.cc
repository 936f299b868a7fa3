#include <fmt/format.h>

#include <algorithm>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

bool is_code(const std::string& code) {
  return code.size() == 7 && code.rfind("HOP", 0) == 0 &&
         std::all_of(code.begin() + 3, code.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// subject_key(): "service=checkout header=traceparent".
bool is_subject(const std::string& subject) {
  for (const char* key : {"service=", "hop=", "header=", "object="}) {
    if (subject.rfind(key, 0) == 0) return true;
  }
  return subject.empty();
}

void read_expect(Reader& entry_reader, SuiteEntry& entry) {
  Reader reader(entry_reader.take("expect"), entry_reader.path_of("expect"), entry_reader.problems());
  // drawn: the fault that the seed drew decides (injectRandom).
  entry.expect_verdict = reader.choice<std::string>(
      "verdict", "pass", {{"pass", "pass"}, {"fail", "fail"}, {"unknown", "unknown"}, {"drawn", "drawn"}});
  for (const Node* item : reader.items("findings")) {
    Reader finding_reader(item, fmt::format("{}[{}]", reader.path_of("findings"), entry.expect_findings.size()),
                          reader.problems());
    ExpectedFinding finding;
    finding.code = finding_reader.text("code", "", Need::kRequired);
    finding.subject = finding_reader.text("subject", "");
    if (!finding.code.empty() && !is_code(finding.code)) {
      finding_reader.problem("code", fmt::format("\"{}\" is no rule code like HOP0601", printable(finding.code)));
    }
    if (!is_subject(finding.subject)) {
      finding_reader.problem("subject", "starts with service=, hop=, header= or object=");
    }
    finding_reader.finish();
    entry.expect_findings.push_back(std::move(finding));
  }
  const bool has = !entry.expect_findings.empty();
  if (has && (entry.expect_verdict == "pass" || entry.expect_verdict == "drawn")) {
    reader.problem("findings", fmt::format("verdict {} comes without findings", entry.expect_verdict));
  }
  if (!has && (entry.expect_verdict == "fail" || entry.expect_verdict == "unknown")) {
    reader.problem("verdict", fmt::format("{} needs at least one finding", entry.expect_verdict));
  }
  reader.finish();
}

void read_entries(Reader& spec, SuiteDraft& draft) {
  for (const Node* item : spec.items("entries", Need::kRequired)) {
    Reader reader(item, fmt::format("spec.entries[{}]", draft.suite.entries.size()), spec.problems());
    SuiteEntry entry;
    entry.scenario_ref = reader.text("scenario", "", Need::kRequired);
    read_expect(reader, entry);
    const Node* place = reader.has("scenario") ? reader.take("scenario") : item;
    draft.places.push_back(place ? SuiteDraft::Place{place->line, place->column}
                                 : SuiteDraft::Place{item->line, item->column});
    reader.finish();
    for (const SuiteEntry& other : draft.suite.entries) {
      if (!entry.scenario_ref.empty() && other.scenario_ref == entry.scenario_ref) {
        reader.problem("scenario", fmt::format("\"{}\" is listed twice", printable(entry.scenario_ref)));
      }
    }
    draft.suite.entries.push_back(std::move(entry));
  }
  if (draft.suite.entries.empty()) spec.problem("entries", "needs at least one scenario");
}

}  // namespace

SuiteDraft read_suite(const std::vector<Node>& documents, Problems& problems) {
  SuiteDraft draft;
  draft.suite.file = problems.file();
  if (documents.empty()) return draft;
  const auto head = read_head(documents[0], "Suite", problems);
  if (!head || !head->spec) return draft;
  draft.suite.name = head->name;
  Reader spec(head->spec, "spec", problems);
  draft.suite.rate = spec.number("rate", draft.suite.rate, {0.001, 100'000});
  read_entries(spec, draft);
  spec.finish();
  for (size_t i = 1; i < documents.size(); ++i) {
    const auto scenario_head = read_head(documents[i], "Scenario", problems);
    if (scenario_head && scenario_head->spec) {
      draft.embedded.push_back(read_scenario(scenario_head->name, scenario_head->spec, problems));
    }
  }
  for (SuiteEntry& entry : draft.suite.entries) {
    for (const ScenarioDraft& embedded : draft.embedded) {
      if (embedded.scenario.name == entry.scenario_ref) entry.scenario = embedded.scenario;
    }
  }
  return draft;
}

Loaded<Suite> parse_suite(const std::string& text, const std::string& file) {
  Problems problems(file);
  SuiteDraft draft = read_suite(parse_yaml(text, problems), problems);
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return draft.suite;
}

}  // namespace hopcheck::config
