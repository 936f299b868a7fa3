// A Collector release, "0.161.0". Releases are compared number by number; what follows a '-' or '+' is refused.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace hopcheck::otelcol {

struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
};
// "0.161.0", "v0.161.0", "0.161" (patch 0); nullopt for anything else.
std::optional<Version> parse_version(std::string_view text);
std::string to_string(const Version& version);

}  // namespace hopcheck::otelcol
