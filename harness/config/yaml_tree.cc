#include "config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace hopcheck::config {

const char* to_string(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "a single value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a mapping";
  }
  return "?";
}

void Problems::add(int line, int column, std::string message) {
  if (!full()) list_.push_back({file_, line, column, std::move(message)});
}

std::vector<Problem> Problems::sorted() const {
  std::vector<Problem> out = list_;
  const auto key = [](const Problem& p) { return std::tie(p.line, p.column, p.message); };
  std::sort(out.begin(), out.end(), [&](const Problem& a, const Problem& b) { return key(a) < key(b); });
  out.erase(std::unique(out.begin(), out.end(), [&](const Problem& a, const Problem& b) { return key(a) == key(b); }),
            out.end());
  return out;
}

namespace {

// Thrown out of the event handler, so that yaml-cpp's recursion ends at our bounds and not at its own.
struct Refused {
  int line, column;
  std::string message;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {
    open_.clear();
    anchors_.clear();
    root_.reset();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { finish(make(Node::Kind::kNull, mark), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) refuse(mark, "an alias inside its own anchor");
    spend(found->second, mark, open_.size());
    Node copy = found->second;
    place(copy, mark);
    finish(std::move(copy), YAML::NullAnchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag != "?" && tag != "!" && !tag.empty()) refuse(mark, "YAML tags are not supported: " + printable(tag));
    Node node = make(Node::Kind::kScalar, mark);
    node.quoted = tag == "!";
    node.text = value;
    count_text(value.size(), mark);
    finish(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Node::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

  std::optional<Node> take_root() { return std::exchange(root_, std::nullopt); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
  };

  [[noreturn]] static void refuse(const YAML::Mark& mark, std::string message) {
    throw Refused{mark.line + 1, mark.column + 1, std::move(message)};
  }
  static void place(Node& node, const YAML::Mark& mark) {
    node.line = mark.line + 1;
    node.column = mark.column + 1;
  }
  Node make(Node::Kind kind, const YAML::Mark& mark) {
    if (++nodes_ > kMaxNodes) refuse(mark, fmt::format("more than {} values", kMaxNodes));
    Node node;
    node.kind = kind;
    place(node, mark);
    return node;
  }
  void count_text(size_t bytes, const YAML::Mark& mark) {
    text_bytes_ += bytes;
    if (text_bytes_ > kMaxTextBytes) refuse(mark, fmt::format("more than {} bytes of text", kMaxTextBytes));
  }
  // Charges a copy of the node against the bounds; an alias costs what it stands for.
  void spend(const Node& node, const YAML::Mark& mark, size_t depth) {
    if (depth > kMaxDepth) refuse(mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    if (++nodes_ > kMaxNodes) refuse(mark, fmt::format("more than {} values", kMaxNodes));
    count_text(node.text.size(), mark);
    for (const Node& item : node.items) spend(item, mark, depth + 1);
  }
  void start(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (tag != "?" && tag != "!" && !tag.empty()) refuse(mark, "YAML tags are not supported: " + printable(tag));
    if (open_.size() >= kMaxDepth) refuse(mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    open_.push_back({make(kind, mark), anchor});
  }
  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    finish(std::move(done.node), done.anchor);
  }
  void finish(Node node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      YAML::Mark mark;
      mark.line = node.line - 1;
      mark.column = node.column - 1;
      spend(node, mark, open_.size());
      anchors_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().node.items.push_back(std::move(node));
    }
  }

  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::optional<Node> root_;
  size_t nodes_ = 0;
  size_t text_bytes_ = 0;
};

bool indented_with_tab(const std::string& text, int line) {
  size_t start = 0;
  for (int i = 1; i < line && start != std::string::npos; ++i) {
    start = text.find('\n', start);
    if (start != std::string::npos) ++start;
  }
  if (start == std::string::npos) return false;
  const size_t end = text.find_first_not_of(" \t", start);
  return text.substr(start, end == std::string::npos ? end : end - start).find('\t') != std::string::npos;
}

}  // namespace

std::vector<Node> parse_yaml(const std::string& text, Problems& problems) {
  if (text.size() > kMaxBytes) {
    problems.add(1, 1, fmt::format("larger than {} bytes", kMaxBytes));
    return {};
  }
  std::vector<Node> documents;
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) {
      if (std::optional<Node> root = builder.take_root()) documents.push_back(std::move(*root));
    }
  } catch (const Refused& refused) {
    problems.add(refused.line, refused.column, refused.message);
    return {};
  } catch (const YAML::Exception& error) {
    const int line = std::max(0, error.mark.line) + 1;
    std::string why = "not valid YAML: " + printable(error.msg);
    if (indented_with_tab(text, line)) why += "; the line is indented with a tab, YAML takes spaces only";
    problems.add(line, std::max(0, error.mark.column) + 1, why);
    return {};
  } catch (const std::exception& error) {
    problems.add(1, 1, std::string("not valid YAML: ") + error.what());
    return {};
  }
  if (documents.empty()) problems.add(1, 1, "the file is empty");
  return documents;
}

}  // namespace hopcheck::config
