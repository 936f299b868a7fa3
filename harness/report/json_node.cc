#include "report/json_node.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

namespace hopcheck::report {
namespace {

using Json = nlohmann::json;

const Json& json(const void* value) { return *static_cast<const Json*>(value); }

template <class T>
std::optional<T> decimal(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

JsonNode::Type JsonNode::type() const {
  switch (json(value_).type()) {
    case Json::value_t::boolean: return Type::kBool;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float: return Type::kNumber;
    case Json::value_t::string: return Type::kString;
    case Json::value_t::array: return Type::kArray;
    case Json::value_t::object: return Type::kObject;
    default: return Type::kNull;
  }
}

bool JsonNode::boolean() const { return type() == Type::kBool && json(value_).get<bool>(); }

std::string JsonNode::text() const { return type() == Type::kString ? json(value_).get<std::string>() : std::string(); }

std::optional<double> JsonNode::real() const {
  if (type() != Type::kNumber) return std::nullopt;
  return json(value_).get<double>();
}

std::optional<int64_t> JsonNode::integer() const {
  const Json& value = json(value_);
  if (value.is_string()) return decimal<int64_t>(value.get_ref<const std::string&>());
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  return std::nullopt;
}

std::optional<uint64_t> JsonNode::unsigned_integer() const {
  const Json& value = json(value_);
  if (value.is_string()) return decimal<uint64_t>(value.get_ref<const std::string&>());
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  return std::nullopt;
}

size_t JsonNode::size() const {
  const Json& value = json(value_);
  return value.is_array() || value.is_object() ? value.size() : 0;
}

JsonNode JsonNode::at(size_t index) const { return JsonNode(&json(value_)[index]); }

std::optional<JsonNode> JsonNode::member(const char* key) const {
  const Json& value = json(value_);
  if (!value.is_object()) return std::nullopt;
  const auto found = value.find(key);
  if (found == value.end()) return std::nullopt;
  return JsonNode(&*found);
}

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  try {
    return JsonDocument(std::make_shared<const Json>(Json::parse(text)));
  } catch (const Json::exception& error) {
    return fail(ErrorKind::kEvidence, "not JSON", error.what());
  }
}

}  // namespace hopcheck::report
