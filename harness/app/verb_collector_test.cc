// The verb collector from the command line: exit codes, what goes to stdout, and that no token does.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/cli.h"

namespace hopcheck::app {
namespace {

constexpr const char* kCanary = "canary-t0ken";

class CollectorVerb : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "hopcheck-collector-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    std::ifstream in(std::string(HOPCHECK_SOURCE_DIR) + "/fixtures/walkthrough/otel.yaml");
    const std::string text(std::istreambuf_iterator<char>(in), {});
    as_documented_ = file("documented.yaml", text);
    filled_ = file("otel.yaml", replaced(replaced(text, "<gRPC-Endpoint>", "backend:4317"), "<gRPC-Token>", kCanary));
    by_variable_ =
        file("variable.yaml", replaced(replaced(text, "<gRPC-Endpoint>", "backend:4317"), "<gRPC-Token>", "${env:T}"));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(root_ + "/" + name) << text;
    return root_ + "/" + name;
  }

  struct Said {
    int code = 0;
    std::string out, err;
  };
  // Says no token, whatever is asked.
  static Said hopcheck(std::vector<std::string> words) {
    words.insert(words.begin(), {"hopcheck", "collector"});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Said said;
    said.code = run_cli(static_cast<int>(argv.size()), argv.data());
    said.out = testing::internal::GetCapturedStdout();
    said.err = testing::internal::GetCapturedStderr();
    EXPECT_EQ((said.out + said.err).find(kCanary), std::string::npos);
    return said;
  }

  std::string root_, as_documented_, filled_, by_variable_;
};

TEST_F(CollectorVerb, CheckJudgesForTheImagesVersionOrTheOneNamed) {
  const Said old = hopcheck({"check", filled_, "--claims", "walkthrough"});
  EXPECT_EQ(old.code, 0) << old.out << old.err;
  EXPECT_NE(old.out.find("works with Collector 0.54.0: 2 note\n"), std::string::npos) << old.out;
  const Said current = hopcheck({"check", filled_, "--collector", "0.161.0"});
  EXPECT_EQ(current.code, 1);
  EXPECT_NE(current.out.find(":23:7: refused since 0.111.0: the exporter `logging` is gone [D-08]\n"),
            std::string::npos)
      << current.out;
  const auto json = nlohmann::json::parse(hopcheck({"check", filled_, "--collector", "0.161.0", "-o", "json"}).out);
  EXPECT_EQ(json["usable"], false);
  EXPECT_EQ(json["findings"][0]["id"], "receiver-localhost");
  EXPECT_EQ(json["findings"][0]["line"], 12);
}

TEST_F(CollectorVerb, AFileThatCannotBeUsedIsAnErrorOfConfiguration) {
  const Said left = hopcheck({"check", as_documented_});
  EXPECT_EQ(left.code, 4);
  EXPECT_EQ(left.out, "");
  EXPECT_NE(left.err.find(":20:27: the placeholder <gRPC-Token> was not replaced by a value"), std::string::npos);
  EXPECT_EQ(hopcheck({"check", root_ + "/absent.yaml"}).code, 4);
  EXPECT_EQ(hopcheck({"check", filled_, "--collector", "latest"}).code, 4);
  const std::string bare = file("bare.yaml", "receivers: {}\nexporters: {}\n");
  EXPECT_NE(hopcheck({"check", bare}).err.find("name it: --collector 0.161.0"), std::string::npos);
}

TEST_F(CollectorVerb, RewriteKeepsTheTokenOutOfSight) {
  const Said refused = hopcheck({"rewrite", filled_, "--collector", "0.161.0"});
  EXPECT_EQ(refused.code, 4);
  EXPECT_EQ(refused.out, "");
  const Said difference = hopcheck({"rewrite", filled_, "--collector", "0.161.0", "--diff"});
  EXPECT_EQ(difference.code, 0);
  EXPECT_NE(difference.out.find("           Authentication: [hidden]\n"), std::string::npos);
  const std::string out = root_ + "/new.yaml";
  EXPECT_EQ(hopcheck({"rewrite", filled_, "--collector", "0.161.0", "--out", out}).code, 0);
  struct stat state {};
  ASSERT_EQ(stat(out.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777, 0600u);
  EXPECT_EQ(hopcheck({"check", out, "--claims", "walkthrough"}).code, 0);
  EXPECT_EQ(hopcheck({"rewrite", filled_, "--collector", "0.161.0", "--out", out}).code, 4) << "it is there already";
}

TEST_F(CollectorVerb, WithoutATokenTheNewFileGoesToStdout) {
  const Said said = hopcheck({"rewrite", by_variable_, "--collector", "0.161.0"});
  EXPECT_EQ(said.code, 0);
  EXPECT_NE(said.out.find("          Authentication: \"${env:T}\"\n"), std::string::npos);
  const Said again = hopcheck({"rewrite", file("again.yaml", said.out), "--collector", "0.161.0"});
  EXPECT_EQ(again.out, said.out);
  EXPECT_NE(again.err.find("nothing to change"), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::app
