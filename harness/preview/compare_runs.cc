#include "preview/compare_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace hopcheck::preview {
namespace {

using Key = std::pair<std::string, std::string>;  // journey, path
using Lines = std::map<Key, const SignatureLine*>;
using Class = RunDifference::Class;
constexpr std::string_view kStep = " > ";

const SignatureLine& nothing() {
  static const SignatureLine line;
  return line;
}

const SignatureLine& at(const Lines& lines, const Key& key) {
  const auto found = lines.find(key);
  return found == lines.end() ? nothing() : *found->second;
}

Lines lines_of(const ScenarioResult& scenario) {
  Lines out;
  for (const SignatureLine& line : scenario.signature) out.emplace(Key{line.journey, line.path}, &line);
  return out;
}

// Requests of each journey that left anything: the most that one kind of span was seen in.
std::map<std::string, uint64_t> traces_of(const ScenarioResult& scenario) {
  std::map<std::string, uint64_t> out;
  for (const SignatureLine& line : scenario.signature) {
    uint64_t& most = out[line.journey];
    most = std::max(most, line.traces);
  }
  return out;
}

bool has(const std::vector<std::string>& sorted, const std::string& item) {
  return std::binary_search(sorted.begin(), sorted.end(), item);
}

// Whether the profile of that run asks for the attribute on this kind of span.
bool asks_for(const SignatureLine& line, const std::string& attribute) {
  return has(line.attributes, attribute) ? !has(line.unlisted, attribute) : has(line.absent, attribute);
}

class Comparer {
 public:
  Comparer(const ScenarioResult& first, const ScenarioResult& second)
      : first_(lines_of(first)), second_(lines_of(second)), first_traces_(traces_of(first)),
        second_traces_(traces_of(second)) {
    out_.name = first.name;
    for (const auto& [journey, traces] : first_traces_) out_.first_traces += traces;
    for (const auto& [journey, traces] : second_traces_) out_.second_traces += traces;
  }

  ScenarioComparison run() {
    std::set<Key> keys;
    for (const auto& [key, line] : first_) keys.insert(key);
    for (const auto& [key, line] : second_) keys.insert(key);
    for (const Key& key : keys) compare(key, at(first_, key), at(second_, key));
    return std::move(out_);
  }

 private:
  static std::string seen(const SignatureLine& line, uint64_t traces) {
    if (line.count == 0) return line.expected == "always" ? "expected and not seen" : "not seen";
    return fmt::format("{} of {} traces", line.traces, traces);
  }

  void add(const Key& key, const std::string& what, const std::string& first, const std::string& second, Class klass) {
    RunDifference difference;
    difference.journey = key.first;
    difference.path = key.second;
    difference.what = what;
    difference.first = first;
    difference.second = second;
    difference.klass = klass;
    // Below a span that only one side has everything differs: that is said once.
    if (what == "span") {
      const size_t end = key.second.rfind(kStep);
      const auto above = end == std::string::npos ? tops_.end() : tops_.find({key.first, key.second.substr(0, end)});
      if (above != tops_.end()) {
        RunDifference& top = out_.differences[above->second];
        if (top.klass == klass && top.first == first && top.second == second) {
          ++top.below;
          tops_[key] = above->second;
          return;
        }
      }
      tops_[key] = out_.differences.size();
    }
    out_.differences.push_back(std::move(difference));
  }

  void compare(const Key& key, const SignatureLine& a, const SignatureLine& b) {
    const uint64_t a_traces = first_traces_[key.first], b_traces = second_traces_[key.first];
    if (a.count > 0 && b.count > 0) {
      ++out_.kinds;
      compare_numbers(key, a, b);
      compare_attributes(key, a, b);
      return;
    }
    if (a.count == 0 && b.count == 0) {
      // Asked for by one of them and seen in neither: that run's own defect, which its verdict names too.
      if (a.expected == "always" || b.expected == "always")
        add(key, "span", seen(a, a_traces), seen(b, b_traces), Class::kUnpredicted);
      return;
    }
    const SignatureLine& there = a.count > 0 ? a : b;
    const SignatureLine& missing = a.count > 0 ? b : a;
    if (there.expected == "sometimes" && missing.expected == "sometimes") {
      out_.notes.push_back(fmt::format("{} left out by chance in the {} run: {}", key.first,
                                       a.count > 0 ? "second" : "first", key.second));
      return;
    }
    const bool predicted = there.expected != "never" && missing.expected == "never";
    add(key, "span", seen(a, a_traces), seen(b, b_traces), predicted ? Class::kPredicted : Class::kUnpredicted);
  }

  void compare_numbers(const Key& key, const SignatureLine& a, const SignatureLine& b) {
    if (a.expected == "sometimes" || b.expected == "sometimes") return;
    const uint64_t a_all = first_traces_[key.first], b_all = second_traces_[key.first];
    if (a.traces * b_all != b.traces * a_all)
      add(key, "share", seen(a, a_all), seen(b, b_all), Class::kUnpredicted);
    if (a.count * b.traces != b.count * a.traces) {
      const auto text = [](const SignatureLine& line) {
        return fmt::format("{} spans in {} traces", line.count, line.traces);
      };
      add(key, "number", text(a), text(b), Class::kUnpredicted);
    }
  }

  void compare_attributes(const Key& key, const SignatureLine& a, const SignatureLine& b) {
    std::set<std::string> names(a.attributes.begin(), a.attributes.end());
    names.insert(b.attributes.begin(), b.attributes.end());
    for (const std::string& name : names) {
      const bool in_a = has(a.attributes, name), in_b = has(b.attributes, name);
      if (in_a == in_b) continue;
      const bool predicted = asks_for(in_a ? a : b, name) && !asks_for(in_a ? b : a, name);
      add(key, "attribute " + name, in_a ? "there" : "not there", in_b ? "there" : "not there",
          predicted ? Class::kPredicted : Class::kUnpredicted);
    }
  }

  Lines first_, second_;
  std::map<std::string, uint64_t> first_traces_, second_traces_;
  std::map<Key, size_t> tops_;  // spans that only one side has → the difference that stands for them
  ScenarioComparison out_;
};

const ScenarioResult* find(const RunResult& run, const std::string& name) {
  for (const ScenarioResult& scenario : run.scenarios) {
    if (scenario.name == name && scenario.verdict) return &scenario;
  }
  return nullptr;
}

const ScenarioResult* only_judged(const RunResult& run) {
  const ScenarioResult* out = nullptr;
  for (const ScenarioResult& scenario : run.scenarios) {
    if (!scenario.verdict) continue;
    if (out != nullptr) return nullptr;
    out = &scenario;
  }
  return out;
}

}  // namespace

RunComparison compare_runs(const RunResult& first, const RunResult& second) {
  RunComparison out;
  const ScenarioResult* only_a = only_judged(first);
  const ScenarioResult* only_b = only_judged(second);
  for (const ScenarioResult& scenario : first.scenarios) {
    if (!scenario.verdict) continue;
    const bool single = only_a != nullptr && only_b != nullptr;
    const ScenarioResult* other = single ? only_b : find(second, scenario.name);
    if (other == nullptr) {
      out.only_first.push_back(scenario.name);
      continue;
    }
    out.scenarios.push_back(Comparer(scenario, *other).run());
    for (const RunDifference& difference : out.scenarios.back().differences)
      (difference.klass == Class::kPredicted ? out.predicted : out.unpredicted) += 1 + difference.below;
  }
  for (const ScenarioResult& scenario : second.scenarios) {
    const bool compared = &scenario == only_b && only_a != nullptr;
    if (scenario.verdict && !compared && find(first, scenario.name) == nullptr)
      out.only_second.push_back(scenario.name);
  }
  return out;
}

}  // namespace hopcheck::preview
