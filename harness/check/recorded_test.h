// Recorded captures of real meshes (fixtures/captures) for tests: loaded, changed in memory as a defect would change
// them, and judged against the scenario of their environment. What a test shows of these spans, real proxies sent.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "check/judge.h"
#include "check/span_info.h"
#include "config/load.h"
#include "otlp/decode.h"
#include "testing/claims.h"

namespace hopcheck::check {

inline const proof::Versions kIstio130{"1.30", "1.38"};
inline const proof::Versions kIstio131{"1.31", "1.39"};

class RecordedTest : public ::testing::Test {
 protected:
  static inline const std::string kRoot = HOPCHECK_SOURCE_DIR;

  // The capture, and the scenario of its environment or of another one.
  void open(const std::string& name, const std::string& scenario_name = "") {
    const std::string folder = kRoot + "/fixtures/captures/";
    if (profiles_.empty()) {
      auto profiles = config::load_profiles({kRoot});
      ASSERT_TRUE(profiles) << config::to_text(profiles.error());
      profiles_ = std::move(*profiles);
    }
    auto scenario = config::load_scenario(
        folder + "scenarios/" + (scenario_name.empty() ? name : scenario_name) + ".yaml", {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    scenario_ = std::move(*scenario);
    std::ifstream file(folder + name + ".jsonl");
    ASSERT_TRUE(file) << name;
    spans_.clear();
    for (std::string line; std::getline(file, line);) {
      const auto decoded = otlp::decode_json(line, arena_, spans_);
      ASSERT_TRUE(decoded) << decoded.error().what;
    }
    recorded_ = spans_;
    ledger_.clear();
  }
  void restore() { spans_ = recorded_; }
  // What was sent, as the root of each trace shows it: trace id, our parent id, tracestate.
  void know_what_was_sent() {
    ledger_.clear();
    for (const Span& span : recorded_) {
      if (by_recorded_id(span.trace_id, span.parent_id)) continue;
      LedgerEntry entry;
      entry.intent.n = ledger_.size();
      entry.intent.trace_id = span.trace_id;
      entry.intent.span_id = span.parent_id;
      entry.intent.sampled = true;
      entry.intent.trace_state = span.trace_state;
      entry.scenario = scenario_.name;
      entry.journey = scenario_.load.journeys.at(0).name;
      entry.outcome = {entry.intent.n, 0, 0, 0, OutcomeKind::kOk, 200};
      ledger_.push_back(std::move(entry));
    }
  }

  JudgeResult judged() {
    JudgeInput input;
    input.spans = &spans_;
    input.bodies = {1, 1, 0, 0};
    input.environment.provider = "none";
    input.profiles = &profiles_;
    ScenarioInput one;
    one.scenario = scenario_;
    one.ledger = ledger_;
    one.has_ledger = !ledger_.empty();
    input.scenarios.push_back(std::move(one));
    auto result = judge(input);
    EXPECT_TRUE(result) << result.error().what;
    return result ? std::move(*result) : JudgeResult{};
  }
  static std::vector<std::string> codes(const JudgeResult& result) {
    std::vector<std::string> out;
    for (const ScenarioResult& scenario : result.scenarios) {
      for (const Finding& finding : scenario.findings) out.push_back(finding.code + " " + subject_key(finding.subject));
    }
    for (const Finding& finding : result.findings) out.push_back(finding.code + " " + subject_key(finding.subject));
    return out;
  }
  std::vector<std::string> findings() { return codes(judged()); }
  bool passes() {
    const JudgeResult result = judged();
    return result.scenarios.at(0).verdict == Verdict::kPass && result.findings.empty();
  }

  // One span of a chosen sort: the first by default, so that one request shows the defect.
  using Which = std::function<bool(const Span&)>;
  Span& one(const Which& which) {
    const auto found = std::find_if(spans_.begin(), spans_.end(), which);
    EXPECT_NE(found, spans_.end()) << "the capture has no such span";
    return found == spans_.end() ? spans_.front() : *found;
  }
  size_t count(const Which& which) const {
    return static_cast<size_t>(std::count_if(spans_.begin(), spans_.end(), which));
  }
  size_t remove(const Which& which) {
    const auto kept = std::remove_if(spans_.begin(), spans_.end(), which);
    const auto gone = static_cast<size_t>(spans_.end() - kept);
    spans_.erase(kept, spans_.end());
    return gone;
  }
  const Span* by_id(const TraceId& trace, const SpanId& id) const {
    for (const Span& span : spans_) {
      if (span.trace_id == trace && span.span_id == id) return &span;
    }
    return nullptr;
  }
  const Span* parent_of(const Span& span) const { return by_id(span.trace_id, span.parent_id); }
  std::map<TraceId, std::vector<const Span*>> traces() const {
    std::map<TraceId, std::vector<const Span*>> out;
    for (const Span& span : spans_) out[span.trace_id].push_back(&span);
    return out;
  }

  void set(Span& span, std::string_view key, std::string_view value) {
    std::vector<Attribute> list(span.attributes.begin(), span.attributes.end());
    const auto found = std::find_if(list.begin(), list.end(), [&](const Attribute& a) { return a.key == key; });
    Attribute& attribute = found == list.end() ? list.emplace_back() : *found;
    attribute.key = arena_.copy(key);
    attribute.value.type = AnyValue::Type::kString;
    attribute.value.text = arena_.copy(value);
    span.attributes = kept(list);
  }
  void unset(Span& span, std::string_view key) {
    std::vector<Attribute> list(span.attributes.begin(), span.attributes.end());
    list.erase(std::remove_if(list.begin(), list.end(), [&](const Attribute& a) { return a.key == key; }), list.end());
    span.attributes = kept(list);
  }
  void set_resource(Span& span, std::string_view key, std::string_view value) {
    Resource resource = *span.resource;
    std::vector<Attribute> list(resource.attributes.begin(), resource.attributes.end());
    const auto found = std::find_if(list.begin(), list.end(), [&](const Attribute& a) { return a.key == key; });
    Attribute& attribute = found == list.end() ? list.emplace_back() : *found;
    attribute.key = arena_.copy(key);
    attribute.value.type = AnyValue::Type::kString;
    attribute.value.text = arena_.copy(value);
    resource.attributes = kept(list);
    if (key == "service.name") resource.service_name = attribute.value.text;
    span.resource = arena_.make(resource);
  }
  void set_scope(Span& span, const Scope& scope) { span.scope = arena_.make(scope); }

  Arena arena_;
  std::vector<MeshProfile> profiles_;
  Scenario scenario_;
  std::vector<Span> spans_, recorded_;
  std::vector<LedgerEntry> ledger_;  // empty: a bare capture

 private:
  bool by_recorded_id(const TraceId& trace, const SpanId& id) const {
    return std::any_of(recorded_.begin(), recorded_.end(),
                       [&](const Span& span) { return span.trace_id == trace && span.span_id == id; });
  }
  AttributeList kept(const std::vector<Attribute>& list) {
    auto* data = arena_.array<Attribute>(list.size());
    std::copy(list.begin(), list.end(), data);
    return {data, static_cast<uint32_t>(list.size())};
  }
};

// Whether exactly one finding was made, of this code, and its subject names this.
inline ::testing::AssertionResult only(const std::vector<std::string>& found, const std::string& code,
                                       const std::string& named) {
  const bool fits = found.size() == 1 && found[0].substr(0, 7) == code && found[0].find(named) != std::string::npos;
  if (fits) return ::testing::AssertionSuccess();
  ::testing::AssertionResult no = ::testing::AssertionFailure() << "wanted " << code << " of " << named << ", got";
  for (const std::string& one : found) no << " [" << one << "]";
  return no;
}

// Sorts of spans, by what the spans themselves say.
inline std::string_view workload_of(const Span& span) {  // "checkout-dep" of node_id, else ""
  const std::string_view pod = proxy_key(span);
  if (span.attributes.text("node_id").empty()) return "";
  const std::string_view name = pod.substr(0, pod.rfind('.'));
  const size_t hash = name.rfind('-');
  return hash == std::string_view::npos ? name : name.substr(0, name.rfind('-', hash - 1));
}
inline bool by_envoy(const Span& span) { return span.resource->attributes.text("telemetry.sdk.name") == "envoy"; }

}  // namespace hopcheck::check
