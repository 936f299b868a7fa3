// What is said over the control ports of the demo and the sink. Pure.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "model/scenario.h"
#include "run/provider.h"

namespace hopcheck::mesh {

// Body of PUT /switches at the demo (demo/switches.h) that makes a service misbehave so; "" for Fault::Kind::kNone,
// which is DELETE /switches. kUsage error when no switch does that.
Result<std::string> switches_of(const Fault& fault);
// The sink's GET /status. kEvidence error when it is not JSON.
Result<run::SinkStatus> sink_status_from_json(const std::string& text);

}  // namespace hopcheck::mesh
