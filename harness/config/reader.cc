#include "config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace hopcheck::config {
namespace {

const Node kEmptyMap = [] {
  Node node;
  node.kind = Node::Kind::kMap;
  return node;
}();

// For messages: printable and not longer than a line bears.
std::string shown(const std::string& text) {
  constexpr size_t kMost = 80;
  return text.size() <= kMost ? printable(text) : printable(text.substr(0, kMost)) + "…";
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  if (word.size() > 64) return "";  // bounds the edit distance
  const std::optional<std::string> best = nearest(word, candidates);
  return best ? fmt::format("; did you mean \"{}\"?", *best) : "";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::optional<double> number_of(const std::string& text) {
  if (text.empty() || text.size() > 32) return std::nullopt;
  if (text.find_first_not_of("+-.0123456789eE") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string describe(const Node& node) {
  return node.kind == Node::Kind::kScalar ? fmt::format("\"{}\"", shown(node.text)) : to_string(node.kind);
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_-. /").find(c) != std::string_view::npos;
}

// Names become file names, so nothing else is let in.
bool is_document_name(const std::string& name) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return name.size() <= 100 && plain(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

// opener, words, closer: "<service-name>". At most 64 characters inside.
std::optional<std::string> bracketed(const std::string& text, std::string_view opener, std::string_view closer) {
  for (size_t at = text.find(opener); at != std::string::npos; at = text.find(opener, at + 1)) {
    const size_t from = at + opener.size();
    size_t to = from;
    while (to < text.size() && to - from <= 64 && is_word(text[to])) ++to;
    if (to > from && to - from <= 64 && text.compare(to, closer.size(), closer) == 0) {
      return text.substr(at, to + closer.size() - at);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> left_over_placeholder(const std::string& text) {
  const auto angled = bracketed(text, "<", ">");
  if (angled && (*angled)[1] != ' ' && (*angled)[angled->size() - 2] != ' ') return angled;
  if (auto found = bracketed(text, "{{", "}}")) return found;
  if (auto found = bracketed(text, "${", "}")) return found;
  auto found = bracketed(text, "@", "@");
  return found && found->find(' ') == std::string::npos ? found : std::nullopt;
}

std::optional<std::string> scalar_text(const Node& node, const std::string& where, Problems& problems) {
  if (node.kind != Node::Kind::kScalar) {
    problems.add(node, fmt::format("{}: expected text, found {}", where, to_string(node.kind)));
    return std::nullopt;
  }
  if (!node.quoted && (number_of(node.text) || node.text == "true" || node.text == "false")) {
    problems.add(node, fmt::format("{}: expected text, found {}; put it in quotes", where, shown(node.text)));
    return std::nullopt;
  }
  if (const auto placeholder = left_over_placeholder(node.text)) {
    problems.add(node, fmt::format("{}: placeholder {} was not replaced", where, shown(*placeholder)));
    return std::nullopt;
  }
  std::string lines = node.text;
  std::replace(lines.begin(), lines.end(), '\n', ' ');
  if (printable(lines) != lines) {
    problems.add(node, fmt::format("{}: holds control or invisible characters: \"{}\"", where, shown(node.text)));
    return std::nullopt;
  }
  return node.text;
}

Reader::Reader(const Node* node, std::string where, Problems& problems)
    : node_(node ? node : &kEmptyMap), where_(std::move(where)), problems_(problems) {
  if (node_->kind == Node::Kind::kMap) {
    std::map<std::string, const Node*> seen;
    for (size_t i = 0; i + 1 < node_->items.size(); i += 2) {
      const Node& key = node_->items[i];
      if (key.kind != Node::Kind::kScalar) continue;  // finish() reports it
      const auto [first, fresh] = seen.emplace(key.text, &key);
      if (!fresh) {
        problems_.add(key,
                      fmt::format("{}: given twice, first in line {}", path_of(shown(key.text)), first->second->line));
      }
    }
    return;
  }
  problems_.add(
      *node_, fmt::format("{}: expected a mapping, found {}", where_.empty() ? "document" : where_, describe(*node_)));
  node_ = &kEmptyMap;
}

const Node* Reader::find(const std::string& key) const {
  for (size_t i = 0; i + 1 < node_->items.size(); i += 2) {
    if (node_->items[i].kind == Node::Kind::kScalar && node_->items[i].text == key) return &node_->items[i + 1];
  }
  return nullptr;
}

const Node* Reader::take(const std::string& key, Need need) {
  known_.push_back(key);
  for (size_t i = 0; i + 1 < node_->items.size(); i += 2) {
    const Node& name = node_->items[i];
    if (name.kind != Node::Kind::kScalar || name.text != key) continue;
    const Node& value = node_->items[i + 1];
    if (value.kind != Node::Kind::kNull) return &value;
    problems_.add(name, fmt::format("{}: has no value", path_of(key)));
    return nullptr;
  }
  // A mapping that is itself missing or no mapping is one problem, not one for each field in it.
  if (need == Need::kRequired && node_ != &kEmptyMap) problems_.add(*node_, fmt::format("{}: missing", path_of(key)));
  return nullptr;
}

std::string Reader::text(const std::string& key, const std::string& fallback, Need need) {
  const Node* node = take(key, need);
  if (!node) return fallback;
  std::string value = scalar_text(*node, path_of(key), problems_).value_or(fallback);
  if (need == Need::kRequired && node->kind == Node::Kind::kScalar && node->text.empty()) {
    problems_.add(*node, fmt::format("{}: must not be empty", path_of(key)));
  }
  return value;
}

bool Reader::boolean(const std::string& key, bool fallback) {
  const Node* node = take(key);
  if (!node) return fallback;
  if (node->kind == Node::Kind::kScalar && !node->quoted && (node->text == "true" || node->text == "false")) {
    return node->text == "true";
  }
  problems_.add(*node, fmt::format("{}: expected true or false, found {}", path_of(key), describe(*node)));
  return fallback;
}

double Reader::number(const std::string& key, double fallback, Range range) {
  const Node* node = take(key);
  if (!node) return fallback;
  std::optional<double> value;
  if (node->kind == Node::Kind::kScalar && !node->quoted) value = number_of(node->text);
  if (!value) {
    problems_.add(*node, fmt::format("{}: expected a number, found {}", path_of(key), describe(*node)));
    return fallback;
  }
  if (*value < range.least || *value > range.most) {
    problems_.add(*node, fmt::format("{}: {} is out of range {} to {}", path_of(key), shown(node->text), range.least,
                                     range.most));
    return fallback;
  }
  return *value;
}

int64_t Reader::integer(const std::string& key, int64_t fallback, Range range) {
  const Node* node = find(key);
  if (node && node->kind == Node::Kind::kScalar && !node->quoted && number_of(node->text) &&
      node->text.find_first_not_of("-0123456789") != std::string::npos) {
    take(key);
    problems_.add(*node, fmt::format("{}: expected a whole number, found \"{}\"", path_of(key), shown(node->text)));
    return fallback;
  }
  return static_cast<int64_t>(number(key, static_cast<double>(fallback), range));
}

int64_t Reader::duration_nanos(const std::string& key, int64_t fallback) {
  const Node* node = take(key);
  if (!node) return fallback;
  if (node->kind == Node::Kind::kScalar && node->text.size() <= 32) {
    if (const auto nanos = parse_duration_nanos(node->text)) return *nanos;
  }
  problems_.add(
      *node, fmt::format("{}: expected a duration like 250ms, 5s or 1m30s, found {}", path_of(key), describe(*node)));
  return fallback;
}

std::vector<const Node*> Reader::items(const std::string& key, Need need) {
  std::vector<const Node*> out;
  const Node* node = take(key, need);
  if (!node) return out;
  if (node->kind != Node::Kind::kList) {
    problems_.add(*node, fmt::format("{}: expected a list, found {}", path_of(key), describe(*node)));
    return out;
  }
  if (node->items.size() > kMaxItems) {
    problems_.add(*node, fmt::format("{}: more than {} items", path_of(key), kMaxItems));
  }
  for (size_t i = 0; i < std::min(node->items.size(), kMaxItems); ++i) out.push_back(&node->items[i]);
  return out;
}

std::vector<std::string> Reader::texts(const std::string& key) {
  std::vector<std::string> out;
  for (const Node* item : items(key)) {
    const std::string where = fmt::format("{}[{}]", path_of(key), out.size());
    std::string value = scalar_text(*item, where, problems_).value_or("");
    if (std::find(out.begin(), out.end(), value) != out.end() && !value.empty()) {
      problems_.add(*item, fmt::format("{}: \"{}\" is listed twice", path_of(key), shown(value)));
    }
    out.push_back(std::move(value));
  }
  return out;
}

std::map<std::string, std::string> Reader::text_map(const std::string& key) {
  std::map<std::string, std::string> out;
  const Node* node = take(key);
  if (!node) return out;
  Reader entries(node, path_of(key), problems_);
  for (size_t i = 0; i + 1 < entries.node().items.size(); i += 2) {
    const Node& name = entries.node().items[i];
    const auto name_text = scalar_text(name, path_of(key) + " key", problems_);
    if (!name_text) continue;
    const auto value = scalar_text(entries.node().items[i + 1], path_of(key) + "." + *name_text, problems_);
    if (value) out.emplace(*name_text, *value);
  }
  return out;
}

std::optional<size_t> Reader::choose(const Node& node, const std::string& key, const std::vector<std::string>& names) {
  if (node.kind == Node::Kind::kScalar) {
    const auto found = std::find(names.begin(), names.end(), node.text);
    if (found != names.end()) return static_cast<size_t>(found - names.begin());
  }
  const std::string hint = node.kind == Node::Kind::kScalar ? did_you_mean(node.text, names) : "";
  problems_.add(node, fmt::format("{}: {} is not one of {}{}", path_of(key), describe(node), joined(names), hint));
  return std::nullopt;
}

void Reader::problem(const std::string& key, const std::string& message) {
  const Node* found = find(key);
  problems_.add(found ? *found : *node_, fmt::format("{}: {}", path_of(key), message));
}

void Reader::finish() {
  for (size_t i = 0; i + 1 < node_->items.size() && !problems_.full(); i += 2) {
    const Node& key = node_->items[i];
    if (key.kind != Node::Kind::kScalar) {
      problems_.add(key, fmt::format("{}: a field name must be text", where_.empty() ? "document" : where_));
      continue;
    }
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    problems_.add(key, fmt::format("{}: unknown field{}", path_of(shown(key.text)), did_you_mean(key.text, known_)));
  }
}

bool is_label(const std::string& text) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && alnum(text.front()) && alnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return alnum(c) || c == '-'; });
}

std::optional<Head> read_head(const Node& document, const std::string& kind, Problems& problems) {
  Reader top(&document, "", problems);
  const std::string api = top.text("apiVersion", "", Need::kRequired);
  const std::string got = top.text("kind", "", Need::kRequired);
  if (!api.empty() && api != kApiVersion)
    top.problem("apiVersion", fmt::format("expected {}, found \"{}\"", kApiVersion, shown(api)));
  if (!got.empty() && got != kind) {
    top.problem("kind", fmt::format("expected {}, found \"{}\"", kind, shown(got)));
    return std::nullopt;
  }
  Head head;
  if (const Node* node = top.take("metadata", Need::kRequired)) {
    Reader metadata(node, "metadata", problems);
    head.name = metadata.text("name", "", Need::kRequired);
    if (!head.name.empty() && !is_document_name(head.name)) {
      metadata.problem("name", "use letters, digits, '.', '_' and '-', at most 100, starting with a letter or digit");
    }
    metadata.finish();
  }
  head.spec = top.take("spec", Need::kRequired);
  top.finish();
  return head;
}

}  // namespace hopcheck::config
