// Looking into JSON of unknown shape without throwing: what is not there, or has another type, reads as empty.
// Templates over nlohmann::json, so that this header does not bring it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hopcheck::mesh {

template <class Json>
const Json& child_of(const Json& object, const char* key) {  // null when there is none
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

template <class Json>
std::string text_at(const Json& object, const char* key) {
  const Json& value = child_of(object, key);
  return value.is_string() ? value.template get<std::string>() : std::string();
}

template <class Json>
int64_t number_at(const Json& object, const char* key) {
  const Json& value = child_of(object, key);
  return value.is_number_integer() ? value.template get<int64_t>() : 0;
}

template <class Json>
bool flag_at(const Json& object, const char* key) {
  const Json& value = child_of(object, key);
  return value.is_boolean() && value.template get<bool>();
}

template <class Json>
std::map<std::string, std::string> labels_at(const Json& object, const char* key) {
  std::map<std::string, std::string> out;
  const Json& labels = child_of(object, key);
  if (!labels.is_object()) return out;
  for (const auto& label : labels.items()) {
    if (label.value().is_string()) out[label.key()] = label.value().template get<std::string>();
  }
  return out;
}

template <class Json>
std::vector<std::string> texts_at(const Json& object, const char* key) {
  std::vector<std::string> out;
  for (const Json& value : child_of(object, key)) {
    if (value.is_string()) out.push_back(value.template get<std::string>());
  }
  return out;
}

}  // namespace hopcheck::mesh
