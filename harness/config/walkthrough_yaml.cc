#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/parts.h"
#include "config/walkthrough.h"

namespace hopcheck::config {
namespace {

constexpr size_t kMostSteps = 200;
constexpr size_t kMostTextBytes = 16 << 10;
constexpr int64_t kMostNanos = 1800 * int64_t{1'000'000'000};
constexpr int64_t kTimeoutNanos = 120 * int64_t{1'000'000'000};

// Shell text and what it prints: lines, and things that elsewhere would be left-over placeholders.
std::string raw_text(const Node& node, const std::string& where, Problems& problems) {
  if (node.kind != Node::Kind::kScalar) {
    problems.add(node, fmt::format("{}: expected text, found {}", where, to_string(node.kind)));
    return "";
  }
  const bool control = std::any_of(node.text.begin(), node.text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
  });
  if (node.text.empty()) problems.add(node, where + ": is empty");
  if (control) problems.add(node, where + ": holds control characters");
  if (node.text.size() > kMostTextBytes) problems.add(node, fmt::format("{}: at most {} bytes", where, kMostTextBytes));
  return node.text;
}

std::string raw_text(Reader& reader, const std::string& key) {
  const Node* node = reader.take(key);
  return node == nullptr ? "" : raw_text(*node, reader.path_of(key), reader.problems());
}

std::vector<std::string> raw_texts(Reader& reader, const std::string& key) {
  std::vector<std::string> out;
  for (const Node* item : reader.items(key))
    out.push_back(raw_text(*item, fmt::format("{}[{}]", reader.path_of(key), out.size()), reader.problems()));
  return out;
}

int64_t bounded_duration(Reader& reader, const std::string& key, int64_t fallback) {
  const int64_t nanos = reader.duration_nanos(key, fallback);
  if (nanos > kMostNanos) reader.problem(key, "at most 30m");
  return nanos;
}

void read_expect(Reader& step, StepExpectation& expect) {
  const Node* node = step.take("expect");
  if (node == nullptr) return;
  Reader reader(node, step.path_of("expect"), step.problems());
  expect.exit_code = static_cast<int>(reader.integer("exitCode", 0, {0, 255}));
  expect.contains = raw_texts(reader, "contains");
  expect.lacks = raw_texts(reader, "lacks");
  if (reader.has("is")) expect.is = raw_text(reader, "is");
  expect.something = reader.boolean("something", false);
  reader.finish();
}

void read_traces(Reader& step, WalkStep& out) {
  const Node* node = step.take("traces");
  Reader reader(node, step.path_of("traces"), step.problems());
  out.action = StepAction::kTraces;
  out.traces.service = reader.text("service", "", Need::kRequired);
  out.traces.path = reader.text("path", "", Need::kRequired);
  out.traces.count = static_cast<uint64_t>(reader.integer("count", 0, {0, 1e6}));
  if (!reader.has("count")) reader.problem("count", "is missing");
  out.traces.resource = reader.text_map("resource");
  out.since = reader.text("since", "", Need::kRequired);
  reader.finish();
}

// Exactly one of the things a step can do.
void read_action(Reader& step, WalkStep& out) {
  std::vector<std::string> named;
  for (const char* key : {"run", "check", "traces", "scenario"}) {
    if (step.has(key)) named.emplace_back(key);
  }
  if (named.size() != 1) {
    const char* what = named.empty() ? "needs one of run, check, traces and scenario"
                                     : "does several things: one of run, check, traces and scenario";
    step.problem(named.size() > 1 ? named[1] : "name", what);
  }
  if (step.has("run")) out.command = raw_text(step, "run");
  if (step.has("check")) out.action = step.choice("check", StepAction::kAddress, {{"address", StepAction::kAddress}});
  if (step.has("traces")) read_traces(step, out);
  if (step.has("scenario")) {
    out.action = StepAction::kScenario;
    out.scenario = step.text("scenario", "");
  }
}

bool is_variable(const std::string& text) {
  const auto upper = [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && text.size() <= 64 && upper(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return upper(c) || (c >= '0' && c <= '9');
  });
}

// What the step says of other things: earlier steps, rows, variables.
void check_references(Reader& step, const WalkStep& out, const std::set<std::string>& earlier) {
  for (const std::string& need : out.needs) {
    if (earlier.count(need) == 0)
      step.problem("needs", fmt::format("\"{}\" is no step before this one", printable(need)));
  }
  if (!out.since.empty() && earlier.count(out.since) == 0)
    step.problem("traces", fmt::format("since: \"{}\" is no step before this one", printable(out.since)));
  for (const std::string& row : out.rows) {
    if (!row.empty() && !is_row_id(row))
      step.problem("rows", fmt::format("\"{}\" is no conformance row: O-, M-, D- or F- and a number", printable(row)));
  }
  // What the runner itself tells the steps is not theirs to set.
  static const std::set<std::string> kOwn{"PATH", "KUBECONFIG", "HOME"};
  if (!out.keep_as.empty() && (!is_variable(out.keep_as) || kOwn.count(out.keep_as) > 0))
    step.problem("keepAs", fmt::format("\"{}\" is no name of a variable: capital letters, digits and _, and not PATH, "
                                       "HOME or KUBECONFIG",
                                       printable(out.keep_as)));
}

WalkStep read_step(const Node* item, const std::string& where, const std::set<std::string>& earlier,
                   Problems& problems) {
  Reader reader(item, where, problems);
  WalkStep step;
  step.name = reader.text("name", "", Need::kRequired);
  if (!step.name.empty() && !is_label(step.name)) reader.problem("name", "lower-case letters, digits and inner dashes");
  if (earlier.count(step.name) > 0) reader.problem("name", fmt::format("there is a step {} already", step.name));
  step.does = reader.text("does", "", Need::kRequired);
  step.needs = reader.texts("needs");
  step.requires_capabilities = reader.texts("requires");
  read_action(reader, step);
  read_expect(reader, step.expect);
  step.within_nanos = bounded_duration(reader, "within", 0);
  step.timeout_nanos = bounded_duration(reader, "timeout", kTimeoutNanos);
  if (step.timeout_nanos == 0) reader.problem("timeout", "0s would be no time at all");
  step.keep_as = reader.text("keepAs", "");
  step.rows = reader.texts("rows");
  step.must_fail = raw_text(reader, "mustFail");
  step.fix = raw_text(reader, "fix");
  if (step.is_counter_test() && !step.keep_as.empty())
    reader.problem("keepAs", "a step that must fail gives nothing to keep");
  if (step.is_counter_test() && step.within_nanos > 0)
    reader.problem("within", "a step that must fail is not tried again: its first try is what counts");
  if (step.action == StepAction::kScenario && step.is_counter_test())
    reader.problem("mustFail", "a scenario that must fail is a canary: run it by itself, in a suite");
  check_references(reader, step, earlier);
  reader.finish();
  return step;
}

}  // namespace

Loaded<Walkthrough> parse_walkthrough(const std::string& text, const std::string& file) {
  Problems problems(file);
  const std::vector<Node> documents = parse_yaml(text, problems);
  Walkthrough out;
  out.file = file;
  if (documents.size() > 1) problems.add(documents[1], "a file of kind Walkthrough is one document");
  const auto head = documents.empty() ? std::nullopt : read_head(documents[0], "Walkthrough", problems);
  if (head && head->spec != nullptr) {
    out.name = head->name;
    Reader spec(head->spec, "spec", problems);
    out.description = spec.text("description", "");
    out.topology = spec.text("topology", "", Need::kRequired);
    out.ns = spec.text("namespace", "default");
    if (!is_label(out.ns)) spec.problem("namespace", "is no name of a namespace");
    std::set<std::string> earlier;
    for (const Node* item : spec.items("steps", Need::kRequired)) {
      if (out.steps.size() == kMostSteps) {
        problems.add(*item, fmt::format("spec.steps: at most {}", kMostSteps));
        break;
      }
      out.steps.push_back(read_step(item, fmt::format("spec.steps[{}]", out.steps.size()), earlier, problems));
      earlier.insert(out.steps.back().name);
    }
    if (out.steps.empty() && spec.has("steps")) spec.problem("steps", "at least one");
    spec.finish();
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return out;
}

}  // namespace hopcheck::config
