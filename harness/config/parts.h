// Decoders shared inside config/: how each kind's fields are read from an already parsed tree. Each reports to
// `problems` and returns a value that is only meaningful when no problem was added. Pure.
#pragma once

#include <string>
#include <vector>

#include "config/reader.h"

namespace hopcheck::config {

// The spec of a Topology; checks its inner references (calls, spans, versions) too.
Topology read_topology(const std::string& name, const Node* spec, Problems& problems);
// The same fields from an open reader, which the caller finishes.
Topology read_topology_fields(const std::string& name, Reader& spec);

SpanKind read_span_kind(Reader& reader, SpanKind fallback);

// "/path", printable ASCII without spaces, '#' or control characters. A query only when allowed.
enum class Query { kForbidden, kAllowed };
void check_path(Reader& reader, const std::string& key, const std::string& path, Query query);
void check_method(Reader& reader, const std::string& method);
// "O-60", "M-8a": a letter of O, M, D, F, a dash, digits with at most one letter behind.
bool is_row_id(const std::string& text);
void check_label_text(Reader& reader, const std::string& key, const std::string& text);

// A reference to a service, checked once the topology is known.
struct ServiceUse {
  std::string service;
  std::string where;
  int line = 0, column = 0;
};

struct ScenarioDraft {
  Scenario scenario;
  bool has_topology = false;  // inlined; else scenario.topology_ref is to be resolved
  int ref_line = 0, ref_column = 0;
  std::vector<ServiceUse> uses;
};
// Notes that the file names a service; check_uses() looks it up when the topology is known.
void use_service(ScenarioDraft& draft, const Node& at, const std::string& where, const std::string& service);
// spec.environment and spec.expectEnvironment (environment_yaml.cc).
void read_environment(Reader& spec, ScenarioDraft& draft);
void read_expected_environment(Reader& spec, ScenarioDraft& draft);
ScenarioDraft read_scenario(const std::string& name, const Node* spec, Problems& problems);
// The checks that need the topology: every use names one of its services; the draft's journeys default to it.
void check_uses(const ScenarioDraft& draft, Problems& problems);

// One entry of spec.faults or spec.inject.
Fault read_fault(const Node* item, const std::string& where, ScenarioDraft& draft, Problems& problems);
// A fault that changes nothing would make a canary that can never be caught. `use` is the place of its `at`, which
// names a service of the topology.
void check_fault_effect(const Scenario& scenario, const Fault& fault, const ServiceUse& use, Problems& problems);

struct SuiteDraft {
  Suite suite;
  struct Place {
    int line = 0, column = 0;
  };
  std::vector<Place> places;            // of entries[i].scenario
  std::vector<ScenarioDraft> embedded;  // the documents after the first
};
SuiteDraft read_suite(const std::vector<Node>& documents, Problems& problems);

// The list of attribute rules at `key`. A rule without a source of its own has its owner's; one of the two is needed.
std::vector<AttributeRule> read_attributes(Reader& owner, const std::string& key, const std::string& source,
                                           const std::vector<std::string>& placeholders);
// Anything else in braces is a problem.
void check_template(Reader& reader, const std::string& key, const std::string& text,
                    const std::vector<std::string>& placeholders);
AppInstrumentation read_instrumentation(const std::string& name, const Node* spec, Problems& problems);
// sdk and route of a service, which belong to instrumentation auto.
void check_auto(Reader& reader, const Service& service);
MeshProfile read_profile(const std::string& name, const Node* spec, Problems& problems);
// What a profile says must fit together: roles and spawning, status rows without gaps, scope, versions, patterns.
void check_profile(const MeshProfile& profile, Reader& spec);
// The spec of a profile with all that it extends laid under it (docs/adr/0010). Lists are merged by the identity of
// their items, `remove: true` takes one away; what showed a base's fact (captures, run, measured) is not inherited.
// Positions of inherited lines are that of `extends`. At most kMostBases in a row.
inline constexpr size_t kMostBases = 16;
std::string base_of(const Node& spec);  // the name in `extends`, "" without one
Node extended_spec(const std::string& name, const Node& spec, const ProfileTexts& bases, Problems& problems);

}  // namespace hopcheck::config
