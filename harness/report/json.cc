#include "report/json.h"

#include "report/json_fields.h"
#include "report/json_reader.h"
#include "report/json_writer.h"

namespace hopcheck::report {
namespace {

constexpr int kRunLineDepth = 3;  // run.json: one line per scenario member, finding lists and deeper in one line

template <class T>
std::string write_text(const T& value, int line_depth) {
  JsonWriter writer(line_depth);
  writer.root(value);
  return writer.take();
}

template <class T>
Result<T> read_text(std::string_view text, const char* what) {
  const Result<JsonDocument> document = JsonDocument::parse(text);
  if (!document) return with_context(document.error(), what);
  JsonReader reader(document->root());
  T value;
  reader.root(value);
  if (!reader.error().empty())
    return fail(ErrorKind::kEvidence, std::string(what) + ": unexpected content", reader.error());
  return value;
}

// schemaVersion stands first so that a reader knows what follows.
struct Versioned {
  int schema_version = 0;
  RunResult result;
};

template <class A>
void fields(A& a, typename A::template Ref<Versioned> v) {
  a.field("schemaVersion", v.schema_version);
  if constexpr (A::kReads) {
    if (v.schema_version != kRunSchemaVersion) {
      return a.refuse("schemaVersion " + std::to_string(v.schema_version) + ", this version reads " +
                      std::to_string(kRunSchemaVersion));
    }
  }
  fields(a, v.result);
}

}  // namespace

std::string to_json(const RunResult& result) {
  return write_text(Versioned{kRunSchemaVersion, capped(result)}, kRunLineDepth) + "\n";
}

Result<RunResult> from_json(std::string_view text) {
  if (text.size() > kMaxRunJsonBytes) return fail(ErrorKind::kEvidence, "run.json: larger than 64 MiB");
  Result<Versioned> versioned = read_text<Versioned>(text, "run.json");
  if (!versioned) return tl::unexpected<Error>(versioned.error());
  return capped(std::move(versioned->result));
}

std::string findings_to_jsonl(const RunResult& result) {
  const RunResult kept = capped(result);
  std::string out;
  for (const Finding& finding : kept.findings) out += write_text(finding, 0) + "\n";
  for (const ScenarioResult& scenario : kept.scenarios) {
    for (Finding finding : scenario.findings) {
      if (finding.scenario.empty()) finding.scenario = scenario.name;
      out += write_text(finding, 0) + "\n";
    }
  }
  return out;
}

Result<std::vector<Finding>> findings_from_jsonl(std::string_view text) {
  std::vector<Finding> findings;
  for (size_t line = 1; !text.empty(); ++line) {
    const std::string_view row = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), row.size() + 1));
    if (row.empty()) continue;
    Result<Finding> finding = read_text<Finding>(row, "finding");
    if (!finding) return with_context(finding.error(), "findings.jsonl:" + std::to_string(line));
    findings.push_back(std::move(*finding));
  }
  return findings;
}

std::string environment_to_json(const Environment& environment) { return write_text(environment, 2) + "\n"; }

Result<Environment> environment_from_json(std::string_view text) {
  return read_text<Environment>(text, "environment.json");
}

std::string phase_to_json(const PhaseStep& step) { return write_text(step, 0); }

Result<PhaseStep> phase_from_json(std::string_view line) { return read_text<PhaseStep>(line, "phase"); }

}  // namespace hopcheck::report
