#include "otelcol/tree.h"

#include <algorithm>

namespace hopcheck::otelcol {

std::vector<Field> fields(const Node* map) {
  std::vector<Field> out;
  if (map == nullptr || map->kind != Node::Kind::kMap) return out;
  for (size_t i = 0; i + 1 < map->items.size(); i += 2) out.push_back({&map->items[i], &map->items[i + 1]});
  return out;
}

const Node* key_of(const Node* map, std::string_view key) {
  for (const Field& field : fields(map)) {
    if (field.key->text == key) return field.key;
  }
  return nullptr;
}

const Node* value(const Node* map, std::string_view key) {
  for (const Field& field : fields(map)) {
    if (field.key->text == key) return field.value;
  }
  return nullptr;
}

const Node* at(const Node* map, std::initializer_list<std::string_view> path) {
  for (const std::string_view key : path) map = value(map, key);
  return map;
}

std::string text(const Node* node) {
  return node != nullptr && node->kind == Node::Kind::kScalar ? node->text : std::string();
}

std::string text(const Node* map, std::string_view key) { return text(value(map, key)); }

bool is_empty(const Node* node) {
  return node == nullptr || node->kind == Node::Kind::kNull ||
         (node->kind == Node::Kind::kScalar && node->text.empty());
}

std::vector<const Node*> items(const Node* list) {
  std::vector<const Node*> out;
  if (list == nullptr || list->kind != Node::Kind::kList) return out;
  for (const Node& item : list->items) out.push_back(&item);
  return out;
}

std::vector<std::string> texts(const Node* list) {
  std::vector<std::string> out;
  for (const Node* item : items(list)) {
    if (item->kind == Node::Kind::kScalar) out.push_back(item->text);
  }
  return out;
}

bool holds(const Node* list, std::string_view item) {
  const auto all = texts(list);
  return std::find(all.begin(), all.end(), item) != all.end();
}

std::string type_of(std::string_view component) { return std::string(component.substr(0, component.find('/'))); }

}  // namespace hopcheck::otelcol
