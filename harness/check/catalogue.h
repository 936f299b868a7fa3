// The rule catalogue: every code hopcheck can report. Codes are HOPffnn (family, number), never reused; one docs page
// each.
#pragma once

#include <string_view>
#include <vector>

#include "model/finding.h"

namespace hopcheck::check {

struct RuleInfo {
  const char* code;
  const char* title;     // one clause, as the heading of a finding
  Verdict severity;      // what one hit makes of the verdict
  const char* hint;      // usual cause and fix, one sentence
};

const std::vector<RuleInfo>& catalogue();      // ascending by code
const RuleInfo& rule_info(std::string_view code);  // asserts that the code exists
const char* family_title(std::string_view code);   // "context propagation" for HOP06nn

}  // namespace hopcheck::check
