#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "config/parts.h"

namespace hopcheck::config {
namespace {

struct Place {
  int line = 0, column = 0;
};

const Node* field(const Node& map, const std::string& key) {
  if (map.kind != Node::Kind::kMap) return nullptr;
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (map.items[i].kind == Node::Kind::kScalar && map.items[i].text == key) return &map.items[i + 1];
  }
  return nullptr;
}

Node* field(Node& map, const std::string& key) { return const_cast<Node*>(field(std::as_const(map), key)); }

void remove_field(Node& map, const std::string& key) {
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (map.items[i].text != key) continue;
    map.items.erase(map.items.begin() + static_cast<long>(i), map.items.begin() + static_cast<long>(i) + 2);
    return;
  }
}

// By which fields an item of a list is the same as one of the base; empty: the list is taken as a whole.
std::vector<std::string> identity_of(const std::string& list) {
  static const std::map<std::string, std::vector<std::string>> kIdentities{{"resource", {"key"}},
                                                                           {"attributes", {"key"}},
                                                                           {"spans", {"role"}},
                                                                           {"gatewaySingle", {"role"}},
                                                                           {"status", {"kind", "from"}},
                                                                           {"grpcStatus", {"kind", "from"}}};
  const auto found = kIdentities.find(list);
  return found == kIdentities.end() ? std::vector<std::string>{} : found->second;
}

// About one version alone: never inherited.
const std::vector<std::string> kOwn{"extends", "istioMinor", "envoyMinor", "proof", "changes", "before"};

// A source is where a fact stands and, after semicolons, what showed it for that version.
std::string without_evidence(const std::string& source) {
  std::string out;
  for (std::string_view part : split(source, ';')) {
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    const std::string_view word = part.substr(0, part.find(' '));
    if (word == "captures" || word == "run" || word == "measured") continue;
    out += (out.empty() ? "" : "; ") + std::string(part);
  }
  return out;
}

// The base's tree as part of the extending file: every position is that of `extends`.
void adopt(Node& node, Place place) {
  node.line = place.line;
  node.column = place.column;
  if (node.kind == Node::Kind::kMap) {
    for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
      if (node.items[i].text == "source") node.items[i + 1].text = without_evidence(node.items[i + 1].text);
    }
    const Node* source = field(node, "source");
    if (source != nullptr && source->text.empty()) remove_field(node, "source");
  }
  for (Node& item : node.items) adopt(item, place);
}

class Merger {
 public:
  explicit Merger(Problems& problems) : problems_(problems) {}

  // `own` over `base`; key: the field both stand in, where: its path for messages.
  Node merge(Node base, const Node& own, const std::string& key, const std::string& where) {
    if (base.kind == Node::Kind::kMap && own.kind == Node::Kind::kMap) return merge_maps(std::move(base), own, where);
    const std::vector<std::string> identity = identity_of(key);
    if (base.kind == Node::Kind::kList && own.kind == Node::Kind::kList && !identity.empty())
      return merge_lists(std::move(base), own, identity, where);
    return own;
  }

 private:
  Node merge_maps(Node base, const Node& own, const std::string& where) {
    const bool set = where.rfind("spec.attributeSets.", 0) == 0 && where.find('[') == std::string::npos;
    if (field(base, "source") != nullptr && field(own, "source") == nullptr && !set)
      problems_.add(own, where + ": changes what its base says and names no source");
    base.line = own.line;
    base.column = own.column;
    for (size_t i = 0; i + 1 < own.items.size(); i += 2) {
      const std::string& key = own.items[i].text;
      Node* known = field(base, key);
      const std::string path = where + "." + key;
      if (known == nullptr) {
        base.items.push_back(own.items[i]);
        base.items.push_back(own.items[i + 1]);
      } else {
        *known = merge(std::move(*known), own.items[i + 1], key, path);
      }
    }
    return base;
  }

  Node merge_lists(Node base, const Node& own, const std::vector<std::string>& identity, const std::string& where) {
    size_t index = 0;
    for (const Node& item : own.items) {
      const std::string path = fmt::format("{}[{}]", where, index++);
      const auto same = std::find_if(base.items.begin(), base.items.end(),
                                     [&](const Node& other) { return id(other, identity) == id(item, identity); });
      const Node* remove = field(item, "remove");
      if (remove != nullptr && remove->text == "true") {
        if (same != base.items.end()) base.items.erase(same);
        else problems_.add(item, path + ".remove: the base has no such item");
      } else if (same != base.items.end() && item.kind == Node::Kind::kMap && same->kind == Node::Kind::kMap) {
        *same = merge_maps(std::move(*same), item, path);
      } else {
        base.items.push_back(item);
      }
    }
    return base;
  }

  static std::string id(const Node& item, const std::vector<std::string>& identity) {
    std::string out;
    for (const std::string& key : identity) {
      const Node* value = field(item, key);
      out += (value == nullptr ? "" : value->text) + "\n";
    }
    return out;
  }

  Problems& problems_;
};

class Bases {
 public:
  Bases(const ProfileTexts& texts, Problems& problems) : texts_(texts), problems_(problems) {}

  Node extended(const Node& spec, std::vector<std::string> chain) {
    const Node* extends = field(spec, "extends");
    if (extends == nullptr) return spec;
    const Place place{extends->line, extends->column};
    const auto problem = [&](const std::string& message) {
      problems_.add(place.line, place.column, "spec.extends: " + message);
      return spec;
    };
    if (extends->kind != Node::Kind::kScalar || extends->text.empty()) return problem("expected the name of a profile");
    const std::string name = extends->text;
    const bool cycle = std::find(chain.begin(), chain.end(), name) != chain.end();
    chain.push_back(name);
    if (cycle) return problem("a cycle: " + joined(chain));
    if (chain.size() > kMostBases + 1) return problem(fmt::format("more than {} profiles in a row", kMostBases));
    const auto text = texts_ ? texts_(name) : std::nullopt;
    if (!text) return problem(fmt::format("no profile \"{}\"", printable(name)));
    Problems theirs(name);
    const std::vector<Node> documents = parse_yaml(*text, theirs);
    std::optional<Head> head;
    if (documents.size() == 1) head = read_head(documents[0], "MeshProfile", theirs);
    Node base;
    if (theirs.empty() && head && head->spec != nullptr && head->spec->kind == Node::Kind::kMap)
      base = Bases(texts_, theirs).extended(*head->spec, std::move(chain));
    else if (theirs.empty()) theirs.add(0, 0, "expected one document with a spec");
    if (!theirs.empty()) {
      return problem(
          fmt::format("profile {} is not valid itself: {}", printable(name), theirs.sorted().front().message));
    }
    for (const std::string& key : kOwn) remove_field(base, key);
    adopt(base, place);
    Node own = spec;
    remove_field(own, "extends");
    return Merger(problems_).merge(std::move(base), own, "spec", "spec");
  }

 private:
  static std::string joined(const std::vector<std::string>& chain) {
    std::string out;
    for (const std::string& name : chain) out += (out.empty() ? "" : " -> ") + printable(name);
    return out;
  }

  const ProfileTexts& texts_;
  Problems& problems_;
};

}  // namespace

std::string base_of(const Node& spec) {
  const Node* extends = field(spec, "extends");
  return extends == nullptr ? "" : extends->text;
}

Node extended_spec(const std::string& name, const Node& spec, const ProfileTexts& bases, Problems& problems) {
  return Bases(bases, problems).extended(spec, {name});
}

}  // namespace hopcheck::config
