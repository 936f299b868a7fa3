#include "otelcol/version.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"

namespace hopcheck::otelcol {

std::optional<Version> parse_version(std::string_view text) {
  if (!text.empty() && text.front() == 'v') text.remove_prefix(1);
  const auto parts = split(text, '.');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  Version out;
  int* const numbers[] = {&out.major, &out.minor, &out.patch};
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    if (part.empty() || part.size() > 6) return std::nullopt;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), *numbers[i]);
    if (read.ec != std::errc() || read.ptr != part.data() + part.size() || *numbers[i] < 0) return std::nullopt;
  }
  return out;
}

std::string to_string(const Version& version) {
  return fmt::format("{}.{}.{}", version.major, version.minor, version.patch);
}

}  // namespace hopcheck::otelcol
