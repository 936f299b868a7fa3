// Files of kind Answers: what a sink answers over time (docs/reference/files.md).
#pragma once

#include <string>

#include "config/load.h"
#include "model/answers.h"

namespace hopcheck::config {

// Text in, value out. At most 1000 steps.
Loaded<AnswerPlan> parse_answers(const std::string& text, const std::string& file);

}  // namespace hopcheck::config
