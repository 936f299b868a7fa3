// What the walkthrough says of its Collector holds for its manifest, as documented and rewritten, and each claim is
// missed where it does not hold.
#include "otelcol/claims.h"

#include <set>

#include "otelcol/rewrite.h"
#include "otelcol/walkthrough_test.h"
#include "testing/claims.h"

namespace hopcheck::otelcol {
namespace {

std::string broken(const std::string& text, const Version& version = {0, 54, 0}) {
  ClaimContext context;
  context.version = version;
  std::string out;
  for (const Finding& finding : find_broken_claims(must_read(text), context))
    out += finding.row + " " + std::to_string(finding.line) + ": " + finding.what + "\n";
  return out;
}

TEST(CollectorClaims, HoldForTheWalkthroughsManifest) {
  proof::claim({"M-03", "M-30", "M-31", "M-33"}, Polarity::kPositive, ProofKind::kSource);
  EXPECT_EQ(broken(filled()), "");
  EXPECT_EQ(listening_ports(must_read(filled()).configurations[0]), (std::vector<int>{4317, 4318, 13133}));
}

TEST(CollectorClaims, HoldForTheRewrittenManifest) {
  proof::claim({"M-30", "M-31", "M-33"}, Polarity::kPositive, ProofKind::kSource);
  const auto current = rewrite(filled(), "otel.yaml", {0, 161, 0});
  ASSERT_TRUE(current);
  EXPECT_EQ(broken(current->text, {0, 161, 0}), "");
}

struct Change {
  const char *from, *to, *told;
};

void each_is_told(std::initializer_list<Change> changes) {
  for (const Change& change : changes) EXPECT_EQ(broken(with(filled(), change.from, change.to)), change.told);
}

TEST(CollectorClaims, TheConfigurationIsHeldToItsClaims) {
  proof::claim({"M-30"}, Polarity::kNegative, ProofKind::kSource);
  each_is_told({
      {"          http:\n", "", "M-30 12: the walkthrough has an otlp receiver on http\n"},
      {"      batch:\n", "      other:\n", "M-30 15: the walkthrough has the processor batch\n"},
      {"port: 13133", "port: 13134", "M-30 27: the walkthrough has a health check on 13133\n"},
      {"      extensions:\n        - health_check\n", "",
       "M-30 29: the walkthrough has health_check among the service's extensions\n"},
      {"processors: [batch]", "processors: []",
       "M-30 33: the walkthrough has the pipeline logs from otlp, processors batch, to logging\n"},
      {"            - logging\n", "",
       "M-30 37: the walkthrough has the pipeline traces from otlp, processors none, to logging, otlp\n"},
  });
}

TEST(CollectorClaims, TheServiceIsHeldToItsClaims) {
  proof::claim({"M-31"}, Polarity::kNegative, ProofKind::kSource);
  each_is_told({
      {"port: 4318\n      protocol: TCP\n      targetPort: 4318", "port: 4318\n      targetPort: 4319",
       "M-31 51: the walkthrough has the Service port http-otlp 4318/TCP to the same port of the pod\n"},
      {"    - name: grpc-otlp #", "    - name: otlp #",
       "M-31 51: the walkthrough has the Service port grpc-otlp 4317/TCP to the same port of the pod\n"},
      {"  selector:\n    app: opentelemetry-collector", "  selector:\n    app: otel",
       "M-31 64: the walkthrough has spec.selector.app: opentelemetry-collector\n"},
  });
}

TEST(CollectorClaims, TheDeploymentIsHeldToItsClaims) {
  proof::claim({"M-33"}, Polarity::kNegative, ProofKind::kSource);
  each_is_told({
      {"inject: \"false\"", "inject: \"true\"",
       "M-32 83: the walkthrough has spec.template.metadata.labels.sidecar.istio.io/inject: false\n"},
      {"collector:0.54.0", "collector:0.55.0", "M-33 102: the walkthrough has an image of Collector 0.54.0\n"},
      {"IfNotPresent", "Always", "M-33 103: the walkthrough has imagePullPolicy: IfNotPresent\n"},
      {"memory: 4Gi", "memory: 1Gi", "M-33 116: the walkthrough has resources.limits.memory: 4Gi\n"},
      {"cpu: 200m", "cpu: 100m", "M-33 118: the walkthrough has resources.requests.cpu: 200m\n"},
      {"maxSurge: 1", "maxSurge: 2", "M-33 76: the walkthrough has spec.strategy.rollingUpdate.maxSurge: 1\n"},
      {"PeriodSeconds: 30", "PeriodSeconds: 3",
       "M-33 128: the walkthrough has spec.template.spec.terminationGracePeriodSeconds: 30\n"},
      {"mountPath: /conf", "mountPath: /etc", "M-33 123: the walkthrough has its configuration mounted at /conf\n"},
      {"name: POD_NAMESPACE", "name: NAMESPACE",
       "M-33 92: the walkthrough has the variable POD_NAMESPACE from metadata.namespace\n"},
  });
}

TEST(CollectorClaims, AnotherNamespaceIsTold) {
  EXPECT_EQ(broken(with(filled(), "metadata:\n  name: opentelemetry-collector-conf",
                        "metadata:\n  namespace: default\n  name: opentelemetry-collector-conf")),
            "M-35 4: the walkthrough has its objects in the namespace observability\n");
}

TEST(CollectorClaims, AnExporterWithoutTheTokensHeaderIsTold) {
  proof::claim({"M-03"}, Polarity::kNegative, ProofKind::kSource);
  EXPECT_EQ(broken(with(filled(), "Authentication:", "X-Other:")),
            "M-03 18: the exporter to the backend has no header `Authentication`: the token is missing\n");
}

TEST(CollectorClaims, AFileThatIsTheConfigurationAloneLacksTheRest) {
  const Manifest alone = must_read("receivers: {}\nexporters: {}\n");
  std::set<std::string> rows;
  for (const Finding& finding : find_broken_claims(alone, {})) rows.insert(finding.row);
  EXPECT_EQ(rows, (std::set<std::string>{"M-30", "M-31", "M-32", "M-33"}));
}

}  // namespace
}  // namespace hopcheck::otelcol
