// What each observed span of an exhibit carries, with what is wrong marked.
#pragma once

#include "model/run_result.h"
#include "report/html_text.h"

namespace hopcheck::report {

// Panels in the order of the list; those with a defect come first and stand open. Ids are "x<number>s<index>".
Html span_panels(const Exhibit& exhibit, size_t number);

}  // namespace hopcheck::report
