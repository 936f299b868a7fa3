#include "mesh/ingress.h"

#include <gtest/gtest.h>

#include "testing/claims.h"

namespace hopcheck::mesh {
namespace {

// A gateway's Service as API servers with and without a load balancer give it.
std::string service(const std::string& status, const std::string& node_port = R"(,"nodePort":30080)") {
  return R"({"kind":"Service","spec":{"type":"LoadBalancer","ports":[{"name":"status-port","port":15021},)"
         R"({"name":"http2","port":80)" +
         node_port + R"(},{"name":"https","port":443}]},"status":{"loadBalancer":)" + status + "}}";
}

TEST(Ingress, TheLoadBalancersAddressIsTaken) {
  proof::claim({"M-96"}, Polarity::kPositive, ProofKind::kSimulated);
  const auto address = ingress_address(service(R"({"ingress":[{"ip":"192.168.1.100"}]})"), {"http2", 31000});
  ASSERT_TRUE(address) << address.error().what;
  EXPECT_EQ(address->host, "192.168.1.100");
  EXPECT_EQ(address->port, 80);
  EXPECT_FALSE(address->fallback);
  EXPECT_EQ(address->how, "the load balancer's address");
}

TEST(Ingress, AHostNameOrNothingGivesAFallBackThatIsStated) {
  proof::claim({"M-96"}, Polarity::kNegative, ProofKind::kSimulated);
  const auto named = ingress_address(service(R"({"ingress":[{"hostname":"lb.example"}]})"), {"http2", 31000});
  ASSERT_TRUE(named);
  EXPECT_EQ(named->host, "lb.example");
  EXPECT_TRUE(named->fallback);
  EXPECT_NE(named->how.find("host name"), std::string::npos);
  for (const char* pending : {"{}", R"({"ingress":[]})", R"({"ingress":[{}]})", "null"}) {
    const auto forwarded = ingress_address(service(pending), {"http2", 31000});
    ASSERT_TRUE(forwarded) << pending;
    EXPECT_EQ(forwarded->host, "127.0.0.1");
    EXPECT_EQ(forwarded->port, 31000);
    EXPECT_TRUE(forwarded->fallback);
    EXPECT_EQ(forwarded->how,
              "fall-back: no load balancer gave an address, so 127.0.0.1:31000, which kind maps to NodePort 30080");
  }
}

TEST(Ingress, NoWayInIsAnErrorWithAFix) {
  const auto none = ingress_address(service("{}"), {});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().why.find("nothing leads to NodePort 30080"), std::string::npos) << none.error().why;
  EXPECT_NE(none.error().fix.find("port-forward"), std::string::npos);
  const auto bare = ingress_address(service("{}", ""), {"http2", 31000});
  ASSERT_FALSE(bare);
  EXPECT_NE(bare.error().why.find("no nodePort"), std::string::npos);
}

TEST(Ingress, APortIsFoundByItsNameOrRefused) {
  const auto none = ingress_address(service(R"({"ingress":[{"ip":"10.0.0.1"}]})"), {"http3", 31000});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what, "the gateway's Service has no port named http3");
  EXPECT_EQ(none.error().why, "its ports are: status-port, http2, https");
  for (const char* text : {"", "[]", "{}", R"({"spec":{"ports":"x"}})"}) EXPECT_FALSE(ingress_address(text, {}));
}

}  // namespace
}  // namespace hopcheck::mesh
