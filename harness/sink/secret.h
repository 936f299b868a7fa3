// A value that must be shown to be let in. It cannot be printed: there is no way to read it back.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hopcheck::sink {

class Secret {
 public:
  Secret() = default;  // nothing is required
  explicit Secret(std::string_view value);
  bool required() const { return required_; }
  // Takes the same time wherever the first difference is, and whatever the length: digests are compared.
  bool matches(std::string_view shown) const;

 private:
  bool required_ = false;
  std::array<uint8_t, 32> key_{};     // random, per process
  std::array<uint8_t, 32> digest_{};  // HMAC-SHA-256 of the value
};

// "@FILE" (a trailing line break is not part of the value) or "env:VAR"; a value on the command line is refused, since
// process lists show it.
Result<std::string> read_secret(const std::string& source);

}  // namespace hopcheck::sink
