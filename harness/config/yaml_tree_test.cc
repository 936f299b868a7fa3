#include "config/yaml_tree.h"

#include <gtest/gtest.h>

#include "config/reader.h"

namespace hopcheck::config {
namespace {

std::string problem_of(const std::string& text) {
  Problems problems("f.yaml");
  const auto documents = parse_yaml(text, problems);
  if (problems.empty()) return "";
  EXPECT_TRUE(documents.empty());
  return to_text(problems.sorted());
}

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(YamlTree, KeepsPositionsQuotesAndDuplicateKeys) {
  Problems problems("f.yaml");
  const auto documents = parse_yaml("a: 1\nb:\n  - \"1\"\na: [x]\n", problems);
  ASSERT_EQ(documents.size(), 1u);
  const Node& root = documents[0];
  ASSERT_EQ(root.kind, Node::Kind::kMap);
  ASSERT_EQ(root.items.size(), 6u);
  EXPECT_EQ(root.items[4].text, "a");
  EXPECT_EQ(root.items[4].line, 4);
  EXPECT_EQ(root.items[4].column, 1);
  EXPECT_FALSE(root.items[1].quoted);
  ASSERT_EQ(root.items[3].items.size(), 1u);
  EXPECT_TRUE(root.items[3].items[0].quoted);
  EXPECT_EQ(root.items[3].items[0].line, 3);
  EXPECT_EQ(root.items[3].items[0].column, 5);
}

TEST(YamlTree, AnAliasIsACopyAtItsOwnPlace) {
  Problems problems("f.yaml");
  const auto documents = parse_yaml("a: &x {k: v}\nb: *x\n", problems);
  ASSERT_EQ(documents.size(), 1u);
  const Node& copy = documents[0].items[3];
  ASSERT_EQ(copy.kind, Node::Kind::kMap);
  EXPECT_EQ(copy.items[1].text, "v");
  EXPECT_EQ(copy.line, 2);
}

TEST(YamlTree, SeveralDocuments) {
  Problems problems("f.yaml");
  EXPECT_EQ(parse_yaml("a: 1\n---\nb: 2\n---\n- c\n", problems).size(), 3u);
  EXPECT_TRUE(problems.empty());
}

TEST(YamlTree, DepthIsBoundedInEveryStyle) {
  EXPECT_EQ(problem_of(repeated("[", 64) + repeated("]", 64)), "");
  EXPECT_EQ(problem_of(repeated("[", 65) + repeated("]", 65)), "f.yaml:1:65: nested deeper than 64 levels\n");
  EXPECT_NE(problem_of(repeated("[", 500'000)).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_EQ(problem_of(repeated("{a: ", 400) + "1" + repeated("}", 400)),
            "f.yaml:1:257: nested deeper than 64 levels\n");
  EXPECT_EQ(problem_of(repeated("- ", 400) + "x"), "f.yaml:1:129: nested deeper than 64 levels\n");
  EXPECT_EQ(problem_of(repeated("? ", 400) + "x"), "f.yaml:1:129: nested deeper than 64 levels\n");
}

TEST(YamlTree, SizeIsBounded) {
  EXPECT_EQ(problem_of(std::string(kMaxBytes + 1, '#')), "f.yaml:1:1: larger than 1048576 bytes\n");
  EXPECT_EQ(problem_of("[" + repeated("1,", kMaxNodes) + "]"), "f.yaml:1:200000: more than 100000 values\n");
}

TEST(YamlTree, AliasesCannotMultiplyTextOrDepth) {
  const std::string megabyte(1'000'000, 'x');
  EXPECT_EQ(problem_of("a: &a " + megabyte + "\nb: [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"),
            "f.yaml:2:29: more than 8388608 bytes of text\n");
  std::string nested = "a0: &a0 [[[[[[[[x]]]]]]]]\n";
  for (int i = 1; i < 10; ++i) {
    nested +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [[[[[[[[*a" + std::to_string(i - 1) + "]]]]]]]]\n";
  }
  EXPECT_EQ(problem_of(nested), "f.yaml:8:17: nested deeper than 64 levels\n");
}

TEST(YamlTree, WhatYamlCannotBe) {
  EXPECT_EQ(problem_of(""), "f.yaml:1:1: the file is empty\n");
  EXPECT_EQ(problem_of("a: [1, 2"), "f.yaml:1:1: not valid YAML: end of sequence flow not found\n");
  EXPECT_EQ(problem_of("a: *nowhere\n"), "f.yaml:1:4: not valid YAML: the referenced anchor is not defined\n");
  EXPECT_EQ(problem_of("a: &x [*x]\n"), "f.yaml:1:8: an alias inside its own anchor\n");
  EXPECT_EQ(problem_of("a: !!int 5\n"), "f.yaml:1:4: YAML tags are not supported: tag:yaml.org,2002:int\n");
}

TEST(Placeholders, WhatIsLeftOverAndWhatIsNot) {
  for (const char* text :
       {"<service-name>", "http://<host>/", "{{ name }}", "{{name}}", "${NAME}", "@TAG@", "a@B_c@d"}) {
    EXPECT_TRUE(left_over_placeholder(text)) << text;
  }
  for (const char* text : {"", "a < b > c", "POST /<path:p>", "{host}:{port}/*", "user@example.com", "a@b c@d", "<>",
                           "{{}}", "router {cluster}; egress", "1 <= 2"}) {
    EXPECT_EQ(left_over_placeholder(text), std::nullopt) << text;
  }
}

TEST(Problems, AreSortedAndNotRepeated) {
  Problems problems("f.yaml");
  problems.add(2, 1, "b");
  problems.add(1, 9, "a");
  problems.add(2, 1, "b");
  EXPECT_EQ(to_text(problems.sorted()), "f.yaml:1:9: a\nf.yaml:2:1: b\n");
  for (int i = 0; i < 1000; ++i) problems.add(i, 1, "many");
  EXPECT_LE(problems.sorted().size(), 200u);
}

TEST(Reader, ListsAreBounded) {
  Problems problems("f.yaml");
  const auto documents = parse_yaml("list: [" + repeated("x,", Reader::kMaxItems + 1) + "]\n", problems);
  Reader reader(&documents[0], "", problems);
  EXPECT_EQ(reader.items("list").size(), Reader::kMaxItems);
  EXPECT_EQ(to_text(problems.sorted()), "f.yaml:1:7: list: more than 1000 items\n");
}

TEST(Reader, WholeNumbersOnly) {
  Problems problems("f.yaml");
  const auto documents = parse_yaml("a: 1.0\nb: 1e3\nc: 99999999999999999999\nd: -0\ne: 7\nf: 0x10\n", problems);
  Reader reader(&documents[0], "", problems);
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) reader.integer(key, 5, {0, 1000});
  EXPECT_EQ(reader.integer("e", 5, {0, 1000}), 7);
  EXPECT_EQ(to_text(problems.sorted()),
            "f.yaml:1:4: a: expected a whole number, found \"1.0\"\n"
            "f.yaml:2:4: b: expected a whole number, found \"1e3\"\n"
            "f.yaml:3:4: c: 99999999999999999999 is out of range 0 to 1000\n"
            "f.yaml:6:4: f: expected a number, found \"0x10\"\n");
}

TEST(Reader, MessagesStayPrintable) {
  Problems problems("f.yaml");
  const auto documents = parse_yaml("\"\\e[31mred\": 1\n", problems);
  Reader reader(&documents[0], "spec", problems);
  reader.finish();
  EXPECT_EQ(to_text(problems.sorted()), "f.yaml:1:1: spec.\\x1b[31mred: unknown field\n");
}

}  // namespace
}  // namespace hopcheck::config
