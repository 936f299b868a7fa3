// The doctor's judgement: all probes in order, then the causes composed. Pure.
#pragma once

#include <string>

#include "doctor/diagnosis.h"
#include "doctor/evidence.h"

namespace hopcheck::doctor {

Diagnosis diagnose(const ClusterEvidence& evidence);

// 0: healthy; 1: a cause was found; 2: none was found and a probe could not look; 3: no probe could look.
// What must hold before traffic is driven, of the probes of versions, control plane and Collector: a mesh that lacks it
// cannot be judged. Composed as above; empty where evidence is missing.
std::vector<Cause> missing_prerequisites(const ClusterEvidence& evidence);

int exit_code_of(const Diagnosis& diagnosis);

// The terminal form, and one JSON document (docs/reference/doctor.md), both ending with a newline.
std::string to_text(const Diagnosis& diagnosis);
std::string to_json(const Diagnosis& diagnosis);

}  // namespace hopcheck::doctor
