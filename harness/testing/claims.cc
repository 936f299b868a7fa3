#include "testing/claims.h"

#include <gtest/gtest.h>

#include <vector>

#include "store/proofs.h"

namespace hopcheck::proof {
namespace {

// Waits for the end of the test: only then is it known whether it passed, clean-up and exceptions included.
class Recorder : public ::testing::EmptyTestEventListener {
 public:
  void add(Proof proof) { claims_.push_back(std::move(proof)); }

  void OnTestEnd(const ::testing::TestInfo& test) override {
    for (Proof& proof : claims_) {
      if (test.result()->Skipped()) continue;
      proof.held = test.result()->Passed();
      proof.verdict = proof.held ? "pass" : "fail";
      if (const auto recorded = store::append_proof(proof); !recorded)
        std::fputs(to_text(recorded.error()).c_str(), stderr);
    }
    claims_.clear();
  }

 private:
  std::vector<Proof> claims_;
};

Recorder& recorder() {
  static Recorder* const kRecorder = [] {
    auto* made = new Recorder;  // GoogleTest owns and deletes it
    ::testing::UnitTest::GetInstance()->listeners().Append(made);
    return made;
  }();
  return *kRecorder;
}

}  // namespace

void claim(std::initializer_list<std::string_view> rows, Polarity polarity, ProofKind kind, const Versions& versions) {
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) {
    ADD_FAILURE() << "a claim is made inside a test";
    return;
  }
  for (const std::string_view row : rows) {
    Proof proof;
    proof.row = row;
    proof.polarity = polarity;
    proof.result = std::string("test ") + test->test_suite_name() + "." + test->name();
    proof.kind = kind;
    proof.istio = versions.istio;
    proof.envoy = versions.envoy;
    recorder().add(std::move(proof));
  }
}

}  // namespace hopcheck::proof
