// Each cause injected alone into a healthy cluster is found, and no other; two at a time likewise.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "doctor/causes.h"
#include "doctor/cluster_test.h"
#include "doctor/diagnose.h"
#include "testing/claims.h"
#include "testing/source_tree.h"

namespace hopcheck::doctor {
namespace {

using Ids = std::vector<std::string>;

Ids ids_of(const Diagnosis& diagnosis) {
  Ids out;
  for (const Cause& cause : diagnosis.causes) out.push_back(cause.id);
  std::sort(out.begin(), out.end());
  return out;
}

Ids found_in(const ClusterEvidence& evidence) { return ids_of(diagnose(evidence)); }

const Injection& injection(const std::string& cause) {
  for (const Injection& one : injections()) {
    if (one.cause == cause) return one;
  }
  ADD_FAILURE() << "no injection of " << cause;
  return injections().front();
}

Diagnosis diagnosis_with(const std::string& cause) {
  ClusterEvidence evidence = healthy_cluster();
  injection(cause).inject(evidence);
  return diagnose(evidence);
}

// Found alone, with evidence and a fix.
void expect_alone(const Ids& causes) {
  for (const std::string& id : causes) {
    const Diagnosis diagnosis = diagnosis_with(id);
    EXPECT_EQ(ids_of(diagnosis), Ids{id});
    EXPECT_EQ(exit_code_of(diagnosis), 1) << id;
    for (const Cause& cause : diagnosis.causes) {
      EXPECT_FALSE(cause.what.empty()) << id;
      EXPECT_FALSE(cause.evidence.empty()) << id;
      EXPECT_FALSE(cause.fix.empty()) << id;
    }
  }
}

std::string first_fix(const std::string& cause) {
  const Diagnosis diagnosis = diagnosis_with(cause);
  return diagnosis.causes.empty() ? "" : diagnosis.causes.front().fix.front();
}

TEST(Doctor, HealthyClusterHasNoCause) {
  proof::claim({"O-01", "O-02", "O-04", "O-05", "O-06", "M-01", "M-02", "D-01", "M-13", "M-19", "D-02", "F-0", "F-1",
                "F-1b", "F-2", "F-2b", "F-2c", "F-3", "F-4", "F-5", "F-6"},
               Polarity::kPositive, ProofKind::kSimulated);
  const Diagnosis diagnosis = diagnose(healthy_cluster());
  EXPECT_EQ(ids_of(diagnosis), Ids{});
  EXPECT_EQ(diagnosis.symptom, Symptom::kHealthy);
  EXPECT_EQ(exit_code_of(diagnosis), 0);
  for (const ProbeResult& probe : diagnosis.probes) EXPECT_NE(probe.state, ProbeState::kFail) << probe.id;
}

TEST(Doctor, EachCauseOfTheCatalogueIsFoundAlone) {
  proof::claim({"F-6"}, Polarity::kNegative, ProofKind::kSimulated);
  Ids known, injected;
  for (const CauseInfo& cause : cause_catalogue()) known.emplace_back(cause.id);
  for (const Injection& one : injections()) injected.push_back(one.cause);
  std::sort(known.begin(), known.end());
  std::sort(injected.begin(), injected.end());
  EXPECT_EQ(known, injected);
  expect_alone(injected);
}

TEST(Doctor, OldVersionsAreNamedAndNotMissingTraces) {
  proof::claim({"O-01", "O-02", "M-01", "D-01"}, Polarity::kNegative, ProofKind::kSimulated);
  expect_alone({"kubernetes-too-old", "istio-too-old", "istio-lacks-telemetry-v1", "istio-lacks-http-exporter"});
  const Diagnosis kubernetes = diagnosis_with("kubernetes-too-old");
  EXPECT_NE(kubernetes.causes.at(0).what.find("1.26"), std::string::npos);
  EXPECT_NE(kubernetes.causes.at(0).what.find("internalTrafficPolicy"), std::string::npos);
  EXPECT_NE(kubernetes.causes.at(0).what.find("Istio has no endpoint to reach"), std::string::npos);
  const Diagnosis istio = diagnosis_with("istio-lacks-telemetry-v1");
  EXPECT_NE(istio.causes.at(0).what.find("does not serve telemetry.istio.io/v1"), std::string::npos);
  EXPECT_EQ(istio.causes.at(0).consequences, Ids{"telemetry-missing istio-system"});
}

TEST(Doctor, ControlPlaneAndCollectorMustBeThere) {
  proof::claim({"O-04", "M-02"}, Polarity::kNegative, ProofKind::kSimulated);
  expect_alone({"istiod-missing", "istiod-not-ready", "collector-missing", "collector-not-ready"});
  EXPECT_EQ(first_fix("collector-missing"),
            "kubectl -n observability scale deployment/opentelemetry-collector --replicas=1");
}

TEST(Doctor, TelemetryIsJudgedByPlaceProviderAndPercentage) {
  proof::claim({"F-3"}, Polarity::kNegative, ProofKind::kSimulated);
  expect_alone({"telemetry-missing", "telemetry-outside-root", "telemetry-provider-unknown", "telemetry-zero-percent",
                "telemetry-default-percent", "telemetry-disabled"});
  EXPECT_EQ(first_fix("telemetry-zero-percent"),
            R"(kubectl -n istio-system patch telemetry mesh-default --type merge -p '{"spec":{"tracing":[{"providers":)"
            R"([{"name":"otel-tracing"}],"randomSamplingPercentage":100}]}}')");
}

TEST(Doctor, ProviderIsJudgedByNameHostPortAndPath) {
  proof::claim({"M-13", "M-19", "D-02", "F-4", "F-1"}, Polarity::kNegative, ProofKind::kSimulated);
  expect_alone({"provider-missing", "provider-service-unknown", "registry-only", "provider-port-unknown",
                "provider-transport", "provider-path-wrong", "provider-port-not-http2", "collector-receives-nothing"});
  EXPECT_NE(first_fix("provider-service-unknown").find("opentelemetry-collector.observability.svc.cluster.local"),
            std::string::npos);
}

TEST(Doctor, ACollectorOutsideIsNotTakenForTheOneInside) {
  ClusterEvidence evidence = healthy_cluster();
  injection("registry-only").inject(evidence);
  injection("collector-secret-missing").inject(evidence);
  EXPECT_EQ(found_in(evidence), (Ids{"collector-secret-missing", "registry-only"})) << "the one inside is meant";
  evidence.service_entries.value = {"otlp.vendor.example"};
  EXPECT_EQ(found_in(evidence), Ids{}) << "the one outside is, and nobody sends to the other";
}

TEST(Doctor, ATelemetryResourceIsPrintedWithTheProviderAskedFor) {
  ClusterEvidence evidence = healthy_cluster();
  injection("provider-missing").inject(evidence);
  injection("telemetry-outside-root").inject(evidence);
  const Diagnosis diagnosis = diagnose(evidence);
  ASSERT_EQ(diagnosis.causes.size(), 2u);
  EXPECT_NE(diagnosis.causes[1].fix.front().find(R"("name":"otel-tracing")"), std::string::npos);
}

TEST(Doctor, RevisionsAreConsidered) {
  ClusterEvidence evidence = healthy_cluster();
  MeshConfigFact revision;
  revision.config_map = "istio-1-31";
  revision.revision = "1-31";
  evidence.mesh_configs.value.push_back(revision);
  EXPECT_EQ(found_in(evidence), Ids{}) << "no control plane of that revision is there";
  DeploymentFact istiod = evidence.deployments.value.front();
  istiod.name = "istiod-1-31";
  istiod.pod_labels["istio.io/rev"] = "1-31";
  evidence.deployments.value.push_back(istiod);
  const Diagnosis diagnosis = diagnose(evidence);
  EXPECT_EQ(ids_of(diagnosis), Ids{"provider-missing"});
  EXPECT_EQ(diagnosis.causes.at(0).subject, "istio-1-31/otel-tracing");
}

TEST(Doctor, MissingSidecarsAreToldApart) {
  proof::claim({"O-05", "O-06", "F-2", "F-2b", "F-2c"}, Polarity::kNegative, ProofKind::kSimulated);
  expect_alone({"sidecar-label-late", "sidecar-opted-out", "sidecar-webhook-missing", "sidecar-webhook-failing"});
  const Diagnosis late = diagnosis_with("sidecar-label-late");
  EXPECT_EQ(late.causes.at(0).fix, Ids{"kubectl rollout restart deployment/cart -n late"});
  EXPECT_EQ(late.causes.at(0).evidence,
            Ids{"cart-5f7c9-x2v4k (Deployment/cart): made 1970-01-12T13:45:40Z, label since 1970-01-12T13:46:40Z"});
}

TEST(Doctor, FailedExportsAreToldApart) {
  proof::claim({"F-1b"}, Polarity::kNegative, ProofKind::kSimulated);
  expect_alone({"export-auth", "export-tls", "export-address", "export-failing"});
}

TEST(Doctor, FailuresOfLongAgoAreNoCause) {
  ClusterEvidence evidence = healthy_cluster();
  evidence.collectors.front().counters.value = {100, 0, 60, 40, 0};
  EXPECT_EQ(found_in(evidence), Ids{}) << "the log is silent";
  evidence.collectors.front().counters.value = {100, 0, 100, 0, 0};
  evidence.collectors.front().log.value.address = 5;
  EXPECT_EQ(found_in(evidence), Ids{}) << "all was delivered in the end";
}

TEST(Doctor, ACollectorThatCannotBeReadDoesNotHideAnother) {
  ClusterEvidence evidence = healthy_cluster();
  CollectorEvidence unread = evidence.collectors.front();
  unread.service = "another";
  unread.counters = Seen<CollectorCounters>::none("no answer");
  injection("export-auth").inject(evidence);
  evidence.collectors.insert(evidence.collectors.begin(), unread);
  EXPECT_EQ(found_in(evidence), Ids{"export-auth"});
  evidence = healthy_cluster();
  evidence.collectors.insert(evidence.collectors.begin(), unread);
  const Diagnosis diagnosis = diagnose(evidence);
  EXPECT_EQ(ids_of(diagnosis), Ids{});
  EXPECT_EQ(exit_code_of(diagnosis), 2) << "not every probe could look";
}

TEST(Doctor, SilenceWithoutTrafficIsNoCause) {
  ClusterEvidence evidence = healthy_cluster();
  evidence.collectors.front().counters.value = {};
  for (ProxyCounter& proxy : evidence.proxies.value) proxy.spans_sent = 0;
  const Diagnosis diagnosis = diagnose(evidence);
  EXPECT_EQ(ids_of(diagnosis), Ids{});
  EXPECT_EQ(exit_code_of(diagnosis), 0);
  evidence = healthy_cluster();
  evidence.collectors.front().counters.value = {};
  for (PodFact& pod : evidence.pods.value) {
    if (pod.ns == "observability") pod.created += 3600;
  }
  EXPECT_EQ(found_in(evidence), Ids{}) << "the Collector is younger than the traffic";
}

TEST(Doctor, SymptomIsClassedByItsWorstCause) {
  proof::claim({"F-0"}, Polarity::kNegative, ProofKind::kSimulated);
  EXPECT_EQ(diagnosis_with("telemetry-zero-percent").symptom, Symptom::kNoData);
  EXPECT_EQ(diagnosis_with("telemetry-outside-root").symptom, Symptom::kPartial);
  EXPECT_EQ(diagnosis_with("run-propagation").symptom, Symptom::kDisconnected);
  EXPECT_EQ(diagnosis_with("run-names").symptom, Symptom::kWrongNames);
}

TEST(Doctor, ARunNamesServiceAndHeader) {
  proof::claim({"F-5"}, Polarity::kNegative, ProofKind::kSimulated);
  expect_alone({"run-propagation"});
  EXPECT_EQ(diagnosis_with("run-propagation").causes.at(0).what, "service checkout does not forward traceparent");
}

bool meet(const Injection& a, const Injection& b) {
  const auto in = [](const std::set<std::string>& names, const std::set<std::string>& others) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return others.count(name) > 0; });
  };
  return in(a.changes, b.changes) || in(a.changes, b.needs) || in(b.changes, a.needs);
}

bool explains(const std::string& a, const std::string& b) {
  if ((b == "run-no-data" || b == "run-partial") && a.rfind("run-", 0) != 0) return true;
  const auto& ids = cause_catalogue()[rank_of(a)].explains;
  return std::find(ids.begin(), ids.end(), b) != ids.end();
}

TEST(Doctor, EveryPairIsNamedAndNothingElse) {
  size_t pairs = 0, explained = 0;
  for (const Injection& a : injections()) {
    for (const Injection& b : injections()) {
      if (&a >= &b || meet(a, b)) continue;
      ClusterEvidence evidence = healthy_cluster();
      a.inject(evidence);
      b.inject(evidence);
      Ids expected = {a.cause, b.cause};
      if (explains(a.cause, b.cause)) expected = {a.cause};
      if (explains(b.cause, a.cause)) expected = {b.cause};
      if (expected.size() == 1) ++explained;
      std::sort(expected.begin(), expected.end());
      ++pairs;
      EXPECT_EQ(found_in(evidence), expected) << a.cause << " and " << b.cause;
    }
  }
  EXPECT_GT(pairs, 400u);
  EXPECT_GT(explained, 40u);
}

TEST(Doctor, MissingEvidenceSkipsItsProbesAloneAndIsNoPass) {
  ClusterEvidence evidence = healthy_cluster();
  injection("telemetry-zero-percent").inject(evidence);
  evidence.services = Seen<std::vector<ServiceFact>>::none("no permission to get /api/v1/services (403)");
  Diagnosis diagnosis = diagnose(evidence);
  EXPECT_EQ(ids_of(diagnosis), Ids{"telemetry-zero-percent"}) << "the rest goes on";
  std::map<std::string, std::string> reasons;
  for (const ProbeResult& probe : diagnosis.probes) {
    if (probe.blind) reasons[probe.id] = probe.reason;
  }
  EXPECT_EQ(reasons.size(), 5u);
  EXPECT_EQ(reasons["address"], "no permission to get /api/v1/services (403)");
  evidence = healthy_cluster();
  evidence.services = Seen<std::vector<ServiceFact>>::none("no permission");
  EXPECT_EQ(exit_code_of(diagnose(evidence)), 2);
  EXPECT_EQ(exit_code_of(diagnose(ClusterEvidence{})), 3) << "nothing could be looked at";
}

TEST(Doctor, AHostOutsideIsNotBlamedWhileServiceEntriesCannotBeRead) {
  for (const char* cause : {"registry-only", "provider-service-unknown"}) {
    ClusterEvidence evidence = healthy_cluster();
    evidence.service_entries = Seen<std::vector<std::string>>::none("no permission");
    EXPECT_EQ(exit_code_of(diagnose(evidence)), 0) << "the Collector is inside: they do not matter";
    injection(cause).inject(evidence);
    const Diagnosis diagnosis = diagnose(evidence);
    EXPECT_EQ(ids_of(diagnosis), Ids{}) << cause;
    EXPECT_EQ(exit_code_of(diagnosis), 2) << cause;
  }
}

TEST(Doctor, TheReferenceHasALineForEachCause) {
  const auto pages = testing::read_tree({"docs/reference/doctor.md"});
  ASSERT_EQ(pages.size(), 1u);
  for (const CauseInfo& cause : cause_catalogue())
    EXPECT_NE(pages[0].text.find("| `" + std::string(cause.id) + "` |"), std::string::npos) << cause.id;
}

TEST(Doctor, BothFormsSayTheSame) {
  const Diagnosis diagnosis = diagnosis_with("telemetry-zero-percent");
  const std::string text = to_text(diagnosis), json = to_json(diagnosis);
  EXPECT_NE(text.find("symptom: no data; 1 cause\n"), std::string::npos) << text;
  EXPECT_NE(
      text.find("1. Telemetry istio-system/mesh-default samples 0 % of requests [telemetry-zero-percent, no data]"),
      std::string::npos)
      << text;
  EXPECT_NE(json.find("\"id\": \"telemetry-zero-percent\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"exitCode\": 1"), std::string::npos) << json;
}

}  // namespace
}  // namespace hopcheck::doctor
