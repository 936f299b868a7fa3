// What an upgrade from one version to another changes in traces, before any cluster is touched: spans, names, kinds,
// attributes, status, service names, sampling; and each step on the way, one workload at a time. Pure.
#pragma once

#include <string>
#include <vector>

#include "preview/outline.h"

namespace hopcheck::preview {

// One fact that differs. `where`: the spans it shows on ("outbound, inbound"), or "" for the version as a whole.
struct Difference {
  std::string kind;  // span, name, kind, parent, scope, resource, attribute, status, service name, sampling …
  std::string what, before, after;
  std::vector<std::string> where;  // "outbound checkout" …
};

// Which proxies take the new version first.
enum class Order { kGatewayFirst, kGatewayLast };

// The mesh after some proxies were restarted with the new version.
struct Step {
  std::string upgraded;  // what this step brought to the new version: "gateway", "checkout"; "" before the first
  std::vector<Outline> outlines;
  std::vector<std::string> notes;
};

struct Comparison {
  std::string before, after;  // profile names
  std::vector<Difference> differences;
  std::vector<ProfileNote> notes;  // what the versions in between say of themselves, prefixed by their name
  std::vector<Outline> first, last;
  std::vector<Step> steps;  // the first is the old mesh, the last the new one
};

struct Upgrade {
  const MeshProfile* before = nullptr;
  const MeshProfile* after = nullptr;
  const std::vector<MeshProfile>* all = nullptr;  // for the notes of the versions between
};
// kUsage when one of the versions cannot do what the question asks (a naming mode it lacks).
Result<Comparison> compare(const Upgrade& upgrade, const Question& question, Order order);

std::string compare_text(const Comparison& comparison, const Question& question);
std::string compare_json(const Comparison& comparison, const Question& question);

}  // namespace hopcheck::preview
