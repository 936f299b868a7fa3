#include <algorithm>
#include <fmt/format.h>

#include "config/parts.h"

namespace hopcheck::config {
namespace {

constexpr size_t kMaxCommandBytes = 4'000;

// Commands are taken as they are written: a shell reads them, so that what looks like a left-over placeholder may be
// meant.
std::vector<std::string> read_commands(Reader& reader, const std::string& key, Need need) {
  std::vector<std::string> out;
  for (const Node* item : reader.items(key, need)) {
    if (item->kind != Node::Kind::kScalar || item->text.empty() || item->text.size() > kMaxCommandBytes) {
      reader.problem(key, fmt::format("[{}] is no command of at most {} bytes", out.size(), kMaxCommandBytes));
    }
    out.push_back(item->text);
  }
  if (need == Need::kRequired && out.empty()) reader.problem(key, "needs at least one command");
  return out;
}

std::vector<std::string> read_rows_field(Reader& reader) {
  std::vector<std::string> out = reader.texts("rows");
  for (const std::string& row : out) {
    if (!is_row_id(row)) reader.problem("rows", fmt::format("\"{}\" is no row like F-3", printable(row)));
  }
  return out;
}

Injection read_injection(const Node* item, const std::string& where, Problems& problems) {
  Reader reader(item, where, problems);
  Injection out;
  out.cause = reader.text("cause", "", Need::kRequired);
  out.subject = reader.text("subject", "");
  out.flow = reader.choice<Flow>("spans", Flow::kNone,
                                 {{"none", Flow::kNone}, {"some", Flow::kSome}, {"needed", Flow::kNeeded}});
  out.touches = reader.texts("touches");
  if (out.touches.empty()) reader.problem("touches", "needs at least one name of what is changed");
  out.scenario = reader.text("scenario", "");
  out.inject = read_commands(reader, "inject", out.scenario.empty() ? Need::kRequired : Need::kOptional);
  out.findings = reader.texts("findings");
  out.unusable = reader.choice<bool>("run", false, {{"judged", false}, {"unusable", true}});
  if (out.unusable && !out.findings.empty()) reader.problem("findings", "a run that is unusable finds nothing");
  out.mend = read_commands(reader, "mend", Need::kOptional);
  out.restore = read_commands(reader, "restore", Need::kOptional);
  out.rows = read_rows_field(reader);
  reader.finish();
  return out;
}

}  // namespace

Loaded<InjectionSuite> parse_injection_suite(const std::string& text, const std::string& file) {
  Problems problems(file);
  const std::vector<Node> documents = parse_yaml(text, problems);
  InjectionSuite out;
  out.file = file;
  const auto head = documents.empty() ? std::nullopt : read_head(documents[0], "InjectionSuite", problems);
  if (head && head->spec) {
    out.name = head->name;
    Reader spec(head->spec, "spec", problems);
    out.scenario = spec.text("scenario", "", Need::kRequired);
    out.ns = spec.text("namespace", "", Need::kRequired);
    out.requests = static_cast<uint64_t>(spec.integer("requests", 20, {1, 10'000}));
    out.pairs = static_cast<size_t>(spec.integer("pairs", 0, {0, 100}));
    out.rows = read_rows_field(spec);
    for (const Node* item : spec.items("injections", Need::kRequired)) {
      Injection one = read_injection(item, fmt::format("spec.injections[{}]", out.injections.size()), problems);
      const auto same = [&](const Injection& other) { return other.cause == one.cause; };
      if (std::any_of(out.injections.begin(), out.injections.end(), same))
        spec.problem("injections", fmt::format("\"{}\" is listed twice", printable(one.cause)));
      out.injections.push_back(std::move(one));
    }
    if (out.injections.empty()) spec.problem("injections", "needs at least one");
    spec.finish();
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return out;
}

}  // namespace hopcheck::config
