// Manifest templates under kind/: YAML with @name@ in the place of values. Values may be JSON (a flow mapping is YAML
// too). Pure; bounded by the text's size.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

using Values = std::map<std::string, std::string>;
// Every @[a-z][a-z0-9_]*@ is replaced; a name without a value is a kInternal error that says `where`.
Result<std::string> render(std::string_view text, const Values& values, const std::string& where);
// A YAML/JSON double-quoted scalar.
std::string yaml_quoted(std::string_view text);
// {"a":"b"} as a flow mapping.
std::string flow_map(const std::map<std::string, std::string>& map);
// A block scalar's lines, each indented by `spaces`.
std::string indented(std::string_view text, size_t spaces);

// One object of a multi-document manifest.
struct KubeObject {
  std::string api_version, kind, ns, name;
  std::string body;  // the document
};
// Documents are separated by lines "---"; comments and empty documents are skipped.
Result<std::vector<KubeObject>> split_manifest(std::string_view text);
// The object's path at the API server; kInternal error for a kind that is not in the table.
Result<std::string> api_path(const KubeObject& object);

}  // namespace hopcheck::mesh
