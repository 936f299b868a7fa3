// The run directory on a real file system: round trips, privacy of files, links refused, torn and damaged files,
// pruning.
#include "store/run_dir.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace hopcheck::store {
namespace {

namespace fs = std::filesystem;

class RunDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "hopcheck-run-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string path(const std::string& name) const { return root_ + "/" + name; }
  void put(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
  }
  std::string get(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  RunDirectory make(const std::string& name) const {
    Result<RunDirectory> made = RunDirectory::create(path(name));
    EXPECT_TRUE(made) << to_text(made.error());
    return *made;
  }
  static unsigned mode(const std::string& file) {
    struct stat status {};
    EXPECT_EQ(lstat(file.c_str(), &status), 0) << file;
    return status.st_mode & 0777;
  }
  std::string root_;
};

LedgerEntry entry(uint64_t n) {
  LedgerEntry e;
  e.journey = "check \"out\"";
  e.scenario = "checkout";
  e.intent.n = n;
  e.intent.trace_id.bytes.fill(static_cast<uint8_t>(n + 1));
  e.intent.span_id.bytes.fill(0xab);
  e.intent.sampled = true;
  e.intent.request_id = "5f0c8d1e-7a3b-4c4d-8e2f-90a1b2c3d4e5";
  e.intent.trace_state = "hop=1";
  e.intent.hop = "3fa91c07-" + std::to_string(n);
  e.outcome = {
      n, 1'767'225'600'000'000'001, 1'767'225'600'000'000'002, 1'767'225'600'000'000'003, OutcomeKind::kFailed, 503};
  return e;
}

TEST_F(RunDirectoryTest, ALedgerLineIsAsDocumented) {
  const RunDirectory directory = make("run");
  ASSERT_TRUE(directory.write_ledger({entry(7)}));
  EXPECT_EQ(
      get("run/ledger.jsonl"),
      R"({"n":7,"journey":"check \"out\"","traceId":"08080808080808080808080808080808","spanId":"abababababababab",)"
      R"("sampled":true,"requestId":"5f0c8d1e-7a3b-4c4d-8e2f-90a1b2c3d4e5","traceState":"hop=1",)"
      R"("dueUnixNano":"1767225600000000001","sentUnixNano":"1767225600000000002",)"
      R"("doneUnixNano":"1767225600000000003",)"
      R"("outcome":"failed","status":503,"scenario":"checkout","hop":"3fa91c07-7"})"
      "\n");
}

TEST_F(RunDirectoryTest, LedgerRoundTrip) {
  const RunDirectory directory = make("run");
  LedgerEntry headerless;
  headerless.intent.n = headerless.outcome.n = UINT64_MAX;
  ASSERT_TRUE(directory.write_ledger({entry(0), headerless}));
  const auto back = directory.read_ledger();
  ASSERT_TRUE(back) << to_text(back.error());
  ASSERT_EQ(back->size(), 2u);
  const LedgerEntry& first = (*back)[0];
  EXPECT_EQ(first.journey, "check \"out\"");
  EXPECT_EQ(first.scenario, "checkout");
  EXPECT_EQ(first.intent.trace_id, entry(0).intent.trace_id);
  EXPECT_EQ(first.intent.span_id, entry(0).intent.span_id);
  EXPECT_TRUE(first.intent.sampled);
  EXPECT_EQ(first.intent.request_id, entry(0).intent.request_id);
  EXPECT_EQ(first.intent.trace_state, "hop=1");
  EXPECT_EQ(first.intent.hop, "3fa91c07-0");
  EXPECT_EQ(first.outcome.kind, OutcomeKind::kFailed);
  EXPECT_EQ(first.outcome.due_unix_nanos, 1'767'225'600'000'000'001);
  EXPECT_EQ(first.outcome.sent_unix_nanos, 1'767'225'600'000'000'002);
  EXPECT_EQ(first.outcome.done_unix_nanos, 1'767'225'600'000'000'003);
  EXPECT_EQ(first.outcome.status, 503);
  EXPECT_EQ((*back)[1].intent.n, UINT64_MAX);
  EXPECT_TRUE((*back)[1].intent.trace_id.is_zero());
  EXPECT_EQ((*back)[1].outcome.kind, OutcomeKind::kUnsent);
}

TEST_F(RunDirectoryTest, ALedgerMayBeTraceparents) {
  put("sent.txt",
      "# sent by hand\r\n\n00-7c1e5a9d3b2f48606f8e0d1c2b3a4958-0c0ffee0c0ffee01-01\r\n"
      "00-7C1E5A9D3B2F48606F8E0D1C2B3A4959-0c0ffee0c0ffee02-00\n");
  const auto back = load_ledger(path("sent.txt"));
  ASSERT_TRUE(back) << to_text(back.error());
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].intent.n, 0u);
  EXPECT_EQ(to_hex((*back)[0].intent.trace_id), "7c1e5a9d3b2f48606f8e0d1c2b3a4958");
  EXPECT_EQ(to_hex((*back)[0].intent.span_id), "0c0ffee0c0ffee01");
  EXPECT_TRUE((*back)[0].intent.sampled);
  EXPECT_FALSE((*back)[1].intent.sampled);
  EXPECT_EQ((*back)[1].intent.n, 1u);
  EXPECT_EQ((*back)[1].outcome.kind, OutcomeKind::kOk);
  EXPECT_EQ((*back)[1].outcome.status, 0);
}

TEST_F(RunDirectoryTest, LedgerErrorsNameTheLine) {
  const std::string good = R"({"n":1,"outcome":"ok","later":[1,{"x":2}]})";
  for (const char* bad :
       {"{", R"({"outcome":"ok"})", R"({"n":-1,"outcome":"ok"})", R"({"n":1})", R"({"n":1,"outcome":"maybe"})",
        R"({"n":1,"outcome":"ok","traceId":"12"})", R"({"n":1,"outcome":"ok","dueUnixNano":"12x"})",
        R"({"n":1,"outcome":"ok","status":70000})", R"({"n":1,"outcome":"ok","journey":7})", "01-ab",
        "00-00000000000000000000000000000000-0c0ffee0c0ffee01-01"}) {
    put("ledger", good + "\n" + bad + "\n");
    const auto back = load_ledger(path("ledger"));
    ASSERT_FALSE(back) << bad;
    EXPECT_EQ(back.error().kind, ErrorKind::kEvidence);
    EXPECT_EQ(back.error().what, path("ledger") + ":2: cannot be read") << bad;
    EXPECT_FALSE(back.error().why.empty());
  }
  put("ledger", good + "\n" + good);  // no line end at the end
  EXPECT_EQ(load_ledger(path("ledger"))->size(), 2u);
  put("ledger", std::string(kMaxLedgerLineBytes + 1, 'x'));
  EXPECT_EQ(load_ledger(path("ledger")).error().what, path("ledger") + ":1: too long");
  EXPECT_EQ(load_ledger(path("none")).error().kind, ErrorKind::kUsage);
}

TEST_F(RunDirectoryTest, DocumentsRoundTrip) {
  const RunDirectory directory = make("run");
  Environment environment;
  environment.istio = "1.30.4-dev";
  environment.proxies.resize(1);
  environment.proxies[0].sent_after = 7;
  ASSERT_TRUE(directory.write_environment(environment));
  ASSERT_TRUE(directory.write_scenario("kind: Scenario\n"));
  ASSERT_TRUE(directory.write_findings("{}\n"));
  ASSERT_TRUE(directory.write_run_json("{\"schemaVersion\":1}\n"));
  ASSERT_TRUE(directory.write("reports/deep/report.html", std::string("a\0b", 3)));

  const auto reopened = RunDirectory::open(path("run"));
  ASSERT_TRUE(reopened) << to_text(reopened.error());
  EXPECT_EQ(reopened->read_environment()->istio, "1.30.4-dev");
  EXPECT_EQ(reopened->read_environment()->proxies[0].sent_after, 7u);
  EXPECT_EQ(*reopened->read_scenario(), "kind: Scenario\n");
  EXPECT_EQ(*reopened->read_run_json(), "{\"schemaVersion\":1}\n");
  EXPECT_EQ(*reopened->read("reports/deep/report.html", 3), std::string("a\0b", 3));
  EXPECT_EQ(reopened->read("reports/deep/report.html", 2).error().kind, ErrorKind::kEvidence);
  EXPECT_TRUE(reopened->has("findings.jsonl"));
  EXPECT_FALSE(reopened->has("reports"));
  EXPECT_EQ(reopened->read_ledger().error().kind, ErrorKind::kEvidence);
}

TEST_F(RunDirectoryTest, OnlyTheOwnerMayRead) {
  const RunDirectory directory = make("a/b/run");
  ASSERT_TRUE(directory.write_scenario("x"));
  ASSERT_TRUE(directory.append_phase({}));
  ASSERT_TRUE(directory.write("logs/pods/one.txt", "x"));
  for (const char* name : {"a", "a/b", "a/b/run", "a/b/run/reports", "a/b/run/logs", "a/b/run/logs/pods"})
    EXPECT_EQ(mode(path(name)), 0700u) << name;
  for (const char* name : {"a/b/run/scenario.yaml", "a/b/run/phases.jsonl", "a/b/run/logs/pods/one.txt"})
    EXPECT_EQ(mode(path(name)), 0600u) << name;
}

TEST_F(RunDirectoryTest, ReplacingLeavesNothingBehind) {
  const RunDirectory directory = make("run");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(directory.write_run_json(std::to_string(i)));
  EXPECT_EQ(get("run/run.json"), "2");
  size_t files = 0;
  for (const auto& item : fs::directory_iterator(path("run"))) files += item.is_regular_file();
  EXPECT_EQ(files, 1u);
}

TEST_F(RunDirectoryTest, FollowsNoLinkInside) {
  const RunDirectory directory = make("run");
  put("victim", "secret");
  fs::create_symlink(path("victim"), path("run/run.json"));
  fs::create_symlink(path("victim"), path("run/phases.jsonl"));
  fs::create_directory(path("elsewhere"));
  fs::create_directory_symlink(path("elsewhere"), path("run/out"));
  EXPECT_FALSE(directory.read_run_json());
  EXPECT_FALSE(directory.append_phase({}));
  EXPECT_FALSE(directory.write("out/x", "y"));
  ASSERT_TRUE(directory.write_run_json("new"));  // the link is replaced, not followed
  EXPECT_EQ(get("victim"), "secret");
  EXPECT_TRUE(fs::is_empty(path("elsewhere")));
  EXPECT_FALSE(fs::is_symlink(path("run/run.json")));
  ASSERT_EQ(mkfifo(path("run/scenario.yaml").c_str(), 0600), 0);
  EXPECT_FALSE(directory.read_scenario());  // and does not hang
}

TEST_F(RunDirectoryTest, NamesStayInside) {
  const RunDirectory directory = make("run");
  for (const std::string& name : {std::string(), std::string("../x"), std::string("/etc/x"), std::string("a/../../x"),
                                  std::string("./x"), std::string("a/"), std::string("a\0b", 3)}) {
    EXPECT_EQ(directory.write(name, "x").error().kind, ErrorKind::kUsage) << name;
    EXPECT_EQ(directory.read(name, 9).error().kind, ErrorKind::kUsage) << name;
  }
  EXPECT_FALSE(fs::exists(path("x")));
}

TEST_F(RunDirectoryTest, NeverOverAnotherRun) {
  put("used/file", "x");
  EXPECT_EQ(RunDirectory::create(path("used")).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(RunDirectory::create(path("used/file")).error().kind, ErrorKind::kUsage);
  fs::create_directory(path("empty"));
  EXPECT_TRUE(RunDirectory::create(path("empty")));
  EXPECT_EQ(mode(path("empty")), 0700u);
  EXPECT_EQ(RunDirectory::create("/proc/hopcheck/run").error().kind, ErrorKind::kEnvironment);
}

TEST_F(RunDirectoryTest, OpensOnlyRuns) {
  put("other/file", "x");
  EXPECT_EQ(RunDirectory::open(path("other")).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(RunDirectory::open(path("missing")).error().kind, ErrorKind::kUsage);
  put("run/run.json", "{}");
  fs::create_symlink("run", path("latest"));
  EXPECT_TRUE(RunDirectory::open(path("latest")));
}

TEST_F(RunDirectoryTest, PhasesGrowLineByLineAndATornTailIsLeftOut) {
  const RunDirectory directory = make("run");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&directory, t] {
      for (int i = 0; i < 25; ++i) EXPECT_TRUE(directory.append_phase({"drive", std::to_string(t), 1, 2, "ok"}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto steps = directory.read_phases();
  ASSERT_TRUE(steps) << to_text(steps.error());
  EXPECT_EQ(steps->size(), 100u);
  put("run/phases.jsonl", get("run/phases.jsonl") + "{\"phase\":\"dra");
  EXPECT_EQ(directory.read_phases()->size(), 100u);
  put("run/phases.jsonl", "{\"phase\":\"a\"}\n{\"phase\":\n{}\n");
  EXPECT_EQ(directory.read_phases().error().kind, ErrorKind::kEvidence);
  EXPECT_NE(directory.read_phases().error().what.find("phases.jsonl:2"), std::string::npos);
}

TEST_F(RunDirectoryTest, LatestIsReplaced) {
  fs::create_directory(path("one"));
  fs::create_directory(path("two"));
  ASSERT_TRUE(link_latest(root_, "one"));
  ASSERT_TRUE(link_latest(root_, "two"));
  EXPECT_EQ(fs::read_symlink(path("latest")), "two");
  EXPECT_EQ(link_latest(root_, "../two").error().kind, ErrorKind::kUsage);
  fs::remove(path("latest"));
  put("latest", "somebody's file");
  EXPECT_EQ(link_latest(root_, "one").error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(get("latest"), "somebody's file");
}

constexpr int64_t kDay = 24ll * 3600 * 1'000'000'000;
constexpr int64_t kNow = 1000 * kDay;

class PruneTest : public RunDirectoryTest {
 protected:
  void run(const std::string& name, const std::string& verdict, int64_t days_ago) {
    if (!verdict.empty())
      put(name + "/run.json", "{\n \"schemaVersion\": 1,\n \"verdict\": \"" + verdict + "\",\n \"seed\": 1\n}\n");
    put(name + "/scenario.yaml", "x");
    const time_t seconds = static_cast<time_t>((kNow - days_ago * kDay) / 1'000'000'000);
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path(name).c_str(), times, 0), 0);
  }
  std::vector<std::string> prune(size_t newest, std::vector<std::string> always = {}) {
    KeepRuns keep;
    keep.newest = newest;
    keep.now_unix_nanos = kNow;
    keep.always = std::move(always);
    const auto removed = prune_runs(root_, keep);
    EXPECT_TRUE(removed) << to_text(removed.error());
    return *removed;
  }
};

TEST_F(PruneTest, KeepsTheNewestAndYoungFailures) {
  run("new-pass", "pass", 0);
  run("old-pass", "pass", 1);
  run("young-fail", "fail", 2);
  run("young-unknown", "unknown", 3);
  run("young-crash", "", 4);
  run("kept-pass", "pass", 5);
  run("old-fail", "fail", 15);
  EXPECT_EQ(prune(1, {"kept-pass"}), (std::vector<std::string>{"old-fail", "old-pass"}));
  for (const char* name : {"new-pass", "young-fail", "young-unknown", "young-crash", "kept-pass"})
    EXPECT_TRUE(fs::exists(path(name))) << name;
  EXPECT_FALSE(fs::exists(path("old-fail")));
  EXPECT_EQ(prune(1, {"kept-pass"}), std::vector<std::string>{});
}

TEST_F(PruneTest, TouchesNothingButRuns) {
  run("pass", "pass", 40);
  put("notes/todo.txt", "mine");
  put("file", "mine");
  put("outside-target/run.json", "{\"verdict\":\"pass\"}");
  fs::create_directories(path("runs-of-others"));
  fs::create_directory_symlink(path("outside-target"), path("link"));
  const auto removed = prune(0);
  EXPECT_EQ(removed, (std::vector<std::string>{"outside-target", "pass"}));  // the link's target is itself a run here
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_TRUE(fs::exists(path("notes/todo.txt")));
  EXPECT_TRUE(fs::exists(path("file")));
  KeepRuns keep;
  EXPECT_EQ(prune_runs(path("missing"), keep)->size(), 0u);
}

}  // namespace
}  // namespace hopcheck::store
