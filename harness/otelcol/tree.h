// Small questions about a YAML tree: the value under a path, a scalar's text. Null where there is none; no question
// fails. Pure.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml_tree.h"

namespace hopcheck::otelcol {

using config::Node;

// The value of a mapping's field; null when `map` is null, no mapping, or has no such field.
const Node* value(const Node* map, std::string_view key);
// The field's name as it stands in the file.
const Node* key_of(const Node* map, std::string_view key);
// The value below the value …: at(doc, {"spec", "template"}).
const Node* at(const Node* map, std::initializer_list<std::string_view> path);
std::string text(const Node* node);  // of a scalar, else ""
std::string text(const Node* map, std::string_view key);
bool is_empty(const Node* node);  // null pointer, null, or ""

struct Field {
  const Node* key = nullptr;
  const Node* value = nullptr;
};
std::vector<Field> fields(const Node* map);           // in order of the file
std::vector<const Node*> items(const Node* list);     // of a list, else none
std::vector<std::string> texts(const Node* list);     // the scalars of a list
bool holds(const Node* list, std::string_view item);  // a scalar of the list is `item`
// "otlp/backend" is of type "otlp" (Collector component ids).
std::string type_of(std::string_view component);

}  // namespace hopcheck::otelcol
