// Which rules exist in this judgement. A rule that is switched off is never raised and causes nothing: what it would
// have explained stands for itself, as if the rule had not been written. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace hopcheck::check {

class RuleSet {
 public:
  RuleSet() = default;
  explicit RuleSet(std::vector<std::string> off) : off_(std::move(off)) {}
  bool on(std::string_view code) const { return std::find(off_.begin(), off_.end(), code) == off_.end(); }

 private:
  std::vector<std::string> off_;
};

}  // namespace hopcheck::check
