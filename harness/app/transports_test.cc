// Row M-15 by real runs: the same journeys over OTLP/gRPC and OTLP/HTTP have equal signatures, a run with a lost
// traceparent has another. Not part of ctest: scripts/ci/local makes the runs and names their directories in
// HOPCHECK_CI_RUN, HOPCHECK_CI_RUN_HTTP and HOPCHECK_CI_RUN_CUT.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "preview/compare_runs.h"
#include "report/json.h"
#include "testing/claims.h"

namespace hopcheck {
namespace {

RunResult run_in(const char* variable) {
  const char* directory = std::getenv(variable);
  EXPECT_NE(directory, nullptr) << variable << " must name the directory of a run";
  if (directory == nullptr) return {};
  std::ifstream file(std::string(directory) + "/run.json", std::ios::binary);
  auto run = report::from_json(std::string(std::istreambuf_iterator<char>(file), {}));
  EXPECT_TRUE(run) << directory << ": " << (run ? "" : run.error().what);
  return run ? std::move(*run) : RunResult{};
}

class Transports : public ::testing::Test {
 protected:
  void SetUp() override {
    grpc_ = run_in("HOPCHECK_CI_RUN");
    ASSERT_EQ(grpc_.environment.transport, "grpc");
  }
  void claim(Polarity polarity) const {
    const ProofKind kind = grpc_.provider == "local" ? ProofKind::kLocal : ProofKind::kLive;
    proof::claim({"M-15"}, polarity, kind, {grpc_.environment.istio, ""});
  }
  RunResult grpc_;
};

TEST_F(Transports, BothLeaveEqualSignatures) {
  claim(Polarity::kPositive);
  const RunResult http = run_in("HOPCHECK_CI_RUN_HTTP");
  ASSERT_EQ(http.environment.transport, "http");
  const preview::RunComparison comparison = preview::compare_runs(grpc_, http);
  ASSERT_EQ(comparison.scenarios.size(), 1u);
  EXPECT_GT(comparison.scenarios[0].kinds, 5u);
  EXPECT_GT(comparison.scenarios[0].first_traces, 0u);
  EXPECT_EQ(comparison.predicted + comparison.unpredicted, 0u)
      << preview::to_text(comparison, grpc_, http, {"grpc", "http"});
}

TEST_F(Transports, ALostTraceparentHasAnother) {
  claim(Polarity::kNegative);
  const preview::RunComparison comparison = preview::compare_runs(grpc_, run_in("HOPCHECK_CI_RUN_CUT"));
  ASSERT_EQ(comparison.scenarios.size(), 1u);
  EXPECT_GT(comparison.unpredicted, 0u);
}

}  // namespace
}  // namespace hopcheck
