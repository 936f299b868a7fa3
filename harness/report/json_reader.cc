#include "report/json_reader.h"

#include <limits>

namespace hopcheck::report {

void JsonReader::refuse(const std::string& what) {
  if (failed()) return;
  error_ = path_.empty() ? what : path_ + ": " + what;
}

size_t JsonReader::enter(const std::string& step) {
  const size_t mark = path_.size();
  if (!path_.empty() && step[0] != '[') path_ += '.';
  path_ += step;
  return mark;
}

void JsonReader::leave(size_t mark) { path_.resize(mark); }

void JsonReader::read(JsonNode node, std::string& value) {
  if (node.type() != JsonNode::Type::kString) return refuse("expected a string");
  value = node.text();
}

void JsonReader::read(JsonNode node, bool& value) {
  if (node.type() != JsonNode::Type::kBool) return refuse("expected true or false");
  value = node.boolean();
}

void JsonReader::read(JsonNode node, int& value) {
  int64_t wide = 0;
  read(node, wide);
  if (failed()) return;
  if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max())
    return refuse("number too large");
  value = static_cast<int>(wide);
}

void JsonReader::read(JsonNode node, int64_t& value) {
  const std::optional<int64_t> number = node.integer();
  if (!number) return refuse("expected a whole number");
  value = *number;
}

void JsonReader::read(JsonNode node, uint64_t& value) {
  const std::optional<uint64_t> number = node.unsigned_integer();
  if (!number) return refuse("expected a whole number from 0");
  value = *number;
}

void JsonReader::read(JsonNode node, double& value) {
  const std::optional<double> number = node.real();
  if (!number) return refuse("expected a number");
  value = *number;
}

void JsonReader::read(JsonNode node, Verdict& value) {
  const std::string text = node.text();
  for (const Verdict verdict : {Verdict::kPass, Verdict::kUnknown, Verdict::kFail}) {
    if (text == to_string(verdict)) {
      value = verdict;
      return;
    }
  }
  refuse("expected pass, fail or unknown");
}

void JsonReader::read(JsonNode node, std::pair<std::string, std::string>& value) {
  if (node.type() != JsonNode::Type::kArray || node.size() != 2) return refuse("expected a list of two strings");
  read(node.at(0), value.first);
  read(node.at(1), value.second);
}

}  // namespace hopcheck::report
