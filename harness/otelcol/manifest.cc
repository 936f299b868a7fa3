#include "otelcol/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"

namespace hopcheck::otelcol {
namespace {

using Names = std::set<std::string, std::less<>>;

const Names kSections = {"receivers", "processors", "exporters", "connectors", "extensions", "service"};
// What the objects of a Collector's manifest may have at the left edge (Kubernetes API: ConfigMap, Secret, Service,
// ServiceAccount, Namespace, workloads, RBAC).
const Names kObjectFields = {"apiVersion", "kind",       "metadata", "spec",    "data",
                             "binaryData", "stringData", "type",     "status",  "immutable",
                             "secrets",    "rules",      "roleRef",  "subjects", "aggregationRule",
                             "imagePullSecrets", "automountServiceAccountToken"};

bool is_object(const Node& root) { return value(&root, "apiVersion") != nullptr && value(&root, "kind") != nullptr; }

bool is_configuration(const Node& root) {
  int known = 0;
  for (const std::string& section : kSections) known += key_of(&root, section) != nullptr ? 1 : 0;
  return known >= 2;
}

// A heading with nothing under it, while what belongs under it stands beside it: true when there is one.
bool find_lost_indentation(const Node& root, const Names& headings, const Names& allowed, config::Problems& problems) {
  const std::vector<Field> all = fields(&root);
  for (size_t i = 0; i + 1 < all.size(); ++i) {
    if (!headings.contains(all[i].key->text) || !is_empty(all[i].value)) continue;
    const Node& next = *all[i + 1].key;
    if (allowed.contains(next.text) || next.column != all[i].key->column) continue;
    problems.add(next, fmt::format("`{}` stands beside `{}:`, which is empty, and belongs under it: the indentation is "
                                   "lost; copy the text again with its leading blanks",
                                   printable(next.text), all[i].key->text));
    return true;  // one is enough: all the rest follows from it
  }
  return false;
}

void find_duplicates(const Node& node, config::Problems& problems) {
  std::set<std::string> seen;
  for (const Field& field : fields(&node)) {
    if (!seen.insert(field.key->text).second)
      problems.add(*field.key, fmt::format("`{}` is given twice", printable(field.key->text)));
  }
  for (const Node& item : node.items) find_duplicates(item, problems);
}

// "<gRPC-Endpoint>": what documentation puts where a value is to be filled in.
std::optional<std::string> placeholder_in(const std::string& text) {
  constexpr size_t kLongest = 60;
  for (size_t open = text.find('<'); open != std::string::npos; open = text.find('<', open + 1)) {
    const size_t close = text.find('>', open);
    if (close == std::string::npos || close - open > kLongest || close == open + 1) continue;
    const std::string name = text.substr(open + 1, close - open - 1);
    const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == ' '; };
    if (std::isalpha(static_cast<unsigned char>(name[0])) != 0 && std::all_of(name.begin(), name.end(), fits))
      return "<" + name + ">";
  }
  return std::nullopt;
}

// Block scalars are left to whoever reads them.
void find_placeholders(const Node& node, config::Problems& problems) {
  const bool block = node.quoted && node.text.find('\n') != std::string::npos;
  if (node.kind == Node::Kind::kScalar && !block) {
    if (const auto name = placeholder_in(node.text))
      problems.add(node, fmt::format("the placeholder {} was not replaced by a value", *name));
  }
  for (const Node& item : node.items) find_placeholders(item, problems);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines = split(text, '\n');
  for (std::string_view& line : lines) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  }
  return lines;
}

// No YAML, and no line is indented: the likely reason is worth a word.
bool looks_flat(const std::string& text) {
  size_t used = 0;
  for (const std::string_view line : lines_of(text)) {
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == ' ') return false;
    ++used;
  }
  return used >= 5;
}

struct Shift {
  int lines = 0, columns = 0;
};

void move(Node& node, const Shift& by) {
  node.line += by.lines;
  node.column += by.columns;
  for (Node& item : node.items) move(item, by);
}

void pin(Node& node, const Node& to) {
  node.line = to.line;
  node.column = to.column;
  for (Node& item : node.items) pin(item, to);
}

// How a literal block's own positions become the file's; nullopt when the scalar is none.
std::optional<Shift> shift_of(const Node& scalar, const std::vector<std::string_view>& file) {
  const size_t head = static_cast<size_t>(scalar.line) - 1;
  const size_t mark = static_cast<size_t>(scalar.column) - 1;
  if (head >= file.size() || mark >= file[head].size() || file[head][mark] != '|') return std::nullopt;
  const auto inner = lines_of(scalar.text);
  for (size_t i = 0; i < inner.size() && head + 1 + i < file.size(); ++i) {
    if (inner[i].empty()) continue;
    const std::string_view outer = file[head + 1 + i];
    if (!outer.ends_with(inner[i])) return std::nullopt;
    return Shift{scalar.line, static_cast<int>(outer.size() - inner[i].size())};
  }
  return std::nullopt;
}

class Reading {
 public:
  Reading(const std::string& text, const std::string& file) : problems_(file), lines_(lines_of(text)) {
    out_.file = file;
    out_.text = text;
  }

  config::Loaded<Manifest> run() {
    out_.documents = config::parse_yaml(out_.text, problems_);
    if (!problems_.empty() && looks_flat(out_.text))
      problems_.add(1, 1, "no line is indented: the indentation is lost; copy the text again with its leading blanks");
    for (const Node& document : out_.documents) read(document);
    if (problems_.empty() && out_.configurations.empty())
      problems_.add(1, 1, "no Collector configuration is in this file, neither its sections receivers, exporters and "
                          "service, nor a ConfigMap that holds them");
    if (!problems_.empty()) return tl::unexpected(problems_.sorted());
    return std::move(out_);
  }

 private:
  void read(const Node& document) {
    const bool is_kubernetes = is_object(document), is_collector = !is_kubernetes && is_configuration(document);
    if (is_kubernetes && find_lost_indentation(document, {"metadata", "spec", "data"}, kObjectFields, problems_))
      return;
    if (is_collector && find_lost_indentation(document, kSections, kSections, problems_)) return;
    find_duplicates(document, problems_);
    find_placeholders(document, problems_);
    if (is_kubernetes) {
      if (text(&document, "kind") == "ConfigMap") read_config_map(document);
    } else if (is_collector) {
      out_.configurations.push_back({document, "", "", "", true, 1});
    }
  }

  void read_config_map(const Node& document) {
    const std::string name = text(at(&document, {"metadata", "name"}));
    for (const Field& field : fields(value(&document, "data"))) {
      if (field.value->kind != Node::Kind::kScalar) continue;
      const std::string& inner = field.value->text;
      if (inner.find("receivers:") == std::string::npos || inner.find("exporters:") == std::string::npos) continue;
      read_inner(*field.value, {{}, "", name, field.key->text, true, field.key->column});
    }
  }

  void read_inner(const Node& scalar, Configuration out) {
    const std::optional<Shift> shift = shift_of(scalar, lines_);
    config::Problems inner(out_.file);
    std::vector<Node> documents = config::parse_yaml(scalar.text, inner);
    if (documents.size() == 1 && inner.empty() &&
        !find_lost_indentation(documents[0], kSections, kSections, inner)) {
      find_duplicates(documents[0], inner);
      find_placeholders(documents[0], inner);
    } else if (inner.empty()) {
      inner.add(1, 1, "the configuration is more than one YAML document");
    }
    for (const config::Problem& problem : inner.sorted()) {
      if (shift) problems_.add(problem.line + shift->lines, problem.column + shift->columns, problem.message);
      else problems_.add(scalar, problem.message);
    }
    if (!inner.empty()) return;
    if (shift) move(documents[0], *shift);
    else pin(documents[0], scalar);
    out.root = std::move(documents[0]);
    out.where = fmt::format("key {} of ConfigMap {}", printable(out.key), printable(out.config_map));
    out.in_place = shift.has_value();
    out_.configurations.push_back(std::move(out));
  }

  config::Problems problems_;
  std::vector<std::string_view> lines_;
  Manifest out_;
};

bool runs_collector(const Node* container) {
  const std::string image = text(container, "image");
  if (image.find("opentelemetry-collector") != std::string::npos || image.find("otelcol") != std::string::npos)
    return true;
  const auto command = texts(value(container, "command"));
  return !command.empty() && command[0].find("otelcol") != std::string::npos;
}

}  // namespace

config::Loaded<Manifest> read_manifest(const std::string& text, const std::string& file) {
  return Reading(text, file).run();
}

const Node* object(const Manifest& manifest, std::string_view kind) {
  for (const Node& document : manifest.documents) {
    if (text(&document, "kind") == kind) return &document;
  }
  return nullptr;
}

const Node* collector_container(const Node* workload) {
  for (const Node* container : items(at(workload, {"spec", "template", "spec", "containers"}))) {
    if (runs_collector(container)) return container;
  }
  return nullptr;
}

const Node* workload(const Manifest& manifest) {
  for (const Node& document : manifest.documents) {
    const std::string kind = text(&document, "kind");
    if (kind != "Deployment" && kind != "DaemonSet" && kind != "StatefulSet") continue;
    if (collector_container(&document) != nullptr) return &document;
  }
  return nullptr;
}

}  // namespace hopcheck::otelcol
