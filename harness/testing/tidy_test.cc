#include "testing/tidy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "testing/source_tree.h"

namespace hopcheck::testing {
namespace {

using Lines = std::vector<std::string>;

std::string joined(const Lines& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

bool is_cpp(const std::string& path) { return path.ends_with(".h") || path.ends_with(".cc"); }

// Recorded evidence and golden output are kept as they came; corpora are bytes.
bool is_data(const std::string& path) {
  return path.starts_with("fixtures/captures/") || path.starts_with("reports/schema/") ||
         path.starts_with("fixtures/golden/") || path.starts_with("fixtures/corpus/") ||
         path.starts_with("fixtures/config/") || path.starts_with("harness/fuzz/corpus/");
}

bool is_text(const std::string& path) {
  static const Lines kEndings = {".h",    ".cc", ".md", ".yaml", ".yml", ".json",
                                 ".txt",  ".sh", ".py", ".css",  ".js",  "Makefile"};
  const auto ends = [&path](const std::string& ending) { return path.ends_with(ending); };
  if (std::any_of(kEndings.begin(), kEndings.end(), ends)) return true;
  // Scripts have no ending.
  return path.starts_with("scripts/") || path.starts_with(".ci/");
}

TEST(Tidy, EveryTextFileOfTheTree) {
  Lines all;
  size_t files = 0;
  for (const SourceFile& file :
       read_tree({"harness", "scripts", ".ci", ".github", "docs", "scenarios", "fixtures", "kind", "reports/schema",
                  "Makefile", "CMakeLists.txt", "CMakePresets.json", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md",
                  "CHANGELOG.md", "SECURITY.md"})) {
    if (is_data(file.path) || !is_text(file.path)) continue;
    ++files;
    for (std::string& line : text_violations(file.path, file.text)) all.push_back(std::move(line));
    if (!is_cpp(file.path)) continue;
    for (std::string& line : cpp_violations(file.path, file.text)) all.push_back(std::move(line));
  }
  EXPECT_GT(files, 30u) << "run from the source root";
  EXPECT_EQ(joined(all), "");
}

TEST(Tidy, EveryRuleHasItsPageAndEveryPageItsRule) {
  const std::vector<SourceFile> catalogue = read_tree({"harness/check/catalogue.cc"});
  ASSERT_EQ(catalogue.size(), 1u);
  const Lines codes = rule_codes(catalogue[0].text);
  EXPECT_GE(codes.size(), 10u);
  for (const std::string& code : codes) {
    EXPECT_TRUE(std::filesystem::exists("docs/rules/" + code + ".md")) << "docs/rules/" << code << ".md is missing";
  }
  for (const SourceFile& page : read_tree({"docs/rules"})) {
    const std::string name = std::filesystem::path(page.path).stem().string();
    if (rule_codes(name).empty()) continue;  // the index
    EXPECT_TRUE(std::count(codes.begin(), codes.end(), name)) << page.path << " is about no rule of the catalogue";
    EXPECT_EQ(page.text.rfind("# " + name, 0), 0u) << page.path << " starts with another heading";
  }
}

TEST(Tidy, RelativeLinksOfTheDocsLeadSomewhere) {
  size_t links = 0;
  for (const SourceFile& file :
       read_tree({"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs"})) {
    if (!file.path.ends_with(".md")) continue;
    for (const std::string& link : relative_links(file.text)) {
      ++links;
      EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(file.path).parent_path() / link))
          << file.path << " links to " << link;
    }
  }
  EXPECT_GT(links, 50u);
  EXPECT_EQ(relative_links("[a](../b.md#c) [d](https://e/f.md) [g](#h) [i](j.md)"), (Lines{"../b.md", "j.md"}));
}

TEST(Tidy, TextViolationsNameFileAndLine) {
  EXPECT_EQ(text_violations("a.cc", "int a;\n"), Lines{});
  EXPECT_EQ(text_violations("a.cc", "int a;\n\tint b;\n"), Lines{"a.cc:2: tab"});
  EXPECT_EQ(text_violations("Makefile", "a:\n\tb\n"), Lines{});
  EXPECT_EQ(text_violations("a.cc", "int a; \n"), Lines{"a.cc:1: blank at the end of the line"});
  EXPECT_EQ(text_violations("a.cc", "int a;"), Lines{"a.cc:1: no newline at the end"});
  EXPECT_EQ(text_violations("a.cc", std::string(121, 'x') + "\n"), Lines{"a.cc:1: 121 columns, 120 at most"});
  EXPECT_EQ(text_violations("a.md", std::string(121, 'x') + "\n"), Lines{});
  EXPECT_EQ(text_violations("a.cc", "// \u2192" + std::string(116, 'x') + "\n"), Lines{});
}

TEST(Tidy, RawStringsMayBeLong) {
  const std::string wide(121, 'x');
  EXPECT_EQ(text_violations("a.cc", "auto a = R\"(" + wide + "\n" + wide + ")\";\nint b;\n"), Lines{});
  EXPECT_EQ(text_violations("a.cc", "auto a = R\"-(" + wide + ")\"\n)-\";\n// " + wide + "\n").size(), 1u);
  EXPECT_EQ(text_violations("a.cc", "auto a = \"" + wide + "\";\n").size(), 1u);
}

TEST(Tidy, UnfinishedWorkAndMachinePathsAreReported) {
  EXPECT_EQ(text_violations("a.cc", std::string("// TO") + "DO: later\n").size(), 1u);
  EXPECT_EQ(text_violations("a.cc", std::string("int auTO") + "DOne;\n").size(), 0u);
  EXPECT_EQ(text_violations("a.md", std::string("see /ho") + "me/me/x\n").size(), 1u);
  EXPECT_EQ(text_violations("a.md", std::string("see https://host/ho") + "me/me/x\n").size(), 0u);
}

TEST(Tidy, CppViolations) {
  const std::string good = "// Purpose.\n#pragma once\n";
  EXPECT_EQ(cpp_violations("a.h", good), Lines{});
  EXPECT_EQ(cpp_violations("a.h", "#pragma once\n"), Lines{"a.h:1: header without a head comment"});
  EXPECT_EQ(cpp_violations("a.h", "// Purpose.\n"), Lines{"a.h:1: header without #pragma once"});
  std::string lines;
  for (int i = 0; i < 401; ++i) lines += "\n";
  EXPECT_EQ(cpp_violations("a.cc", lines), Lines{"a.cc:401: 401 lines, 400 at most"});
  EXPECT_EQ(cpp_violations("a_test.cc", lines), Lines{});
  std::string function = "int f(int a) {\n";
  for (int i = 0; i < 69; ++i) function += "  a += 1;\n";
  function += "}\n";
  EXPECT_EQ(cpp_violations("a.cc", function), Lines{"a.cc:1: function of 71 lines, 70 at most"});
}

TEST(Tidy, RuleCodesAreWholeWordsAndListedOnce) {
  EXPECT_EQ(rule_codes("HOP0601, HOP060, xHOP0602, HOP06011 HOP0601 HOP1201"), (Lines{"HOP0601", "HOP1201"}));
}

}  // namespace
}  // namespace hopcheck::testing
