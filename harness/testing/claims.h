// A test says which conformance rows it proves; the claim is recorded when the test has ended, by how it ended: passed,
// it held; failed, it did not; skipped, nothing is recorded. Link hopcheck_testing (TEST_LIBS). Example:
//
//   TEST(Nesting, AppServerLiesUnderTheMeshServer) {
//     proof::claim({"O-62"}, Polarity::kPositive, ProofKind::kCapture, {"1.30", "1.38"});
//
// Claim only what the assertions of that very test decide. Where records go: store/proofs.h. The namespace is not
// hopcheck::testing, which would hide GoogleTest's own from the tests.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "model/proof.h"

namespace hopcheck::proof {

struct Versions {
  std::string istio, envoy;  // of the mesh whose spans were judged; "" where there was none
};

// To be called inside a running test, first thing in it; again for further claims. The result's id is
// "test Suite.Name".
void claim(std::initializer_list<std::string_view> rows, Polarity polarity, ProofKind kind,
           const Versions& versions = {});

}  // namespace hopcheck::proof
