// YAML files people write → model values, strictly: unknown field, duplicate key, wrong type, left-over <placeholder>,
// all problems at once with file, line, column and the nearest valid name. Formats: docs/reference/files.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/injection.h"
#include "model/mesh_profile.h"
#include "model/proof.h"
#include "model/scenario.h"
#include "model/topology.h"

namespace hopcheck::config {

struct Problem {
  std::string file;
  int line = 0, column = 0;  // 1-based
  std::string message;
};
// "file:line:column: message" lines.
std::string to_text(const std::vector<Problem>& problems);

template <class T>
using Loaded = tl::expected<T, std::vector<Problem>>;

// Where names (not paths) are looked up: <share>/fixtures/topologies/<name>.yaml, fixtures/instrumentation and so on. A
// path (it holds a '/' or ends in .yaml) is relative to the referring file, else to the share root; a suite's bare
// names are files beside it.
struct SearchPath {
  std::string share;  // the installation's or checkout's root
};

// Text in, value out: no file is read (fuzz targets use these).
Loaded<Topology> parse_topology(const std::string& text, const std::string& file);
// A profile that extends another needs `bases`: name → text of the named profile's file, nullopt when there is none.
using ProfileTexts = std::function<std::optional<std::string>(const std::string& name)>;
Loaded<MeshProfile> parse_profile(const std::string& text, const std::string& file, const ProfileTexts& bases = {});
Loaded<AppInstrumentation> parse_instrumentation(const std::string& text, const std::string& file);
// topology is left unresolved (topology_ref only).
Loaded<Scenario> parse_scenario(const std::string& text, const std::string& file);
Loaded<Suite> parse_suite(const std::string& text, const std::string& file);
// scenario paths are left as they are written.
Loaded<InjectionSuite> parse_injection_suite(const std::string& text, const std::string& file);
Loaded<ConformanceRows> parse_rows(const std::string& text, const std::string& file);

// Files; references are resolved (relative to the referring file, then by name).
Loaded<Topology> load_topology(const std::string& ref, const std::string& from_file, const SearchPath& search);
Loaded<Scenario> load_scenario(const std::string& path, const SearchPath& search);
Loaded<Suite> load_suite(const std::string& path, const SearchPath& search);
// Scenarios are resolved to paths and looked at.
Loaded<InjectionSuite> load_injection_suite(const std::string& path, const SearchPath& search);
// One file of kind MeshProfile; what it extends is looked up in fixtures/profiles.
Loaded<MeshProfile> load_profile(const std::string& path, const SearchPath& search);
// All fixtures/profiles/*.yaml, sorted by name.
Loaded<std::vector<MeshProfile>> load_profiles(const SearchPath& search);
// fixtures/rows.yaml.
Loaded<ConformanceRows> load_rows(const SearchPath& search);
// "Scenario", "Suite" … of the first document; "" when it cannot be told.
std::string kind_of_file(const std::string& path);
// The resolved scenario as YAML that load_scenario reads back to an equal value but for `file` (run directory's
// scenario.yaml); the topology is inlined.
std::string to_yaml(const Scenario& scenario);
std::string to_yaml(const Topology& topology);  // a file of kind Topology
std::string to_yaml(const Suite& suite);  // multi-document: the suite, then its scenarios

}  // namespace hopcheck::config
