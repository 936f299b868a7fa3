#include "mesh/env_record.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "mesh/timeline.h"

namespace hopcheck::mesh {
namespace {

EnvRecord record() {
  EnvRecord out;
  out.id = "0a1b2c3d";
  out.cluster = "hopcheck-0a1b2c3d";
  out.kept = out.complete = true;
  out.created = "2026-01-02T03:04:05Z";
  out.run = "feed0001";
  out.gateway_port = 31234;
  out.istio_version = "1.30.4-dev";
  out.istio_tag = "1.30.4-dev";
  out.transport = Transport::kHttp;
  out.naming = NamingMode::kCanonicalNameOnly;
  out.gateway_spawn = false;
  out.sampling = 12.5;
  out.instances = {{"shop", "hash"}};
  out.agents = {"shop"};
  out.harness_image = "h:1";
  out.collector_image = "c:1";
  out.images = {"node: n@sha"};
  out.notes = {"note"};
  return out;
}

class EnvRecordTest : public ::testing::Test {
 protected:
  void SetUp() override { state_ = ::testing::TempDir() + "/env_record_" + random_hex(4); }
  void TearDown() override { std::filesystem::remove_all(state_); }
  std::string state_;
};

TEST_F(EnvRecordTest, RoundTrip) {
  const Result<EnvRecord> back = env_record_from_json(to_json(record()));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(to_json(*back), to_json(record()));
  EXPECT_EQ(back->naming, NamingMode::kCanonicalNameOnly);
  EXPECT_EQ(back->transport, Transport::kHttp);
  EnvRecord unset = record();
  unset.sampling.reset();
  EXPECT_EQ(env_record_from_json(to_json(unset))->sampling, std::nullopt);
}

TEST_F(EnvRecordTest, FilesAndFolderArePrivate) {
  ASSERT_TRUE(make_private_dir(state_ + "/0a1b2c3d").has_value());
  ASSERT_TRUE(save_env(state_, record()).has_value());
  ASSERT_TRUE(save_tokens(state_ + "/0a1b2c3d", {"b", "c"}).has_value());
  struct stat info {};
  for (const char* name : {"/env.json", "/tokens.json"}) {
    ASSERT_EQ(::stat((state_ + "/0a1b2c3d" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
  ASSERT_EQ(::stat((state_ + "/0a1b2c3d").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_EQ(load_env(state_, "0a1b2c3d")->gateway_port, 31234);
  EXPECT_EQ(load_tokens(state_ + "/0a1b2c3d")->control, "c");
  EXPECT_EQ(list_envs(state_).size(), 1u);
  EXPECT_TRUE(list_envs("/nonexistent").empty());
}

TEST_F(EnvRecordTest, DamagedOrForeignRecordsAreErrors) {
  for (const char* text : {"", "[]", "{}", R"({"schemaVersion":1,"id":"aa","cluster":"kind"})",
                           R"({"schemaVersion":2,"id":"aa","cluster":"hopcheck-aa"})"}) {
    EXPECT_FALSE(env_record_from_json(text).has_value()) << text;
  }
  for (const char* id : {"", "..", "a/b", "-a", "a-", "A", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_FALSE(is_env_id(id)) << id;
    EXPECT_FALSE(load_env(state_, id).has_value()) << id;
  }
  const Result<EnvRecord> missing = load_env(state_, "aa");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().what, "there is no environment aa");
}

TEST_F(EnvRecordTest, OwnerIsAliveOnlyAsThisVeryProcess) {
  const Owner own = owner_of_this_process("aa", "r");
  EXPECT_TRUE(owner_alive(own));
  const std::optional<Owner> back = owner_from_json(to_json(own));
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(owner_alive(*back));
  Owner reused = own;
  reused.pid_start += 1;
  EXPECT_FALSE(owner_alive(reused)) << "same pid, another process";
  Owner rebooted = own;
  rebooted.boot_id = "another";
  EXPECT_FALSE(owner_alive(rebooted));
  EXPECT_FALSE(owner_from_json(R"({"tool":"other","env":"aa"})").has_value());
  EXPECT_FALSE(owner_from_json(R"({"tool":"hopcheck","env":"../x"})").has_value());
}

TEST_F(EnvRecordTest, OnlyAdditionsFit) {
  run::EnvironmentState state;
  state.istio = "1.30";
  state.naming = NamingMode::kCanonicalNameOnly;
  state.gateway_spawn = false;
  EXPECT_EQ(why_not_fitting(record(), state, {{"shop", "hash"}, {"new", "x"}}), "");
  EXPECT_EQ(why_not_fitting(record(), state, {{"shop", "other"}}),
            "its namespace shop holds another variant of the topology");
  state.gateway_spawn = true;
  EXPECT_EQ(why_not_fitting(record(), state, {}), "its gatewaySpawn is false");
  state.naming = NamingMode::kAppLabelAndNamespace;
  EXPECT_EQ(why_not_fitting(record(), state, {}), "its naming is CANONICAL_NAME_ONLY");
  state.istio = "1.31";
  EXPECT_EQ(why_not_fitting(record(), state, {}), "it runs Istio 1.30.4-dev");
  EnvRecord half = record();
  half.complete = false;
  EXPECT_EQ(why_not_fitting(half, state, {}), "its set-up was never finished");
}

TEST(StateDir, FollowsXdg) {
  const char* old = std::getenv("XDG_STATE_HOME");
  const std::string saved = old != nullptr ? old : "";
  ::setenv("XDG_STATE_HOME", "/x/state", 1);
  EXPECT_EQ(default_state_dir(), "/x/state/hopcheck/envs");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  EXPECT_NE(default_state_dir().find("/.local/state/hopcheck/envs"), std::string::npos);
  ::unsetenv("XDG_STATE_HOME");
  if (!saved.empty()) ::setenv("XDG_STATE_HOME", saved.c_str(), 1);
}

TEST(Timeline, TableShowsShares) {
  const int64_t second = 1'000'000'000;
  EXPECT_EQ(timeline_table({{"cluster", "ok", 0, 10 * second}, {"load", "failed", 5 * second, 20 * second}}),
            "    0.0s   10.0s   50% |####################                    | cluster\n"
            "    5.0s   15.0s   75% |          ##############################| load (failed)\n"
            "   20.0s in all\n");
}

}  // namespace
}  // namespace hopcheck::mesh
