#include "sink/http_service.h"

#include <algorithm>

namespace hopcheck::sink {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

size_t RequestHead::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(fields.begin(), fields.end(),
                                           [&](const auto& field) { return equal_ignoring_case(field.first, name); }));
}

std::optional<std::string_view> RequestHead::field(std::string_view name) const {
  if (count(name) != 1) return std::nullopt;
  return std::find_if(fields.begin(), fields.end(),
                      [&](const auto& field) { return equal_ignoring_case(field.first, name); })
      ->second;
}

std::pair<std::string_view, std::string_view> path_and_query(std::string_view target) {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const size_t slash = target.find('/', scheme.size());
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
    break;
  }
  target = target.substr(0, target.find('#'));
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return {target, {}};
  return {target.substr(0, question), target.substr(question + 1)};
}

}  // namespace hopcheck::sink
