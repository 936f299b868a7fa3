// explain, compare and capture profile through the command line: results, refusals with exit code 4, and drafts from a
// recorded capture and from doctored copies of it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/cli.h"
#include "config/load.h"

namespace hopcheck::app {
namespace {

namespace fs = std::filesystem;
const std::string kRoot = HOPCHECK_SOURCE_DIR;
const std::string kStatus = kRoot + "/fixtures/captures/1.31-1.39-grpc-app-gateway-status.jsonl";

struct Ran {
  int code = -1;
  std::string out, err;
};

Ran hopcheck(std::vector<std::string> words) {
  words.insert(words.begin(), "hopcheck");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.code = run_cli(static_cast<int>(arguments.size()), arguments.data());
  std::fflush(stdout);
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class ProfileVerbs : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("hopcheck-profile-verbs-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A copy of the capture with every `from` replaced; expects some.
  std::string doctored(const std::string& from, const std::string& to) {
    std::ifstream in(kStatus);
    std::string text(std::istreambuf_iterator<char>(in), {});
    size_t count = 0;
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
      ++count;
    }
    EXPECT_GT(count, 0u) << from;
    const std::string path = (folder_ / "doctored.jsonl").string();
    std::ofstream(path) << text;
    return path;
  }

  // Lines of the review between "differs" and "not shown".
  static std::vector<std::string> differences(const std::string& out) {
    std::vector<std::string> lines;
    size_t at = out.find("\ndiffers\n");
    if (at == std::string::npos) return lines;
    at += 9;
    while (at < out.size() && out.compare(at, 2, "  ") == 0) {
      const size_t end = out.find('\n', at);
      lines.push_back(out.substr(at + 2, end - at - 2));
      at = end + 1;
    }
    return lines;
  }

  fs::path folder_;
};

using Lines = std::vector<std::string>;

TEST_F(ProfileVerbs, ExplainTakesACodeOrAProfile) {
  const Ran page = hopcheck({"explain", "HOP0601"});
  EXPECT_EQ(page.code, 0);
  EXPECT_TRUE(holds(page.out, "# HOP0601"));
  const Ran shown = hopcheck({"explain", "--profile", "istio-1.28"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_TRUE(holds(shown.out, "mesh 7, app 5, all 12")) << shown.out;
  const Ran off = hopcheck({"explain", "--profile", "1.28", "--gateway-spawn", "off", "--entry", "gateway"});
  EXPECT_TRUE(holds(off.out, "mesh 6, app 5, all 11")) << off.out;
  const Ran names = hopcheck({"explain", "--profile", "istio-1.30", "--topology", "shop", "--naming",
                              "CANONICAL_NAME_ONLY", "-o", "json"});
  EXPECT_EQ(names.code, 0) << names.err;
  EXPECT_TRUE(holds(names.out, "\"serviceName\": \"frontend-canon\"")) << names.out;
  EXPECT_TRUE(holds(hopcheck({"explain", "--profiles", "--format", "markdown"}).out, "# What Istio exports"));
}

TEST_F(ProfileVerbs, WhatCannotBeAnsweredIsRefused) {
  for (const Lines& words :
       {Lines{"explain"}, Lines{"explain", "HOP0601", "--profile", "istio-1.30"},
        Lines{"explain", "--profile", "istio-1.30", "--profile", "istio-1.31"},
        Lines{"explain", "--profile", "istio-1.3x"},
        Lines{"explain", "--profile", "istio-1.30", "--topology", "chekout"},
        Lines{"explain", "--profile", "istio-1.29", "--naming", "OTEL_SEMANTIC_CONVENTIONS"}, Lines{"compare"},
        Lines{"compare", "--profile", "istio-1.30"}, Lines{"compare", "one", "two"},
        Lines{"capture", "profile", kStatus, "--base", "istio-9"}}) {
    const Ran ran = hopcheck(words);
    EXPECT_EQ(ran.code, 4) << words.back();
    EXPECT_EQ(ran.out, "") << words.back();
    EXPECT_TRUE(holds(ran.err, "error: ")) << ran.err;
  }
  EXPECT_TRUE(holds(hopcheck({"compare", "one", "two"}).err, "one cannot be read"));
  const Ran old = hopcheck({"explain", "--profile", "istio-1.21"});
  EXPECT_TRUE(holds(old.err, "no mesh profile for Istio 1.21")) << old.err;
  EXPECT_TRUE(holds(old.err, "telemetry.istio.io/v1 is not served")) << old.err;
}

TEST_F(ProfileVerbs, RunBelowTheOldestProfileIsRefusedWithTheReason) {
  const Ran ran = hopcheck({"run", kRoot + "/scenarios/core/checkout-gateway.yaml", "--istio", "1.21", "--provider",
                            "local", "--dry-run"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(holds(ran.err, "no mesh profile for Istio 1.21")) << ran.err;
  EXPECT_TRUE(holds(ran.err, "telemetry.istio.io/v1 is not served")) << ran.err;
}

TEST_F(ProfileVerbs, ComparePrintsBothVersionsAndTheSteps) {
  const Ran ran = hopcheck({"compare", "--profile", "istio-1.27", "--profile", "istio-1.31", "--topology", "bookinfo"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(holds(ran.out, "istio-1.27 -> istio-1.31")) << ran.out;
  EXPECT_TRUE(holds(ran.out, "gateway upgraded")) << ran.out;
}

TEST_F(ProfileVerbs, ACaptureOfTheBasesOwnVersionShowsNoDifference) {
  const Ran ran = hopcheck({"capture", "profile", kStatus, "--base", "istio-1.31"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(differences(ran.out), Lines{});
  EXPECT_TRUE(holds(ran.out, "\nno difference\n")) << ran.out;
  EXPECT_TRUE(holds(ran.out, "\n  extends: istio-1.31\n")) << ran.out;
}

TEST_F(ProfileVerbs, AnotherVersionsCaptureShowsWhatTheProfilesSay) {
  const std::string capture = kRoot + "/fixtures/captures/1.30-1.38-grpc-app-gateway-plain.jsonl";
  const Ran ran = hopcheck({"capture", "profile", capture, "--base", "istio-1.31"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const Lines lines = differences(ran.out);
  ASSERT_EQ(lines.size(), 1u) << ran.out;
  EXPECT_EQ(lines[0].rfind("envoyMinor: 1.39 -> 1.38", 0), 0u) << lines[0];
  const Ran own = hopcheck({"capture", "profile", capture, "--base", "istio-1.30"});
  EXPECT_EQ(differences(own.out), Lines{}) << own.out;
}

TEST_F(ProfileVerbs, ADoctoredCaptureShowsExactlyWhatWasDoctored) {
  const Ran scope =
      hopcheck({"capture", "profile", doctored("\"scope\":{\"name\":\"envoy\"", "\"scope\":{\"name\":\"renamed\""),
                "--base", "istio-1.31"});
  ASSERT_EQ(differences(scope.out).size(), 1u) << scope.out;
  EXPECT_EQ(differences(scope.out)[0].rfind("scope: envoy -> renamed (", 0), 0u);
  EXPECT_TRUE(holds(scope.out, "  scope: {present: true, name: 'renamed', source: 'captures doctored'}")) << scope.out;

  const Ran gone = hopcheck({"capture", "profile", doctored("\"key\":\"telemetry.sdk.name\"", "\"key\":\"sdk.name\""),
                             "--base", "istio-1.31"});
  const Lines lines = differences(gone.out);
  ASSERT_EQ(lines.size(), 2u) << gone.out;
  EXPECT_EQ(lines[0].rfind("resource sdk.name: absent -> always there", 0), 0u) << lines[0];
  EXPECT_EQ(lines[1].rfind("resource telemetry.sdk.name: there -> absent", 0), 0u) << lines[1];
}

TEST_F(ProfileVerbs, ADraftLoadsAndSaysWhatTheCaptureShows) {
  const std::string out = (folder_ / "draft.yaml").string();
  const std::string capture = doctored("\"key\":\"downstream_cluster\"", "\"key\":\"downstream.cluster\"");
  const Ran ran = hopcheck({"capture", "profile", capture, "--base", "istio-1.31", "--istio", "1.32", "--out", out});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto draft = config::load_profile(out, {kRoot});
  ASSERT_TRUE(draft) << config::to_text(draft.error());
  EXPECT_EQ(draft->istio_minor, "1.32");
  EXPECT_EQ(draft->proof, "capture");
  const SpanRule* inbound = draft->rule(ProxyRole::kInbound, std::nullopt);
  ASSERT_NE(inbound, nullptr);
  const auto rule = [&](const std::string& key) {
    const auto found = std::find_if(inbound->attributes.begin(), inbound->attributes.end(),
                                    [&](const AttributeRule& item) { return item.key == key; });
    return found == inbound->attributes.end() ? AttributeRule{} : *found;
  };
  EXPECT_EQ(rule("downstream_cluster").when, AttributeRule::When::kNever);
  EXPECT_EQ(rule("downstream.cluster").when, AttributeRule::When::kAlways);
  EXPECT_EQ(rule("downstream.cluster").source, "captures doctored");
  // The same capture under its own draft: nothing left to review but what the draft cannot name.
  const Ran again = hopcheck({"capture", "profile", capture, "--base", "istio-1.31", "--out", out});
  EXPECT_EQ(again.code, 4) << "never over an existing file";
}

}  // namespace
}  // namespace hopcheck::app
