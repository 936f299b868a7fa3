// What each kind of export provider does in a running mesh: proxies that export straight to sinks of ours, each by a
// provider of its own (app/live_lab.h). Not part of ctest: scripts/ci/standing runs it with the id of its environment
// in HOPCHECK_CI_ENV. No judge has a part in it: what the sinks hold is compared with what was driven and with what the
// proxies count.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "app/live_lab.h"
#include "app/test_backend.h"
#include "base/text.h"
#include "check/span_info.h"
#include "testing/claims.h"

namespace hopcheck {
namespace {

constexpr int kRequests = 10;

[[maybe_unused]] Lab& register_lab = Lab::the();

class Exporters : public ::testing::Test {
 protected:
  // One drive and one look at the sink serve all tests.
  static void SetUpTestSuite() {
    Lab& lab = Lab::the();
    for (const LabApp& app : lab_apps()) lab.drive(app.name, kRequests);
    for (const LabApp& app : lab_apps()) {
      if (std::string(app.name) != "wrong-service") lab.expect_sent(app.name);
    }
    LiveSink vendor(lab.cluster, "vendor");
    EXPECT_TRUE(wait_for([&] { return vendor.count("/spans") >= 6u * kRequests; }, 10'000)) << vendor.status();
    capture_ = vendor.capture();
    status_ = nlohmann::json::parse(vendor.status(), nullptr, false);
    for (const StoredExport& one : capture_.exports) {
      if (one.spans.empty()) continue;
      const std::string pod(check::proxy_key(one.spans[0]));
      for (const auto& [app, name] : lab.pods) {
        if (pod == name + "." + kLab) exports_[app].push_back(&one);
      }
    }
    causes_ = lab.cluster.diagnose();
  }
  static void TearDownTestSuite() {
    exports_.clear();
    capture_ = {};
  }
  void SetUp() override { istio_ = {Lab::the().cluster.record().istio_version, ""}; }

  static size_t spans_of(const std::string& app) {
    size_t sum = 0;
    for (const StoredExport* one : exports_[app]) sum += one->spans.size();
    return sum;
  }
  // On every export of this app; "" where it is on none, "(differs)" where they disagree.
  static std::string header_of(const std::string& app) {
    std::set<std::string> values;
    for (const StoredExport* one : exports_[app]) {
      const auto found = one->headers.find("custom-header");
      values.insert(found == one->headers.end() ? "" : found->second);
    }
    return values.size() == 1 ? *values.begin() : values.empty() ? "(no export)" : "(differs)";
  }
  // The same for an attribute of the resource.
  static std::string resource_of(const std::string& app, const std::string& key) {
    std::set<std::string> values;
    for (const StoredExport* one : exports_[app]) {
      for (const Span& span : one->spans) values.emplace(span.resource->attributes.text(key));
    }
    return values.size() == 1 ? *values.begin() : values.empty() ? "(no export)" : "(differs)";
  }
  static bool all_by(const std::string& app, store::FrameTransport transport) {
    for (const StoredExport* one : exports_[app]) {
      if (one->transport != transport) return false;
    }
    return !exports_[app].empty();
  }
  static std::string said() {
    std::string out;
    for (const std::string& cause : causes_) out += cause + "\n";
    return out + status_.dump();
  }
  static uint64_t mismatches(const std::string& kind) {
    return status_.value(nlohmann::json::json_pointer("/mismatches/" + kind), uint64_t{0});
  }

  proof::Versions istio_;
  static StoredCapture capture_;
  static nlohmann::json status_;
  static std::map<std::string, std::vector<const StoredExport*>> exports_;
  static std::set<std::string> causes_;
};
StoredCapture Exporters::capture_;
nlohmann::json Exporters::status_;
std::map<std::string, std::vector<const StoredExport*>> Exporters::exports_;
std::set<std::string> Exporters::causes_;

TEST_F(Exporters, OverGrpcEverySpanArrives) {
  proof::claim({"M-10"}, Polarity::kPositive, ProofKind::kLive, istio_);
  proof::claim({"M-19", "D-02"}, Polarity::kNegative, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("grpc"), kRequests);
  EXPECT_TRUE(all_by("grpc", store::FrameTransport::kGrpc));
  EXPECT_EQ(causes_.count("provider-port-not-http2 hopcheck-lab/vendor:4317"), 0u) << said();
  EXPECT_EQ(causes_.count("provider-service-unknown " + std::string(kVendor)), 0u) << said();
}

TEST_F(Exporters, GrpcToThePortOfHttpDeliversNothing) {
  proof::claim({"M-10"}, Polarity::kNegative, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("grpc-to-http"), 0u);
  EXPECT_EQ(causes_.count("provider-transport " + std::string(kVendor) + ":4318"), 1u) << said();
}

TEST_F(Exporters, OverHttpEverySpanArrivesWithTheHeaderOnEachRequest) {
  proof::claim({"M-11", "M-12"}, Polarity::kPositive, ProofKind::kLive, istio_);
  proof::claim({"M-13"}, Polarity::kNegative, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("http"), kRequests);
  EXPECT_TRUE(all_by("http", store::FrameTransport::kHttp));
  EXPECT_EQ(header_of("http"), "custom value");
  EXPECT_EQ(causes_.count("provider-path-wrong lab-http"), 0u) << said();
}

TEST_F(Exporters, HttpToThePortOfGrpcDeliversNothing) {
  proof::claim({"M-11"}, Polarity::kNegative, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("http-to-grpc"), 0u);
  EXPECT_EQ(causes_.count("provider-transport " + std::string(kVendor) + ":4317"), 1u) << said();
}

TEST_F(Exporters, WithoutHeadersOfItsOwnAProviderSendsNone) {
  proof::claim({"M-12"}, Polarity::kNegative, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("patient"), kRequests);
  EXPECT_EQ(header_of("patient"), "");
}

TEST_F(Exporters, AnotherPathGets404AndIsNamed) {
  proof::claim({"M-13"}, Polarity::kPositive, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("other-path"), 0u);
  EXPECT_GT(mismatches("wrong-path"), 0u) << said();
  EXPECT_EQ(causes_.count("provider-path-wrong lab-other-path"), 1u) << said();
}

TEST_F(Exporters, GrpcToAPortThatDoesNotSaySoFailsWholly) {
  proof::claim({"D-02"}, Polarity::kPositive, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("unnamed-port"), 0u);
  EXPECT_GT(mismatches("http1-on-grpc"), 0u) << said();
  EXPECT_EQ(causes_.count("provider-port-not-http2 hopcheck-lab/vendor:4319"), 1u) << said();
}

TEST_F(Exporters, AServiceThatIsNotThereGivesNoSpansAndIsNamed) {
  proof::claim({"M-19"}, Polarity::kPositive, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("wrong-service"), 0u);
  EXPECT_GT(Lab::the().cluster.lookup_failures(), Lab::the().lookup_failures_before) << "istiod counts it";
  EXPECT_EQ(causes_.count("provider-service-unknown vendr.hopcheck-lab.svc.cluster.local"), 1u) << said();
}

// Istio has initialMetadata since 1.24.
TEST_F(Exporters, GrpcMetadataAndValuesFromVariablesAreSent) {
  const auto parts = split(istio_.istio, '.');
  ASSERT_GE(parts.size(), 2u) << istio_.istio;
  if (std::stoi(std::string(parts[1])) < 24) GTEST_SKIP() << "Istio " << istio_.istio << " has neither";
  proof::claim({"D-03"}, Polarity::kPositive, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("metadata"), kRequests);
  EXPECT_TRUE(all_by("metadata", store::FrameTransport::kGrpc));
  EXPECT_EQ(header_of("metadata"), "custom value");
  EXPECT_EQ(spans_of("variable"), kRequests);
  EXPECT_EQ(header_of("variable"), "istio-system") << "istiod's own variable POD_NAMESPACE";
}

TEST_F(Exporters, WithoutMetadataNoneIsSent) {
  proof::claim({"D-03"}, Polarity::kNegative, ProofKind::kLive, istio_);
  EXPECT_EQ(header_of("grpc"), "");
}

// All apps have OTEL_RESOURCE_ATTRIBUTES in their proxies; the provider of one detects it.
TEST_F(Exporters, VariablesOfTheProxyAreOnTheResourceWhereTheProviderDetectsThem) {
  proof::claim({"M-18"}, Polarity::kPositive, ProofKind::kLive, istio_);
  EXPECT_EQ(spans_of("resource"), kRequests);
  EXPECT_EQ(resource_of("resource", "lab.variable"), "seen");
}

TEST_F(Exporters, AndNowhereElse) {
  proof::claim({"M-18"}, Polarity::kNegative, ProofKind::kLive, istio_);
  EXPECT_EQ(resource_of("grpc", "lab.variable"), "");
}

// Row M-14, by answers that change over time. Each provider's own timeout is what counts.
class Timeouts : public ::testing::Test {
 protected:
  void SetUp() override { istio_ = {Lab::the().cluster.record().istio_version, ""}; }
  void TearDown() override { vendor_.answer_with(""); }
  uint64_t stored() { return vendor_.count("/spans"); }

  Lab& lab_ = Lab::the();
  LiveSink vendor_{lab_.cluster, "vendor"};
  proof::Versions istio_;
};

TEST_F(Timeouts, AReceiverThatIsFasterLosesNothing) {
  proof::claim({"M-14"}, Polarity::kPositive, ProofKind::kLive, istio_);
  const uint64_t before = stored();
  vendor_.answer_with("    - {delay: 3s}\n");
  lab_.drive("http", kRequests);
  lab_.expect_sent("http");
  EXPECT_TRUE(wait_for([&] { return stored() == before + kRequests; }, 10'000)) << stored() - before;
}

TEST_F(Timeouts, ASlowerOneLosesExactlyWhatDoesNotWait) {
  proof::claim({"M-14"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const uint64_t before = stored(), refused = vendor_.count("/refused_spans");
  vendor_.answer_with("    - {delay: 6500ms}\n");
  lab_.drive("http", kRequests);
  lab_.drive("patient", kRequests);  // waits nine seconds
  lab_.expect_sent("http");
  lab_.expect_sent("patient");
  EXPECT_TRUE(wait_for([&] { return stored() == before + kRequests; }, 15'000)) << stored() - before;
  EXPECT_TRUE(wait_for([&] { return vendor_.count("/refused_spans") == refused + kRequests; }, 10'000));
  EXPECT_GT(vendor_.count("/refused_by_reason/too-late"), 0u) << vendor_.status();
  EXPECT_EQ(stored(), before + kRequests);
}

// Row M-17: what enableTracing does beside a Telemetry resource. That a change is in force shows by the header, which
// is changed with it.
class EnableTracing : public ::testing::Test {
 protected:
  void SetUp() override { istio_ = {Lab::the().cluster.record().istio_version, ""}; }
  bool arrives_with(const std::string& header) {
    return wait_for([&] {
      lab_.drive("http", 5);
      lab_.expect_sent("http");
      for (const StoredExport& one : vendor_.capture().exports) {
        const auto found = one.headers.find("custom-header");
        if (found != one.headers.end() && found->second == header) return true;
      }
      return false;
    }, 20'000);
  }

  Lab& lab_ = Lab::the();
  LiveSink vendor_{lab_.cluster, "vendor"};
  proof::Versions istio_;
};

TEST_F(EnableTracing, IsThereAndSpansArrive) {
  proof::claim({"M-17"}, Polarity::kPositive, ProofKind::kLive, istio_);
  const std::string mesh = lab_.cluster.text_at("/api/v1/namespaces/istio-system/configmaps/istio", "/data/mesh");
  EXPECT_NE(("\n" + mesh).find("\nenableTracing: true\n"), std::string::npos) << mesh;
  EXPECT_TRUE(arrives_with("custom value"));
}

TEST_F(EnableTracing, FalseAndAbsentChangeNothingBesideATelemetryResource) {
  proof::claim({"M-17"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const std::string header = "{path: /v1/traces, timeout: 5s, headers: [{name: custom-header, value: ";
  lab_.change_mesh("enableTracing: true\n", "enableTracing: false\n");
  lab_.change_mesh(header + "custom value", header + "while false");
  EXPECT_TRUE(arrives_with("while false"));
  lab_.change_mesh("enableTracing: false\n", "");
  lab_.change_mesh(header + "while false", header + "while absent");
  EXPECT_TRUE(arrives_with("while absent"));
}

}  // namespace
}  // namespace hopcheck
