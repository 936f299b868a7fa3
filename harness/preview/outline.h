// What a profile means for a topology: every span one request leaves, as rows and as a waterfall skeleton, with derived
// counts. The trees are those of plan::expand, so what is shown is what the judge asks for. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/expectation.h"
#include "model/scenario.h"
#include "plan/expand.h"

namespace hopcheck::preview {

struct Question {
  Topology topology;
  Entry entry = Entry::kGateway;
  NamingMode naming = NamingMode::kAppLabelAndNamespace;
  std::optional<bool> gateway_spawn;
};
// A scenario that asks just this: one journey, the entry service's first span name when it reads "METHOD /path".
Scenario scenario_of(const Question& question);

struct Row {
  int depth = 0;
  std::string role;     // gatewayServer … or app
  std::string where;    // service, "gateway" or "loadgen"
  std::string kind, name, service_name;
  std::string parent;   // "outbound checkout", "client" for the caller outside
  std::string scope;    // "envoy", "none", "SDK" for app spans
  size_t attributes = 0;  // that must be there
  std::string source, proof;
  std::string version;  // istio minor of the proxy; "" for app spans
};

struct Outline {
  std::string journey, variant;
  std::vector<Row> rows;  // preorder
  size_t mesh = 0, app = 0;
  std::map<std::string, size_t> by_where;
};
Result<std::vector<Outline>> outline(const Question& question, const plan::ProfileBinding& binding);

// "mesh 7, app 5, all 12; gateway 2, frontend 3 …"
std::string counts_text(const Outline& outline);
enum class Versions { kHide, kShow };
// One line a span: indent, kind, service.name, name; with versions "[1.30]" before proxy spans.
std::string waterfall(const Outline& outline, Versions versions, const std::string& indent);

// The whole answer of `hopcheck explain --profile`.
std::string explain_text(const MeshProfile& profile, const Question& question, const std::vector<Outline>& outlines);
std::string explain_json(const MeshProfile& profile, const Question& question, const std::vector<Outline>& outlines);

}  // namespace hopcheck::preview
