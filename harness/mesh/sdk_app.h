// A service of role sdkApp: kind/sdk-app, a Python program under opentelemetry-instrument. What it is told is its
// environment, on every provider. Its packages are known to scripts/sdk-app alone.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "base/result.h"
#include "mesh/process.h"
#include "model/topology.h"

namespace hopcheck::mesh {

// Folder with the app's Python packages; looks only, takes some 100 ms. kEnvironment as the script states it.
Result<std::string> find_sdk_app(ProcessRunner& runner, const std::string& share, const std::atomic<bool>& stop);

// APP_* (kind/sdk-app/app.py) and OTEL_* for a service with instrumentation auto. `otlp`: "http://HOST:4318".
std::map<std::string, std::string> sdk_app_env(const Topology& topology, const Service& service,
                                               const std::string& otlp);

}  // namespace hopcheck::mesh
