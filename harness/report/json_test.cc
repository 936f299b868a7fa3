// run.json: every member of the model survives the round trip; caps; hostile text; the schema's required names.
#include "report/json.h"

#include <gtest/gtest.h>

#include <tuple>

#include "report/caps.h"
#include "report/golden_test.h"
#include "report/sample_run.h"

namespace hopcheck::report {
namespace {

// The members of each struct as a tuple. A structured binding names all members or does not compile, so a member
// added to the model breaks this file until it is described in json_fields.h and listed here.
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, ProxyFact> {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, TelemetryFact> {
  auto& [a, b, c, d, e] = v;
  return std::tie(a, b, c, d, e);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, CollectorFact> {
  auto& [a, b, c, d, e, f, g, h] = v;
  return std::tie(a, b, c, d, e, f, g, h);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, ControlFact> {
  auto& [a, b, c, d] = v;
  return std::tie(a, b, c, d);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, DrainFact> {
  auto& [a, b] = v;
  return std::tie(a, b);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Environment> {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Subject> {
  auto& [a, b, c, d] = v;
  return std::tie(a, b, c, d);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Witness> {
  auto& [a, b] = v;
  return std::tie(a, b);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Consequence> {
  auto& [a, b, c] = v;
  return std::tie(a, b, c);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Finding> {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Distribution> {
  auto& [a, b, c, d, e, f] = v;
  return std::tie(a, b, c, d, e, f);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Distribution::Bucket> {
  auto& [a, b] = v;
  return std::tie(a, b);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, HopResult> {
  auto& [a, b, c, d, e, f, g, h, i] = v;
  return std::tie(a, b, c, d, e, f, g, h, i);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, BodyCounts> {
  auto& [a, b, c, d] = v;
  return std::tie(a, b, c, d);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, LatencyResult> {
  auto& [a, b, c] = v;
  return std::tie(a, b, c);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, ExhibitSpan> {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, Exhibit> {
  auto& [a, b, c, d, e] = v;
  return std::tie(a, b, c, d, e);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, SignatureLine> {
  auto& [a, b, c, d, e, f, g, h] = v;
  return std::tie(a, b, c, d, e, f, g, h);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, ScenarioResult> {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, w] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, w);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, PhaseStep> {
  auto& [a, b, c, d, e] = v;
  return std::tie(a, b, c, d, e);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, SumCheck> {
  auto& [a, b] = v;
  return std::tie(a, b);
}
template <class T>
auto members(T& v) requires std::is_same_v<std::remove_const_t<T>, RunResult> {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, w, x] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, w, x);
}

// Gives every member, however deep, a value of its own.
struct Filler {
  uint64_t n = 0;
  void fill(std::string& v) { v = "text " + std::to_string(++n); }
  void fill(bool& v) { v = ++n % 2 == 0; }
  void fill(int& v) { v = static_cast<int>(++n); }
  void fill(int64_t& v) { v = -static_cast<int64_t>(++n << 50); }
  void fill(uint64_t& v) { v = ++n << 51; }
  void fill(double& v) { v = static_cast<double>(++n) / 7; }
  void fill(Verdict& v) { v = static_cast<Verdict>(++n % 3); }
  template <size_t N>
  void fill(IdBytes<N>& v) {
    v.bytes.fill(static_cast<uint8_t>(++n));
  }
  template <class T, size_t N>
  void fill(std::array<T, N>& v) {
    for (T& item : v) fill(item);
  }
  template <class T>
  void fill(std::optional<T>& v) {
    fill(v.emplace());
  }
  template <class A, class B>
  void fill(std::pair<A, B>& v) {
    fill(v.first);
    fill(v.second);
  }
  template <class T>
  void fill(std::vector<T>& v) {
    v.resize(2);
    for (T& item : v) fill(item);
  }
  template <class T>
  void fill(T& v) {
    std::apply([&](auto&... member) { (fill(member), ...); }, members(v));
  }
};

template <class T>
bool same(const T& a, const T& b);
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (requires { a == b; }) {
    return a == b;
  } else {
    return [&]<size_t... I>(std::index_sequence<I...>) {
      return (same(std::get<I>(members(a)), std::get<I>(members(b))) && ...);
    }
    (std::make_index_sequence<std::tuple_size_v<decltype(members(a))>>());
  }
}

RunResult filled_run() {
  RunResult run;
  Filler().fill(run);
  for (ScenarioResult& scenario : run.scenarios) {
    for (Exhibit& exhibit : scenario.exhibits) {
      for (std::vector<ExhibitSpan>* spans : {&exhibit.expected, &exhibit.observed}) {
        for (ExhibitSpan& span : *spans) span.parent = span.parent % 2;
      }
    }
  }
  return run;
}

TEST(RunJson, EveryMemberSurvivesTheRoundTrip) {
  const RunResult run = filled_run();
  const std::string text = to_json(run);
  const Result<RunResult> back = from_json(text);
  ASSERT_TRUE(back) << to_text(back.error());
  EXPECT_TRUE(same(run, *back));
  EXPECT_EQ(text, to_json(*back));
}

TEST(RunJson, EnvironmentAndPhasesSurviveTheRoundTrip) {
  const RunResult run = filled_run();
  const Result<Environment> environment = environment_from_json(environment_to_json(run.environment));
  ASSERT_TRUE(environment) << to_text(environment.error());
  EXPECT_TRUE(same(run.environment, *environment));
  const Result<PhaseStep> step = phase_from_json(phase_to_json(run.phases[1]));
  ASSERT_TRUE(step) << to_text(step.error());
  EXPECT_TRUE(same(run.phases[1], *step));
}

TEST(RunJson, AbsentFactsStayAbsent) {
  RunResult run = sample::suite_run();
  run.environment.proxies[0].sent_after.reset();
  run.environment.telemetry[0].percentage.reset();
  const Result<RunResult> back = from_json(to_json(run));
  ASSERT_TRUE(back) << to_text(back.error());
  EXPECT_EQ(back->environment.proxies[0].sent_after, std::nullopt);
  EXPECT_EQ(back->environment.telemetry[0].percentage, std::nullopt);
  EXPECT_EQ(back->scenarios[4].verdict, std::nullopt);
  EXPECT_EQ(back->scenarios[3].verdict, Verdict::kUnknown);
}

TEST(RunJson, LargeNumbersAndUnixTimesAreStrings) {
  RunResult run = sample::canary_run();
  run.seed = (1ull << 53) - 1;
  EXPECT_NE(to_json(run).find("\"seed\": 9007199254740991,"), std::string::npos);
  run.seed = 1ull << 53;
  EXPECT_NE(to_json(run).find("\"seed\": \"9007199254740992\","), std::string::npos);
  EXPECT_NE(to_json(run).find("\"startUnixNano\": \"1767225600000000000\""), std::string::npos);
  run.seed = UINT64_MAX;
  EXPECT_EQ(from_json(to_json(run))->seed, UINT64_MAX);
}

TEST(RunJson, ForeignTextIsKeptOrReplacedNeverFatal) {
  RunResult run = sample::canary_run();
  std::string& name = run.scenarios[0].exhibits[0].observed[0].name;
  name = std::string("quote\" back\\ nul\0 esc\x1b[31m </script> \xe2\x80\xa8", 40);
  EXPECT_EQ(from_json(to_json(run))->scenarios[0].exhibits[0].observed[0].name, name);
  name = "bad \xff\xc0\xaf utf-8";
  EXPECT_EQ(from_json(to_json(run))->scenarios[0].exhibits[0].observed[0].name,
            "bad \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd utf-8");
}

TEST(RunJson, ErrorsNameThePlace) {
  const auto why = [](const char* text) {
    const Result<RunResult> result = from_json(text);
    return result ? "accepted" : result.error().why;
  };
  EXPECT_EQ(why(R"({"schemaVersion":2})"), "schemaVersion 2, this version reads 1");
  EXPECT_EQ(why(R"({})"), "schemaVersion 0, this version reads 1");
  EXPECT_EQ(why(R"([])"), "expected an object");
  EXPECT_EQ(why(R"({"schemaVersion":1,"scenarios":[{},{"findings":[{"count":-1}]}]})"),
            "scenarios[1].findings[0].count: expected a whole number from 0");
  EXPECT_EQ(why(R"({"schemaVersion":1,"verdict":"maybe"})"), "verdict: expected pass, fail or unknown");
  EXPECT_EQ(why(R"({"schemaVersion":1,"findings":[{"witness":[{"traceId":"abc"}]}]})"),
            "findings[0].witness[0].traceId: expected 32 hex digits");
  EXPECT_NE(why(R"({"schemaVersion":1,)").find("parse error"), std::string::npos);
  EXPECT_EQ(from_json("").error().kind, ErrorKind::kEvidence);
}

TEST(RunJson, UnknownKeysAreIgnored) {
  const Result<RunResult> result = from_json(R"({"schemaVersion":1,"later":{"a":[1]},"seed":7})");
  ASSERT_TRUE(result) << to_text(result.error());
  EXPECT_EQ(result->seed, 7u);
}

TEST(RunJson, CapsAreStatedAndCuttingTwiceChangesNothing) {
  RunResult run = sample::canary_run();
  ScenarioResult& scenario = run.scenarios[0];
  const Exhibit exhibit = scenario.exhibits[0];
  scenario.exhibits.assign(kMaxExhibitsPerScenario + 9, exhibit);
  scenario.exhibits[0].observed[3].attributes[0].second = std::string(100'000, '\x01');
  scenario.signature.assign(kMaxSignatureLines + 1, {"j", std::string(9000, '"'), 1, 1, "never", {}, {}, {}});
  const RunResult once = capped(run);
  EXPECT_EQ(once.scenarios[0].exhibits.size(), kMaxExhibitsPerScenario);
  EXPECT_EQ(once.scenarios[0].exhibits[0].observed[3].attributes[0].second.substr(4096 - 64), "… (100000 bytes)");
  ASSERT_EQ(once.scenarios[0].notes.size(), 4u);
  EXPECT_EQ(once.scenarios[0].notes[3], "kept the first 64 of 73 exhibits");
  EXPECT_TRUE(same(once, capped(once)));
  EXPECT_LT(to_json(run).size(), kMaxRunJsonBytes);
  EXPECT_TRUE(same(once, *from_json(to_json(run))));
}

TEST(RunJson, AParentOutsideTheListIsNone) {
  RunResult run = sample::canary_run();
  run.scenarios[0].exhibits[0].observed[5].parent = 99;
  run.scenarios[0].exhibits[0].observed[6].parent = -7;
  EXPECT_EQ(capped(run).scenarios[0].exhibits[0].observed[5].parent, -1);
  EXPECT_EQ(capped(run).scenarios[0].exhibits[0].observed[6].parent, -1);
}

TEST(FindingsJsonl, HoldsRunFindingsThenScenarios) {
  const RunResult run = sample::suite_run();
  const std::string text = findings_to_jsonl(run);
  EXPECT_TRUE(matches_golden("findings.jsonl", text));
  const Result<std::vector<Finding>> back = findings_from_jsonl(text);
  ASSERT_TRUE(back) << to_text(back.error());
  ASSERT_EQ(back->size(), 5u);
  EXPECT_EQ((*back)[0].scenario, "");
  EXPECT_EQ((*back)[4].scenario, "checkout-direct");
  EXPECT_EQ(findings_from_jsonl("{}\n{\"count\":\"x\"}\n").error().what,
            "findings.jsonl:2: finding: unexpected content");
}

TEST(RunJson, GoldenFile) {
  EXPECT_TRUE(matches_golden("run.json", to_json(sample::suite_run())));
  EXPECT_EQ(to_json(sample::suite_run()), to_json(sample::suite_run()));
}

}  // namespace
}  // namespace hopcheck::report
