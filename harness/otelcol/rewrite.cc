#include "otelcol/rewrite.h"

#include <fmt/format.h>

#include <optional>

#include "otelcol/breakages.h"

namespace hopcheck::otelcol {
namespace {

Place place_of(const Node& node) { return {node.line, node.column}; }

std::string_view without_blanks(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

class Rewriter {
 public:
  Rewriter(const Manifest& manifest, const Version& target)
      : manifest_(manifest), target_(target), edits_(manifest.text) {}

  Edits run() {
    for (const Configuration& configuration : manifest_.configurations) {
      if (!configuration.in_place) continue;
      exporters(configuration);
      receivers(configuration);
      health_checks(configuration);
    }
    image();
    return std::move(edits_);
  }

 private:
  // The scalar as it stands in the text, with its quotes.
  std::string token(const Node& scalar) const {
    const std::string_view there = edits_.at(place_of(scalar));
    if (!there.empty() && (there.front() == '"' || there.front() == '\''))
      return there.front() + scalar.text + there.front();
    return scalar.text;
  }
  void replace(const Node& scalar, const std::string& by) {
    const std::string old_text = token(scalar);
    const std::string quote = old_text == scalar.text ? "" : old_text.substr(0, 1);
    edits_.replace(place_of(scalar), old_text, quote + by + quote);
  }

  // NAME: VALUE into the mapping under `field`, which may be empty, in the layout the mapping has.
  void add_entry(const Field& field, const std::string& entry) {
    if (field.value->kind == Node::Kind::kMap) {
      if (edits_.at(place_of(*field.value)).starts_with('{')) {
        edits_.replace(place_of(*field.value), "{", field.value->items.empty() ? "{" + entry : "{" + entry + ", ");
      } else {
        const Node& first = field.value->items.front();
        edits_.insert_line(first.line - 1, std::string(static_cast<size_t>(first.column) - 1, ' ') + entry);
      }
      return;
    }
    if (field.value->kind != Node::Kind::kNull) return;
    Place behind = place_of(*field.key);
    behind.column += static_cast<int>(token(*field.key).size());
    if (!edits_.at(behind).starts_with(':')) {  // {grpc, http}
      edits_.replace(behind, "", ": {" + entry + "}");
      return;
    }
    ++behind.column;
    const std::string_view rest = without_blanks(edits_.at(behind));
    if (rest.empty() || rest.front() == '#') {
      const size_t indent = static_cast<size_t>(field.key->column) + 1;
      edits_.insert_line(field.key->line, std::string(indent, ' ') + entry);
      return;
    }
    for (const std::string_view null : {"null", "Null", "NULL", "~"}) {
      if (!rest.starts_with(null)) continue;
      behind.column += static_cast<int>(edits_.at(behind).size() - rest.size());
      edits_.replace(behind, null, "{" + entry + "}");
      return;
    }
    edits_.replace(behind, "", " {" + entry + "}");
  }

  void exporters(const Configuration& configuration) {
    if (target_ < kNoLogging) return;
    const Node* section = value(&configuration.root, "exporters");
    for (const Field& exporter : fields(section)) {
      const std::string& name = exporter.key->text;
      if (type_of(name) != "logging") continue;
      const std::string renamed = "debug" + name.substr(std::string("logging").size());
      if (value(section, renamed) != nullptr) continue;  // two of one name: a person decides
      replace(*exporter.key, renamed);
      for (const Node* use : used(configuration, "exporters")) {
        if (use->text == name) replace(*use, renamed);
      }
      verbosity(exporter);
    }
  }

  void verbosity(const Field& exporter) {
    const Node* key = key_of(exporter.value, "loglevel");
    const bool said = value(exporter.value, "verbosity") != nullptr;
    if (key == nullptr) {
      if (!said) add_entry(exporter, "verbosity: normal");
      return;
    }
    const Node& level = *value(exporter.value, "loglevel");
    const std::string word = verbosity_of(level.text);
    if (said || word.empty()) return;
    replace(*key, "verbosity");
    replace(level, word);
  }

  void receivers(const Configuration& configuration) {
    if (target_ < kLocalhost) return;
    for (const Field& receiver : fields(value(&configuration.root, "receivers"))) {
      if (type_of(receiver.key->text) != "otlp") continue;
      for (const Field& protocol : fields(value(receiver.value, "protocols"))) {
        if (value(protocol.value, "endpoint") != nullptr) continue;
        if (protocol.key->text == "grpc") add_entry(protocol, "endpoint: 0.0.0.0:4317");
        if (protocol.key->text == "http") add_entry(protocol, "endpoint: 0.0.0.0:4318");
      }
    }
  }

  void health_checks(const Configuration& configuration) {
    for (const Field& extension : fields(value(&configuration.root, "extensions"))) {
      if (type_of(extension.key->text) != "health_check") continue;
      const Node* port = value(extension.value, "port");
      const bool has_endpoint = value(extension.value, "endpoint") != nullptr;
      if (port != nullptr) {
        if (target_ < kNoHealthPort || has_endpoint || port_of(":" + port->text) == 0) continue;
        replace(*key_of(extension.value, "port"), "endpoint");
        replace(*port, "0.0.0.0:" + port->text);
      } else if (!has_endpoint && target_ >= kLocalhost) {
        add_entry(extension, "endpoint: 0.0.0.0:13133");
      }
    }
  }

  void image() {
    const Node* image = value(collector_container(workload(manifest_)), "image");
    if (image == nullptr) return;
    const auto tag = image_tag(image->text);
    if (tag && tag->version != target_) replace(*image, image->text.substr(0, tag->begin) + to_string(target_));
  }

  const Manifest& manifest_;
  Version target_;
  Edits edits_;
};

// A header's value: where it stands, and the column of its name. Lines after it that are indented deeper belong to it.
struct Secret {
  const Node* value;
  int key_column;
};

void find_secrets(const Node& node, std::vector<Secret>& out) {
  for (const Field& field : fields(&node)) {
    if (field.key->text != "headers") continue;
    for (const Field& header : fields(field.value)) out.push_back({header.value, header.key->column});
    for (const Node* item : items(field.value)) out.push_back({item, item->column});  // a list of name and value
  }
  for (const Node& item : node.items) find_secrets(item, out);
}

std::vector<Secret> secrets(const Configuration& configuration) {
  std::vector<Secret> out;
  find_secrets(configuration.root, out);
  // Where inner positions are unknown, all of the configuration is one secret.
  for (Secret& secret : out) {
    if (!configuration.in_place) secret.key_column = configuration.key_column;
  }
  return out;
}

void add_hidden(const Secret& secret, const Edits& text, std::vector<Place>& out) {
  out.push_back(place_of(*secret.value));
  for (int line = secret.value->line + 1; line < secret.value->line + 1000; ++line) {
    const std::string_view whole = text.at({line, 1});
    const size_t indent = whole.find_first_not_of(' ');
    if (indent == std::string_view::npos || indent < static_cast<size_t>(secret.key_column)) return;
    out.push_back({line, 1});
  }
}

// What the result still breaks on; a rewriting that helps only half is none.
config::Loaded<Rewritten> judged(Rewritten out, const Manifest& before, const Version& target) {
  config::Problems problems(before.file);
  const auto after = read_manifest(out.text, before.file);
  if (!after) {
    problems.add(1, 1, "the layout of this file cannot be edited in place; write the configuration as a plain block");
    return tl::unexpected(problems.sorted());
  }
  for (const Finding& finding : find_breakages(*after, target)) {
    const bool versioned = finding.effect == Effect::kRefused || finding.effect == Effect::kChanged;
    if (!versioned || finding.id == "undefined-component") continue;
    problems.add(finding.line, finding.column, finding.what + ": left to you, since it cannot be edited safely");
  }
  if (!problems.empty()) return tl::unexpected(problems.sorted());
  return out;
}

}  // namespace

std::optional<ImageTag> image_tag(const std::string& image) {
  const size_t slash = image.rfind('/'), colon = image.rfind(':');
  if (image.find('@') != std::string::npos || colon == std::string::npos) return std::nullopt;
  if (slash != std::string::npos && colon < slash) return std::nullopt;
  const auto version = parse_version(std::string_view(image).substr(colon + 1));
  if (!version) return std::nullopt;
  return ImageTag{*version, colon + 1};
}

bool holds_token(const Manifest& manifest) {
  for (const Configuration& configuration : manifest.configurations) {
    for (const Secret& secret : secrets(configuration)) {
      if (!is_empty(secret.value) && !text(secret.value).starts_with("${")) return true;
    }
  }
  return false;
}

config::Loaded<Rewritten> rewrite(const std::string& text, const std::string& file, const Version& target) {
  const auto manifest = read_manifest(text, file);
  if (!manifest) return tl::unexpected(manifest.error());
  const Edits edits = Rewriter(*manifest, target).run();
  std::vector<Place> hide;
  for (const Configuration& configuration : manifest->configurations) {
    for (const Secret& secret : secrets(configuration)) add_hidden(secret, edits, hide);
  }
  Rewritten out;
  out.text = edits.text();
  out.diff = edits.diff(file, file + " for Collector " + to_string(target), hide);
  return judged(std::move(out), *manifest, target);
}

}  // namespace hopcheck::otelcol
