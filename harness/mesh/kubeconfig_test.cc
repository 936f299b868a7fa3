#include "mesh/kubeconfig.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace hopcheck::mesh {
namespace {

std::string kubeconfig(const std::string& user) {
  return "current-context: here\n"
         "contexts: [{name: here, context: {cluster: c, user: u}}]\n"
         "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:6443', certificate-authority-data: Q0E=}}]\n"
         "users: [{name: u, user: {" +
         user + "}}]\n";
}

TEST(Kubeconfig, CertificateOrTokenLogsIn) {
  const auto certificate = parse_kubeconfig(kubeconfig("client-certificate-data: QQ==, client-key-data: Qg=="));
  ASSERT_TRUE(certificate);
  EXPECT_EQ(certificate->ca_pem, "CA");
  EXPECT_EQ(certificate->certificate_pem, "A");
  EXPECT_EQ(certificate->key_pem, "B");
  EXPECT_EQ(certificate->token, "");
  const auto token = parse_kubeconfig(kubeconfig("token: abc"));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->token, "abc");
}

TEST(Kubeconfig, FilesAreFoundBesideIt) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "kubeconfig-test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "token") << "from-a-file\n";
  std::ofstream(folder / "config") << kubeconfig("tokenFile: token");
  const auto config = load_kubeconfig((folder / "config").string());
  ASSERT_TRUE(config) << config.error().why;
  EXPECT_EQ(config->token, "from-a-file");
  std::filesystem::remove_all(folder);
}

TEST(Kubeconfig, PluginsAndLackingCredentialsAreNamed) {
  const auto plugin = parse_kubeconfig(kubeconfig("exec: {command: login}"));
  ASSERT_FALSE(plugin);
  EXPECT_EQ(plugin.error().why, "its user logs in through a plugin");
  const auto nothing = parse_kubeconfig(kubeconfig("client-certificate-data: QQ=="));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().why, "it lacks a server, a CA, or a client certificate or token");
  EXPECT_FALSE(parse_kubeconfig("{}"));
  EXPECT_FALSE(parse_kubeconfig("a: ["));
}

}  // namespace
}  // namespace hopcheck::mesh
