// The drawn waterfall of the two-hop example (row D-16), and rows that need the synthesized tree of that journey or of
// a chain: what each breach looks like to the judge.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "check/judge.h"
#include "check/recorded_test.h"
#include "check/span_info.h"
#include "config/load.h"
#include "plan/expand.h"
#include "plan/intent.h"
#include "sim/synthesize.h"
#include "testing/claims.h"

namespace hopcheck::check {
namespace {

using Found = std::vector<std::string>;

// Where each bar of the picture begins and ends, in columns from the axis' zero; nine columns are 50 ms.
struct Bar {
  const char* service;
  const char* name;
  SpanKind kind;
  int first, last;  // inclusive
};
constexpr std::array<Bar, 9> kPicture = {{
    {"frontend", "POST /checkout", SpanKind::kServer, 0, 35},
    {"frontend.hop-checkout", "checkout.hop-checkout.svc.cluster.local:8080/*", SpanKind::kClient, 5, 31},
    {"checkout.hop-checkout", "checkout.hop-checkout.svc.cluster.local:8080/*", SpanKind::kServer, 6, 26},
    {"checkout", "POST /checkout", SpanKind::kServer, 7, 28},
    {"checkout", "SELECT cart", SpanKind::kInternal, 7, 12},
    {"checkout.hop-checkout", "payments.hop-checkout.svc.cluster.local:8080/*", SpanKind::kClient, 15, 25},
    {"payments.hop-checkout", "payments.hop-checkout.svc.cluster.local:8080/*", SpanKind::kServer, 16, 24},
    {"payments", "POST /charge", SpanKind::kServer, 16, 24},
    {"payments", "INSERT txn", SpanKind::kInternal, 17, 22},
}};
constexpr uint64_t kColumnNanos = 50'000'000 / 9;

class SynthesizedRows : public ::testing::Test {
 protected:
  static inline const std::string kRoot = HOPCHECK_SOURCE_DIR;

  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles) << config::to_text(profiles.error());
    profiles_ = std::move(*profiles);
    tag_.nonce = 0x0123456789abcdef;
  }
  void use(const std::string& path) {
    auto scenario = config::load_scenario(kRoot + "/" + path, {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    use(std::move(*scenario));
  }
  // `requests` requests, each with the spans that the first tree of its expectation says, or another one's.
  void use(Scenario scenario, uint64_t requests = 3, size_t variant = 0) {
    input_ = {};
    spans_.clear();
    input_.scenario = std::move(scenario);
    input_.scenario.load.requests = requests;
    plan::ProfileBinding binding;
    const auto own = std::find_if(profiles_.begin(), profiles_.end(),
                                  [](const MeshProfile& profile) { return profile.name == "istio-1.30"; });
    ASSERT_NE(own, profiles_.end());
    binding.fallback = &*own;
    auto expansion = plan::expand(input_.scenario, binding);
    ASSERT_TRUE(expansion);
    ASSERT_LT(variant, expansion->trees.size());
    tree_ = expansion->trees[variant];
    LoadPlan plan;
    plan.tag = tag_;
    plan.count = requests;
    plan.traceparent = input_.scenario.load.traceparent;
    plan.trace_state = input_.scenario.load.trace_state;
    plan.journeys = input_.scenario.load.journeys;
    const plan::TagCipher cipher(tag_);
    Rng rng(7);
    for (uint64_t i = 0; i < requests; ++i) {
      LedgerEntry entry;
      entry.intent = plan::intent_at(plan, cipher, i);
      entry.scenario = input_.scenario.name;
      entry.journey = plan.journeys[0].name;
      entry.outcome = {i, 1000, 2000, 3000, OutcomeKind::kOk, 200};
      sim::SynthesisInput synthesis;
      synthesis.tree = &tree_;
      synthesis.trace_id = entry.intent.trace_id;
      synthesis.root_parent = entry.intent.span_id;
      synthesis.trace_state = entry.intent.trace_state;
      synthesis.start_unix_nanos += i * 1'000'000'000;
      if (synthesis.trace_id.is_zero()) {  // header-less: the gateway draws an id, the URL tells whose request it is
        synthesis.trace_id.bytes.fill(static_cast<uint8_t>(0x40 + i));
        synthesis.root_parent = {};
      }
      auto spans = sim::synthesize(synthesis, arena_, rng);
      for (Span& span : spans) tag_url(span, entry.intent.hop);
      spans_.insert(spans_.end(), spans.begin(), spans.end());
      input_.ledger.push_back(std::move(entry));
    }
  }
  void tag_url(Span& span, const std::string& hop) {
    auto* list = arena_.array<Attribute>(span.attributes.size);
    std::copy(span.attributes.begin(), span.attributes.end(), list);
    for (uint32_t i = 0; i < span.attributes.size; ++i) {
      if (list[i].key != "http.url") continue;
      const std::string_view url = list[i].value.text;
      list[i].value.text = arena_.copy(std::string(url.substr(0, url.find('?'))) + "?hop=" + hop);
    }
    span.attributes.data = list;
  }
  JudgeResult judged() {
    JudgeInput input;
    input.spans = &spans_;
    input.bodies = {1, 1, 0, 0};
    input.tag = tag_;
    input.profiles = &profiles_;
    input.scenarios.push_back(input_);
    auto result = judge(input);
    EXPECT_TRUE(result) << result.error().what;
    return result ? std::move(*result) : JudgeResult{};
  }
  Found findings() {
    Found out;
    const JudgeResult result = judged();
    for (const Finding& finding : result.scenarios.at(0).findings)
      out.push_back(finding.code + " " + subject_key(finding.subject));
    for (const Finding& finding : result.findings) out.push_back(finding.code + " " + subject_key(finding.subject));
    return out;
  }

  Arena arena_;
  std::vector<MeshProfile> profiles_;
  RunTag tag_;
  ScenarioInput input_;
  ExpectedTree tree_;
  std::vector<Span> spans_;
};

class PictureRows : public SynthesizedRows {
 protected:
  // One request of the direct entry, with the times of the picture.
  void draw() {
    use("scenarios/core/checkout-direct.yaml");
    Scenario scenario = input_.scenario;
    use(std::move(scenario), 1);
    ASSERT_EQ(spans_.size(), kPicture.size());
    for (const Bar& bar : kPicture) {
      const auto span = std::find_if(spans_.begin(), spans_.end(), [&](const Span& one) {
        return one.resource->service_name == bar.service && one.name == bar.name && one.kind == bar.kind;
      });
      ASSERT_NE(span, spans_.end()) << bar.service << " " << bar.name;
      span->start_unix_nanos = kStart + static_cast<uint64_t>(bar.first) * kColumnNanos;
      span->end_unix_nanos = kStart + static_cast<uint64_t>(bar.last + 1) * kColumnNanos;
    }
  }
  static constexpr uint64_t kStart = 1'767'225'600'000'000'000;
};

TEST_F(PictureRows, PassesAtTheDocumentedTolerance) {
  proof::claim({"D-16"}, Polarity::kPositive, ProofKind::kSource);
  draw();
  EXPECT_EQ(findings(), Found{});
}

TEST_F(PictureRows, IsFlaggedJustWhereItBreaksTheRuleAtNoTolerance) {
  proof::claim({"D-16"}, Polarity::kNegative, ProofKind::kSource);
  draw();
  input_.scenario.rules.nesting_tolerance_nanos = 0;
  input_.scenario.rules.overhang_tolerance_nanos = 0;
  const JudgeResult result = judged();
  ASSERT_EQ(result.scenarios[0].findings.size(), 1u);
  const Finding& finding = result.scenarios[0].findings[0];
  EXPECT_EQ(finding.code, "HOP0703");
  EXPECT_EQ(subject_key(finding.subject).rfind("service=checkout", 0), 0u) << subject_key(finding.subject);
  EXPECT_EQ(finding.count, 1u);
  EXPECT_NE(finding.actual.find("11.11ms"), std::string::npos) << finding.actual;
}

TEST_F(PictureRows, TheTreeIsThatOfThePicture) {
  proof::claim({"O-64", "O-65"}, Polarity::kPositive, ProofKind::kSimulated);
  use("scenarios/core/checkout-direct.yaml");
  const std::array<int, 9> above = {-1, 0, 1, 2, 3, 3, 5, 6, 7};
  ASSERT_EQ(tree_.spans.size(), kPicture.size());
  size_t mesh = 0;
  for (size_t i = 0; i < kPicture.size(); ++i) {
    // Siblings are order-free: the row of the picture is looked up.
    const auto node = std::find_if(tree_.spans.begin(), tree_.spans.end(), [&](const ExpectedSpan& one) {
      return one.service_name == kPicture[i].service && one.name == kPicture[i].name && one.kind == kPicture[i].kind;
    });
    ASSERT_NE(node, tree_.spans.end()) << kPicture[i].service << " " << kPicture[i].name;
    mesh += node->role != ProxyRole::kNone ? 1 : 0;
    if (above[i] < 0) {
      EXPECT_EQ(node->parent, -1);
      continue;
    }
    const ExpectedSpan& parent = tree_.spans[static_cast<size_t>(node->parent)];
    const Bar& bar = kPicture[static_cast<size_t>(above[i])];
    EXPECT_EQ(parent.service_name + " " + parent.name, std::string(bar.service) + " " + bar.name);
  }
  EXPECT_EQ(mesh, 4u);
  EXPECT_EQ(findings(), Found{});
}

TEST_F(PictureRows, EightAndTenSpansAndAnotherTreeAreFound) {
  proof::claim({"O-64", "O-65"}, Polarity::kNegative, ProofKind::kSimulated);
  use("scenarios/core/checkout-direct.yaml");
  const std::vector<Span> sound = spans_;
  for (size_t i = 0; i < kPicture.size(); ++i) {
    SCOPED_TRACE(std::string(sound[i].resource->service_name) + " " + std::string(sound[i].name));
    spans_ = sound;
    spans_.erase(spans_.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(findings().empty()) << "eight spans";
    spans_ = sound;
    spans_.push_back(sound[i]);
    spans_.back().span_id.bytes[2] ^= 0x5a;
    EXPECT_FALSE(findings().empty()) << "ten spans";
    if (i < 2) continue;
    spans_ = sound;
    spans_[i].parent_id = sound[0].span_id;
    EXPECT_FALSE(findings().empty()) << "under the root";
  }
}

// A chain of `hops` meshed hops, entered where nobody watches.
Scenario chain_of(const Scenario& base, int hops) {
  Scenario out = base;
  out.topology.services.clear();
  for (int i = 0; i <= hops; ++i) {
    Service service;
    service.name = "link" + std::to_string(i);
    service.ns = out.topology.ns;
    service.labels = {{"app", service.name}};
    service.otel_service_name = service.name;
    service.ports = base.topology.services[0].ports;
    service.workloads = {{service.name, "", {}}};
    AppSpan span = base.topology.services[0].spans[0];
    service.spans = {span};
    if (i < hops) {
      Call call;
      call.to = "link" + std::to_string(i + 1);
      call.method = "POST";
      call.path = "/checkout";
      service.calls = {call};
    }
    out.topology.services.push_back(std::move(service));
  }
  out.topology.entry = "link0";
  return out;
}

size_t mesh_spans(const ExpectedTree& tree) {
  return static_cast<size_t>(std::count_if(tree.spans.begin(), tree.spans.end(), [](const ExpectedSpan& span) {
    return span.role != ProxyRole::kNone;
  }));
}

TEST_F(SynthesizedRows, NMeshedHopsLeaveTwiceAsManyMeshSpans) {
  proof::claim({"O-66"}, Polarity::kPositive, ProofKind::kSimulated);
  use("scenarios/core/checkout-direct.yaml");
  const Scenario base = input_.scenario;
  for (int hops = 1; hops <= 5; ++hops) {
    SCOPED_TRACE(hops);
    use(chain_of(base, hops));
    EXPECT_EQ(mesh_spans(tree_), static_cast<size_t>(2 * hops));
    EXPECT_EQ(tree_.spans.size(), static_cast<size_t>(3 * hops + 1));
    EXPECT_EQ(findings(), Found{});
  }
}

TEST_F(SynthesizedRows, OneMeshSpanLessOrMoreIsFoundAtEachLength) {
  proof::claim({"O-66"}, Polarity::kNegative, ProofKind::kSimulated);
  use("scenarios/core/checkout-direct.yaml");
  const Scenario base = input_.scenario;
  for (int hops = 1; hops <= 5; ++hops) {
    SCOPED_TRACE(hops);
    use(chain_of(base, hops));
    const std::vector<Span> sound = spans_;
    const auto last = std::find_if(spans_.rbegin(), spans_.rend(), [](const Span& span) { return is_mesh_span(span); });
    ASSERT_NE(last, spans_.rend());
    const auto at = static_cast<size_t>(spans_.rend() - last) - 1;
    const std::string end = "->link" + std::to_string(hops);
    spans_.erase(spans_.begin() + static_cast<std::ptrdiff_t>(at));
    EXPECT_TRUE(only(findings(), "HOP0301", end));
    spans_ = sound;
    spans_.push_back(sound[at]);
    spans_.back().span_id.bytes[7] = 0xff;  // after the first in every order
    spans_.back().start_unix_nanos += 1000;
    EXPECT_TRUE(only(findings(), "HOP0302", end));
  }
}

TEST_F(SynthesizedRows, TheEntryDecidesTheCount) {
  proof::claim({"D-15"}, Polarity::kPositive, ProofKind::kSimulated);
  const std::array<std::pair<const char*, size_t>, 4> wanted = {
      {{"direct", 9}, {"unmeshed", 10}, {"mesh", 11}, {"gateway", 12}}};
  for (const auto& [entry, spans] : wanted) {
    use(std::string("scenarios/core/checkout-") + entry + ".yaml");
    EXPECT_EQ(tree_.spans.size(), spans) << entry;
    EXPECT_EQ(findings(), Found{}) << entry;
  }
  use("scenarios/core/checkout-gateway.yaml");
  Scenario single = input_.scenario;
  single.environment.gateway_spawn = false;
  use(std::move(single));
  EXPECT_EQ(tree_.spans.size(), 11u) << "one gateway span where the version does not spawn the second";
}

TEST_F(SynthesizedRows, TheCountOfAnotherEntryIsFound) {
  proof::claim({"D-15"}, Polarity::kNegative, ProofKind::kSimulated);
  for (const char* sent : {"direct", "unmeshed", "mesh", "gateway"}) {
    use(std::string("scenarios/core/checkout-") + sent + ".yaml");
    for (const Entry claimed : {Entry::kDirect, Entry::kUnmeshed, Entry::kMesh, Entry::kGateway}) {
      if (to_string(claimed) == std::string(sent)) continue;
      input_.scenario.entry = claimed;
      EXPECT_FALSE(findings().empty()) << sent << " as " << to_string(claimed);
    }
  }
}

// checkout calls payments and a twin of it at the same time.
Scenario in_parallel(const Scenario& base) {
  Scenario out = base;
  Service twin = out.topology.services[2];
  twin.name = twin.otel_service_name = "refunds";
  twin.labels = {{"app", "refunds"}};
  twin.workloads = {{"refunds", "", {}}};
  out.topology.services.push_back(twin);
  Service& checkout = out.topology.services[1];
  checkout.calls.push_back(checkout.calls[0]);
  checkout.calls[1].to = "refunds";
  for (Call& call : checkout.calls) call.parallel = true;
  return out;
}

TEST_F(SynthesizedRows, ParallelCallsAreSiblingsThatMayOverlap) {
  proof::claim({"O-73"}, Polarity::kPositive, ProofKind::kSimulated);
  use("scenarios/core/checkout-gateway.yaml");
  use(in_parallel(input_.scenario));
  const size_t each = tree_.spans.size();
  EXPECT_EQ(mesh_spans(tree_), 9u);
  for (uint64_t request = 0; request < 3; ++request) {
    std::vector<size_t> clients;
    for (size_t i = request * each; i < (request + 1) * each; ++i) {
      if (spans_[i].resource->service_name == "checkout.hop-checkout" && spans_[i].kind == SpanKind::kClient)
        clients.push_back(i);
    }
    ASSERT_EQ(clients.size(), 2u);
    EXPECT_EQ(spans_[clients[0]].parent_id, spans_[clients[1]].parent_id);
    const uint64_t shift = spans_[clients[1]].start_unix_nanos - spans_[clients[0]].start_unix_nanos;
    for (size_t i = clients[1]; i < (request + 1) * each; ++i) {  // preorder: the second call is the last subtree
      spans_[i].start_unix_nanos -= shift;
      spans_[i].end_unix_nanos -= shift;
    }
    EXPECT_LT(spans_[clients[1]].start_unix_nanos, spans_[clients[0]].end_unix_nanos) << "they overlap";
  }
  EXPECT_EQ(findings(), Found{});
}

TEST_F(SynthesizedRows, AParallelCallThatIsMissingOrTwiceIsFound) {
  proof::claim({"O-73"}, Polarity::kNegative, ProofKind::kSimulated);
  use("scenarios/core/checkout-gateway.yaml");
  use(in_parallel(input_.scenario));
  const std::vector<Span> sound = spans_;
  const auto server = std::find_if(spans_.begin(), spans_.end(), [](const Span& span) {
    return span.resource->service_name == "refunds.hop-checkout" && span.kind == SpanKind::kServer;
  });
  ASSERT_NE(server, spans_.end());
  Span twice = *server;
  spans_.erase(server);
  EXPECT_TRUE(only(findings(), "HOP0301", "refunds"));
  spans_ = sound;
  twice.span_id.bytes[7] = 0xff;
  twice.start_unix_nanos += 1000;
  spans_.push_back(twice);
  EXPECT_TRUE(only(findings(), "HOP0302", "refunds"));
}

// --- Bookinfo

TEST_F(SynthesizedRows, BookinfoHasTheHopsAndSpansOfItsReviewsVersion) {
  proof::claim({"M-70", "M-71", "M-72", "M-73"}, Polarity::kPositive, ProofKind::kSimulated);
  use("scenarios/core/bookinfo-gateway-headerless.yaml");
  const Scenario scenario = input_.scenario;
  for (size_t variant = 0; variant < 3; ++variant) {
    SCOPED_TRACE(variant);
    use(scenario, 10, variant);
    EXPECT_EQ(mesh_spans(tree_), variant == 0 ? 7u : 9u);
    EXPECT_EQ(tree_.spans.size(), mesh_spans(tree_)) << "stock Bookinfo makes no app spans";
    const JudgeResult result = judged();
    EXPECT_EQ(findings(), Found{});
    EXPECT_EQ(result.scenarios[0].requests_by_class[static_cast<size_t>(RequestClass::kComplete)], 10u);
    size_t ratings = 0;
    for (const HopResult& hop : result.scenarios[0].hops) {
      if (hop.from == "gateway") continue;
      EXPECT_EQ(hop.client, hop.server) << hop.from << " " << hop.to;
      ratings += hop.to == "ratings" && hop.client + hop.server > 0 ? 1 : 0;
    }
    EXPECT_EQ(ratings, variant == 0 ? 0u : 1u);
  }
}

TEST_F(SynthesizedRows, ABookinfoTraceLessAHopMoreOrAnotherCountIsFound) {
  proof::claim({"M-70", "M-71", "M-72", "M-73"}, Polarity::kNegative, ProofKind::kSimulated);
  use("scenarios/core/bookinfo-gateway-headerless.yaml");
  const Scenario scenario = input_.scenario;
  use(scenario, 10, 1);
  const std::vector<Span> sound = spans_;
  const auto is = [](const char* name, SpanKind kind) {
    return [=](const Span& span) {
      return span.resource->service_name.substr(0, span.resource->service_name.find('.')) == name && span.kind == kind;
    };
  };
  const auto without = [&](const auto& which) {
    spans_ = sound;
    spans_.erase(std::find_if(spans_.begin(), spans_.end(), which));
    return findings();
  };
  EXPECT_TRUE(only(without(is("details", SpanKind::kServer)), "HOP0301", "details"));
  EXPECT_TRUE(only(without(is("reviews", SpanKind::kClient)), "HOP0301", "ratings"));
  spans_ = sound;  // v2 without its ratings hop
  spans_.erase(std::remove_if(spans_.begin(), spans_.end(),
                              [&](const Span& span) {
                                return is("ratings", SpanKind::kServer)(span) || is("reviews", SpanKind::kClient)(span);
                              }),
               spans_.end());
  EXPECT_FALSE(findings().empty());
  spans_.assign(sound.begin(), sound.end() - static_cast<std::ptrdiff_t>(tree_.spans.size()));  // nine of ten traces
  EXPECT_FALSE(findings().empty());
}

// --- Ports

class PortRows : public SynthesizedRows {
 protected:
  size_t mesh_spans_towards(const std::string& host_part) const {
    return static_cast<size_t>(std::count_if(tree_.spans.begin(), tree_.spans.end(), [&](const ExpectedSpan& span) {
      return span.role != ProxyRole::kNone && span.name.rfind(host_part + ".", 0) == 0;
    }));
  }
  // What the judge says of these spans when the port of `service` is claimed to be another one.
  Found claimed_as(const std::string& service, const std::string& port_name) {
    Scenario& claim = input_.scenario;
    const Topology sound = claim.topology;
    ServicePort& port = claim.topology.services[static_cast<size_t>(claim.topology.find(service))].ports[0];
    port.name = port_name;
    port.app_protocol.clear();
    const Found out = findings();
    claim.topology = sound;
    return out;
  }
};

TEST_F(PortRows, HttpPortsByNameOrProtocolAndSniffedOnesLeaveSpansTcpOnesNone) {
  proof::claim({"O-80", "O-81", "O-82", "O-83", "D-18"}, Polarity::kPositive, ProofKind::kSimulated);
  use("scenarios/extended/ports-names.yaml");
  for (const char* service : {"plain", "prefixed", "declared", "unnamed", "unknown"})
    EXPECT_EQ(mesh_spans_towards(service), 2u) << service;
  EXPECT_EQ(mesh_spans_towards("raw"), 0u);
  EXPECT_TRUE(std::any_of(spans_.begin(), spans_.end(), [](const Span& span) { return span.name == "GET /raw"; }));
  EXPECT_EQ(findings(), Found{});
}

TEST_F(PortRows, SpansOfAPortThatIsClaimedToBeTcpAreTooMany) {
  proof::claim({"O-80", "O-81", "O-82", "D-18"}, Polarity::kNegative, ProofKind::kSimulated);
  use("scenarios/extended/ports-names.yaml");
  for (const char* service : {"plain", "prefixed", "declared", "unknown"})
    EXPECT_TRUE(only(claimed_as(service, "tcp-other"), "HOP0302", service));
}

TEST_F(PortRows, ATcpPortThatIsClaimedToBeHttpLacksItsSpans) {
  proof::claim({"O-83"}, Polarity::kNegative, ProofKind::kSimulated);
  use("scenarios/extended/ports-names.yaml");
  EXPECT_TRUE(only(claimed_as("raw", "http-raw"), "HOP0301", "raw"));
}

}  // namespace
}  // namespace hopcheck::check
