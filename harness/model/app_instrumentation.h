// AppInstrumentation: what an SDK that instruments libraries by itself makes of an app without any tracing code, as
// data (fixtures/instrumentation/*.yaml, kind Instrumentation). Facts and their sources stand in those files.
#pragma once

#include <string>
#include <vector>

#include "model/mesh_profile.h"

namespace hopcheck {

struct AppSpanRule {
  SpanKind kind = SpanKind::kUnspecified;
  std::string name;   // template: {method}, {route}, {path}, {host}, {port}
  std::string scope;  // of the instrumented library
  std::vector<AttributeRule> attributes;
  std::string source;
};

struct AppInstrumentation {
  std::string name;
  std::string proof;                   // live | capture | source
  std::vector<std::string> forwards;   // context headers that reach the app's own calls
  std::vector<AttributeRule> resource;
  AppSpanRule request;                 // for each request served
  AppSpanRule call;                    // for each call made, under the request's span
};

// Those that a topology names, looked up beside it. No part of what the topology's file says, so equal to any other.
struct AppInstrumentations {
  std::vector<AppInstrumentation> known;

  const AppInstrumentation* find(const std::string& name) const {
    for (const AppInstrumentation& one : known) {
      if (one.name == name) return &one;
    }
    return nullptr;
  }
  bool operator==(const AppInstrumentations&) const { return true; }
};

}  // namespace hopcheck
