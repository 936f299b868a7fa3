// The catalogue of causes: what each does to traces, and which others it explains. Its order is the order in which
// causes are reported, upstream first. docs/reference/doctor.md has one line for each; a test holds the two together.
#pragma once

#include <string_view>
#include <vector>

#include "doctor/diagnosis.h"

namespace hopcheck::doctor {

struct CauseInfo {
  std::string_view id;
  Symptom symptom;
  std::vector<std::string_view> explains;  // ids that are consequences while this cause is there
};
const std::vector<CauseInfo>& cause_catalogue();
// Index in the catalogue. An id that is not there is a bug: asserted.
size_t rank_of(std::string_view id);

}  // namespace hopcheck::doctor
